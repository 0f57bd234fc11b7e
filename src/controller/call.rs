//! One call to the API server: how long it may take, and what is said of a failure.
//!
//! Owns the bound and the error. Must not know what is called. The invariant that would break first:
//! no call waits for ever, and no error repeats what an object holds.

use crate::api::condition::truncate;
use std::time::Duration;

/// The longest that one call to the API server may take, its retries included.
pub(super) const API_TIMEOUT: Duration = Duration::from_secs(10);

/// A failed call to the API server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// It answered with an error, or not at all.
    #[error("{doing}: {}", explain(.source))]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: Box<kube::Error>,
    },
    /// It took too long.
    #[error("{doing}: the API server did not answer within {} s", API_TIMEOUT.as_secs())]
    TimedOut {
        /// What was being done.
        doing: &'static str,
    },
}

impl ApiError {
    /// Whether the API server refused it for want of rights.
    pub(super) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Failed { source, .. }
            if matches!(&**source, kube::Error::Api(status) if status.is_forbidden()))
    }
}

/// The error without the debug form of the whole answer that kube's own text carries.
pub(super) fn explain(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => {
            format!("{} ({})", truncate(&status.message, 300), status.code)
        }
        other => truncate(&other.to_string(), 300).to_owned(),
    }
}

/// Bounds a call to the API server.
pub(super) async fn limited<T>(
    doing: &'static str,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, ApiError> {
    match tokio::time::timeout(API_TIMEOUT, call).await {
        Ok(result) => result.map_err(|source| ApiError::Failed {
            doing,
            source: source.into(),
        }),
        Err(_) => Err(ApiError::TimedOut { doing }),
    }
}
