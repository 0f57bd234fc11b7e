//! Integration tests, one module a capability.

mod plan;
mod plan_histories;
