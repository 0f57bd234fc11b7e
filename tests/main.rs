//! Integration tests, one module a capability.

mod manifests;
mod on_cluster;
mod plan;
mod plan_histories;
