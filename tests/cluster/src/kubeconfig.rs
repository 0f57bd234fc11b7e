//! The kubeconfig of a cluster, as text and as a file.
//!
//! Owns the shape of that file and how secrets reach the disk. It must not know processes. The
//! invariant that would break first: a file with a token is readable by its owner only, from the
//! moment it has content.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use anyhow::{Context as _, Result};

/// First line of each kubeconfig written here, so that a file of someone else is not overwritten.
pub const MARK: &str = "# Written by testcluster; of no use once that cluster has ended.";

/// A kubeconfig with one cluster, one user and one context, all named `imageref-test`. The CA is
/// named by its path, so the text is of use only while the cluster's folder exists.
pub(crate) fn text(url: &str, ca: &Path, token: &str) -> String {
    let ca = ca.display().to_string();
    // A JSON string is a YAML string, and Rust's `Debug` of a string differs from JSON only in
    // characters that no sane temporary folder holds.
    format!(
        "{MARK}
apiVersion: v1
kind: Config
clusters:
- name: imageref-test
  cluster:
    server: {url}
    certificate-authority: {ca:?}
users:
- name: imageref-test
  user:
    token: {token:?}
contexts:
- name: imageref-test
  context:
    cluster: imageref-test
    user: imageref-test
    namespace: default
current-context: imageref-test
"
    )
}

/// Writes `text` to `path` with mode 0600. It appears there whole or not at all.
///
/// # Errors
/// If a file beside `path` cannot be created, written or renamed.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    let name = path
        .file_name()
        .context("not a file name")?
        .to_string_lossy();
    let draft = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let write = || {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        fs::rename(&draft, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_is_private_even_if_it_replaces_a_public_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();

        write_private(&path, "new").unwrap();

        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
