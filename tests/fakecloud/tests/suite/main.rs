//! Owns the tests of the simulated clouds over real sockets, one module a subject.
//! Must not be known here: the insides of the crate.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod admin;
mod alibaba_sts;
mod binary;
mod client;
mod faults;
mod iam;
mod instances;
mod modelarts;
mod origins;
mod pai;
mod registry_logins;
mod signatures;
mod tokens;
