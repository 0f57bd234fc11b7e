//! What a person writes: manifests that the API server takes or refuses, and in which words.
//!
//! Owns the tables under `manifests/` and what is proved about them on a real API server and by
//! `validate()` alike. Must not know the operator. The invariant that would break first: every
//! rule of the CRDs has a manifest that breaks it, with the message as a person reads it.

mod accepted;
mod coverage;
mod for_people;
mod generated;
mod refused;
pub(crate) mod rows;
mod schema;
mod status;
