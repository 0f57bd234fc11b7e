//! From a proof of identity to a credential that a platform takes.
//!
//! Owns the forms of proof, their exchange at IAM, STS and metadata services, and what was issued.
//! Must not know Kubernetes: whoever mints tokens comes in as [`Mint`]. The invariant that would
//! break first: **what was issued for one proof is served for that proof alone**.
//!
//! One identity's way: [`Identity::new`] checks a [`Source`] in its [`Region`],
//! [`CredentialCache::credential`] gives what is good, exchanging by [`Exchanger::exchange`] well
//! before it ends, and [`CredentialCache::invalidate`] hears of a platform's refusal.

mod alibaba_metadata;
mod alibaba_sts;
mod cache;
mod credentials_uri;
mod endpoints;
mod entries;
mod exchange;
#[doc(hidden)]
pub mod fuzzing;
mod huawei_iam;
mod huawei_metadata;
mod huawei_sts;
mod keys;
mod pod_identity;
mod principal;
mod project;
mod proof;
mod refused;
pub mod renewal;
mod source;
mod state;
mod token;

pub use cache::{CacheOptions, CredentialCache, Exchange};
pub use endpoints::{IdentityEndpoints, NearUri, Region};
pub use exchange::{Clock, Exchanger};
pub use principal::{Principal, Refusals};
pub use project::ProjectIds;
pub use proof::{Identity, Proof};
pub(crate) use source::hashed;
pub use source::{AgencyUser, Source};
pub use token::{ALIBABA_AUDIENCE, HUAWEI_AUDIENCE, Mint, TokenSource};

use super::Credential;
use jiff::Timestamp;

/// What an exchange brought.
#[derive(Clone, Debug)]
pub struct Issued {
    /// What to sign in with.
    pub credential: Credential,
    /// When it was issued, by the other side's clock where it tells the time.
    pub issued_at: Timestamp,
    /// When it ends, by the other side's clock; `None` if it does not say.
    pub expires_at: Option<Timestamp>,
}
