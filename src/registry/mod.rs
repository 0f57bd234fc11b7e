//! The registries that images live in.
//!
//! Owns what is specific to a registry. Must not know which reference asks. The invariant that
//! would break first: a password leaves here only inside a [`secrecy::SecretString`].

pub mod login;
pub mod swr_login;

pub use swr_login::Login;
