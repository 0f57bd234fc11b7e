//! The verdict of admission: every rule with the words that a person reads.

mod change;
mod configuration;
mod images;
mod known;
mod nodes;
mod properties;
mod rules;
mod standings;
mod trust;
mod workloads;
pub(crate) mod world;
