//! A certificate in two files, as cert-manager and others mount them.
//!
//! Owns when the files are read again. Must not know who writes them. The invariant that would break
//! first: half of an exchange is not taken. A new certificate with the old key, or a file that is being
//! written, leaves what is served as it is.

use super::pair::{MOST_BYTES, Pair};
use super::serving::Serving;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use zeroize::Zeroizing;

/// Names of the files, as in a Secret of type `kubernetes.io/tls`.
const FILES: [&str; 2] = ["tls.crt", "tls.key"];

/// How often the files are read. The kubelet exchanges mounted Secrets about once a minute.
pub const EVERY: Duration = Duration::from_secs(10);

/// Serves the certificate in `tls.crt` with the key in `tls.key`.
///
/// # Errors
/// Which file cannot be read, or why the two are no pair; what was served before is served on.
pub async fn load(directory: &Path, serving: &Serving) -> Result<(), String> {
    let pair = Arc::new(read(directory).await?);
    if serving.serve(&pair) {
        info!(expires = %pair.not_after(), "another certificate is served");
    }
    Ok(())
}

/// Loads the files again and again until `stop`; [`Serving::last_error`] says why if they cannot be.
pub async fn follow(
    directory: impl AsRef<Path>,
    every: Duration,
    serving: Arc<Serving>,
    stop: CancellationToken,
) {
    let directory = directory.as_ref();
    loop {
        let error = load(directory, &serving).await.err();
        let text = error.clone();
        if serving.note(error)
            && let Some(error) = text
        {
            warn!(%error, "the certificate cannot be read");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
    }
}

async fn read(directory: &Path) -> Result<Pair, String> {
    let mut texts = Vec::new();
    for name in FILES {
        let path = directory.join(name);
        let why = |error| format!("{}: {error}", path.display());
        let file = tokio::fs::File::open(&path).await.map_err(why)?;
        // One byte more than is taken, so that it is refused there.
        let mut text = Zeroizing::new(Vec::with_capacity(MOST_BYTES + 1));
        let most = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX) + 1;
        file.take(most).read_to_end(&mut text).await.map_err(why)?;
        texts.push(text);
    }
    Pair::read(&texts[0], &texts[1])
        .map_err(|why| format!("{}: {}: {why}", directory.display(), FILES.join(" and ")))
}
