//! Integration tests, one module a capability: `cargo test vectors` runs one of them.

mod cloud;
mod cloud_errors;
mod facts;
mod plan;
mod plan_histories;
