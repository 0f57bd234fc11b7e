//! What the documentation tells people to write and to type, tried.
//!
//! Owns which reader judges a fenced block, and that none is passed over: an object goes to the API
//! server, a kustomization to kustomize, a configuration of admission and a command to our own parsers.
//! Must not know what any page says. The invariant that would break first: a block that nobody reads is
//! one that its author declared a [`Purpose::Fragment`], and even that is YAML.

pub(crate) mod blocks;
mod commands;
mod foreign;
mod objects;
mod quick_start;
mod shell;
mod sorted;

pub(crate) use sorted::Purpose;
