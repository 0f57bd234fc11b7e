//! The ImageRef operator: workload images of AI clouds as declared, validated Kubernetes objects.
//!
//! The way of one `ImageRef`: [`controller`] watches it and observes what the platform says
//! (through [`cloud`]), [`plan`] decides what the status becomes, [`controller`] writes it.
//! [`api`] holds the kinds, [`facts`] turns the platforms' words into typed facts, [`admission`]
//! judges what pods do with them, [`cli`] is the way in for people and pipelines.

pub mod admission;
pub mod api;
pub mod cli;
pub mod cloud;
pub mod controller;
pub mod facts;
pub mod lock;
pub mod plan;
pub mod registry;
pub mod telemetry;
pub mod webhook;
