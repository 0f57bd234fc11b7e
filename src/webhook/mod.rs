//! The webhook: verdicts of admission for an API server, answered from memory.
//!
//! Owns what serves them: the state ([`state`]), the watches that keep it fresh ([`watch`]), the
//! HTTPS server ([`server`]) and its certificate ([`certificates`]). Must not know how a verdict is
//! reached ([`crate::admission`]). The invariant that would break first: no request waits for a call
//! of the API server, a platform or a registry.

pub mod certificates;
pub mod server;
pub mod state;
pub mod watch;

pub use state::{State, Watched};
