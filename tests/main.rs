//! Integration tests, one module a capability: `cargo test vectors` runs one of them.

// Marked as tests, so that the lints treat what stands beside the test functions like them.
#[cfg(test)]
mod agreement;
#[cfg(test)]
mod alerts;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod canaries;
#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod chart;
#[cfg(test)]
mod check;
#[cfg(test)]
mod cloud;
#[cfg(test)]
mod cloud_errors;
#[cfg(test)]
mod controller;
#[cfg(test)]
mod digests;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod gitops;
#[cfg(test)]
mod health;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod install;
#[cfg(test)]
mod leaks;
#[cfg(test)]
mod lease;
#[cfg(test)]
mod lock;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod on_cluster;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod plan;
#[cfg(test)]
mod plan_histories;
#[cfg(test)]
mod plugin;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod process;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod registry_login;
#[cfg(test)]
mod resolve;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod shards;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod snapshot;
#[cfg(test)]
mod tenants;
#[cfg(feature = "otlp")]
#[cfg(test)]
mod traces;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod verdict;
#[cfg(test)]
mod walls;
#[cfg(test)]
mod webhook;
#[cfg(test)]
mod webhook_cluster;
