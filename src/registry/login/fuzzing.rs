//! The way in for fuzzing: answers with logins that never came over a wire.
//!
//! Owns nothing: each function calls what an answer goes through and adds no step of its own. Must
//! not be used by the product. The invariant that would break first: what is read here is read as it
//! is from the wire.

use super::{Issued, acr, swr};
use crate::cloud::Credential;
use crate::cloud::fuzzing::Answered;
use crate::facts::Failure;

/// The login of SWR for a host.
///
/// # Errors
/// The answer is a refusal or holds none.
pub fn swr_login(answer: Answered, credential: &Credential, host: &str) -> Result<Issued, Failure> {
    swr::read(&answer.reply(credential)?, host)
}

/// Whether an instance of Container Registry names a host as its own.
///
/// # Errors
/// The answer is a refusal or names nothing.
pub fn acr_names(answer: Answered, credential: &Credential, host: &str) -> Result<bool, Failure> {
    acr::names(&answer.reply(credential)?, host, credential)
}

/// The login of Container Registry.
///
/// # Errors
/// The answer is a refusal or holds none.
pub fn acr_login(answer: Answered, credential: &Credential) -> Result<Issued, Failure> {
    acr::read(&answer.reply(credential)?, credential)
}
