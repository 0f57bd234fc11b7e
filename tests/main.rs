//! Integration tests, one module a capability: `cargo test vectors` runs one of them.

mod cloud;
mod cloud_errors;
mod controller;
mod docs;
mod facts;
mod manifests;
mod on_cluster;
mod operator;
mod plan;
mod plan_histories;
mod process;
mod tenants;
mod vectors;
