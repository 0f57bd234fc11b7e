//! The catalogue of a namespace: which images its pods may use, as one map of bounded size.
//!
//! Owns which references get in ([`Selection`]), under which texts ([`Candidate`]), what is left
//! out for want of room ([`gather`]), and when it is worth a write ([`due`]). Must not know how
//! references arrive or a status is written. The invariant that would break first: the same
//! references, the same previous content and the same room give the same content, whatever the
//! order in which the references came.

mod candidate;
mod due;
mod gather;

pub use candidate::{Candidate, Selection};
pub use due::{COALESCED, Due, due, pause_after, status};
pub use gather::{Gathered, MOST_NAMES, ROOM, gather, stored_size};
