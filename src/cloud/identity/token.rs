//! Where id tokens come from.
//!
//! Owns audiences, and reading a token anew for every exchange: projected files are rotated. Must
//! not know who takes a token. The invariant that would break first: a token is minted for the
//! audience of one cloud, never the API server's.

use crate::facts::{Failure, FailureKind};
use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Audience of tokens for Huawei Cloud: the client id to enter at the identity provider in IAM.
pub const HUAWEI_AUDIENCE: &str = "sts.myhuaweicloud.com";
/// Audience of tokens for Alibaba Cloud, as its RRSA document has it.
pub const ALIBABA_AUDIENCE: &str = "sts.aliyuncs.com";

/// Bound on a token's length, in bytes.
const LONGEST_TOKEN: usize = 64 * 1024;

/// Gives tokens of one service account: the controller asks the API server for them.
pub trait Mint: Send + Sync {
    /// A new token for this audience and no other.
    fn mint(&self, audience: &'static str) -> BoxFuture<'_, Result<SecretString, Failure>>;
}

/// Where an id token comes from, anew for every exchange.
#[derive(Clone)]
pub enum TokenSource {
    /// A projected file of the operator's own pod; its path is the operator's word.
    Projected(PathBuf),
    /// Minted for a service account.
    Minted {
        /// UID of the service account: one that is deleted and made again is another.
        account_uid: String,
        /// Who mints.
        mint: Arc<dyn Mint>,
    },
}

impl TokenSource {
    /// A token for an audience.
    pub(super) async fn token(&self, audience: &'static str) -> Result<SecretString, Failure> {
        match self {
            Self::Projected(path) => read_token(path).await,
            Self::Minted { mint, .. } => {
                checked_token(mint.mint(audience).await?.expose_secret(), "minted")
            }
        }
    }

    pub(super) fn parts(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Projected(path) => {
                vec![
                    b"file".to_vec(),
                    path.as_os_str().as_encoded_bytes().to_vec(),
                ]
            }
            Self::Minted { account_uid, .. } => {
                vec![b"account".to_vec(), account_uid.clone().into_bytes()]
            }
        }
    }
}

/// Reads a projected token.
pub(super) async fn read_token(path: &Path) -> Result<SecretString, Failure> {
    let read = tokio::fs::read_to_string(path).await;
    let text = read.map(SecretString::from).map_err(|error| {
        let message = format!("the projected token cannot be read: {}", error.kind());
        Failure::new(FailureKind::ProviderNotReady, message)
    })?;
    checked_token(text.expose_secret(), "projected")
}

fn checked_token(text: &str, what: &str) -> Result<SecretString, Failure> {
    let text = text.trim();
    if !text.is_empty() && text.len() <= LONGEST_TOKEN && text.bytes().all(|b| b.is_ascii_graphic())
    {
        return Ok(text.into());
    }
    let message = format!("the {what} token is empty or not a token");
    Err(Failure::new(FailureKind::ProviderNotReady, message))
}
