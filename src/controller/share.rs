//! Which part of the work is a process's, where several divide it.
//!
//! Owns the division: references by label, and what is said of all of them by one process. Must not
//! know how any of it is done. The invariant that would break first: of the statuses of providers and
//! catalogues there is one writer.

use super::{ApiError, limited};
use crate::api::ImageRef;
use crate::api::condition::truncate;
use kube::Client;
use kube::api::{Api, ListParams};

/// A process's share of the work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Share {
    /// Everything.
    #[default]
    Whole,
    /// The references that a label selector selects, providers and catalogues.
    Main(String),
    /// The references that a label selector selects, and nothing else.
    References(String),
}

impl Share {
    /// The label selector of the references to work on, as the API server reads it.
    pub fn selector(&self) -> Option<&str> {
        match self {
            Self::Whole => None,
            Self::Main(selector) | Self::References(selector) => Some(selector),
        }
    }

    pub(super) const fn references_only(&self) -> bool {
        matches!(self, Self::References(_))
    }

    /// Has the API server read the selector, in one of the namespaces served: with one that cannot be
    /// read, every watch would fail for ever.
    ///
    /// # Errors
    /// What the API server says is wrong with it. Whatever else keeps it from answering is none of this.
    pub async fn check(
        &self,
        client: &Client,
        namespaces: Option<&[String]>,
    ) -> Result<(), String> {
        let Some(selector) = self.selector() else {
            return Ok(());
        };
        let api: Api<ImageRef> = match namespaces.and_then(<[String]>::first) {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let one = ListParams::default().labels(selector).limit(1);
        match limited("reading the selector", api.list_metadata(&one)).await {
            Err(ApiError::Failed { source, .. }) => match *source {
                kube::Error::Api(status) if status.code == 400 => {
                    Err(truncate(&status.message, 300).to_owned())
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}
