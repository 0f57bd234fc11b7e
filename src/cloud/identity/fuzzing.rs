//! The way in for fuzzing: answers of identity services that never came over a wire.
//!
//! Owns nothing: each function calls what an answer goes through and adds no step of its own. Must
//! not be used by the product. The invariant that would break first: what is read here is read as it
//! is from the wire.

use super::refused::{self, Service};
use super::{Issued, Source, alibaba_metadata, huawei_iam, huawei_metadata, keys};
use crate::cloud::Cloud;
use crate::cloud::fuzzing::{Answered, ORIGIN};
use crate::facts::Failure;
use jiff::Timestamp;
use secrecy::SecretString;

const SERVICES: [Service; 7] = [
    Service::Iam,
    Service::HuaweiSts,
    Service::HuaweiMetadata,
    Service::PodIdentity,
    Service::AlibabaSts,
    Service::AlibabaMetadata,
    Service::CredentialsUri,
];

/// Temporary keys.
///
/// # Errors
/// There are none in the answer.
pub fn keys(cloud: Cloud, answer: &Answered, now: Timestamp) -> Result<Issued, Failure> {
    keys::read(cloud, ORIGIN, &answer.0, now)
}

/// A token of IAM.
///
/// # Errors
/// There is none in the answer.
pub fn iam_token(answer: Answered, now: Timestamp) -> Result<Issued, Failure> {
    huawei_iam::read_token(ORIGIN, answer.0, now)
}

/// A metadata service's token.
///
/// # Errors
/// The answer is none.
pub fn metadata_token(answer: &Answered) -> Result<SecretString, Failure> {
    huawei_metadata::token_text(&answer.0)
}

/// The role that a metadata service names.
///
/// # Errors
/// It names none.
pub fn metadata_role(answer: &Answered) -> Result<String, Failure> {
    alibaba_metadata::own_role(&answer.0)
}

/// What each service's refusal is; `sent` is what was sent.
pub fn refusals(answer: &Answered, sent: &[&str]) -> Vec<Failure> {
    let source = Source::HuaweiMetadata;
    let services = SERVICES.into_iter();
    services
        .map(|service| refused::failure(service, &source, &answer.0, sent))
        .collect()
}
