//! The file on the disk.
//!
//! Owns how it is replaced. Must not know what is in it. The invariant that would break first: the
//! file is there whole or as it was, whenever the process ends.

use anyhow::{Context as _, Result, bail};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Writes the text, if the file has another. Returns whether it did.
pub(super) fn replace(path: &Path, text: &str) -> Result<bool> {
    let doing = || format!("writing {}", path.display());
    // A link stays one: what it leads to is replaced.
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error).with_context(doing),
    };
    match fs::read(&target) {
        Ok(old) if old == text.as_bytes() => return Ok(false),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(doing),
    }
    let Some(name) = target.file_name() else {
        bail!("{}: no name of a file", path.display());
    };
    // Beside it: a rename does not leave the file system.
    let draft = format!(".{}.{}", name.display(), std::process::id());
    let draft = target.with_file_name(draft);
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .open(&draft)?;
        if let Ok(old) = fs::metadata(&target) {
            file.set_permissions(old.permissions())?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &target)
    };
    let written = write().inspect_err(|_| {
        let _ = fs::remove_file(&draft);
    });
    written.map(|()| true).with_context(doing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    #[test]
    fn equal_content_is_left_alone_and_another_replaces_it_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("imageref.lock");
        assert!(replace(&path, "one").unwrap());
        let before = fs::metadata(&path).unwrap();
        assert!(!replace(&path, "one").unwrap());
        let after = fs::metadata(&path).unwrap();
        assert_eq!(
            (before.ino(), before.modified().unwrap()),
            (after.ino(), after.modified().unwrap())
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(replace(&path, "two").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        let replaced = fs::metadata(&path).unwrap();
        assert_ne!(replaced.ino(), after.ino(), "it was renamed over");
        assert_eq!(replaced.permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft");
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (link, file) = (folder.path().join("link"), folder.path().join("file"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(replace(&link, "new").unwrap());
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    }

    #[test]
    fn what_cannot_be_replaced_is_left_as_it_is_without_a_draft() {
        let folder = tempfile::tempdir().unwrap();
        assert!(replace(folder.path(), "x").is_err(), "a folder is no file");
        let path = folder.path().join("none").join("imageref.lock");
        let error = replace(&path, "x").unwrap_err();
        assert!(format!("{error:#}").starts_with("writing "), "{error:#}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
