//! Integration tests, one module a capability: `cargo test vectors` runs one of them.

mod facts;
mod plan;
mod plan_histories;
#[cfg(test)]
mod resolve;
