//! Faults of the registry.
//!
//! Owns how each begins and ends. Must not know the platforms, nor what must hold meanwhile. The invariant that
//! would break first: when a fault is back, nothing is broken any more.

use crate::fault::Fault;

pub(crate) const FAULTS: &[Fault] = &[];
