//! `make chaos`: breaks what the operator stands on, one fault after the other, and watches what it
//! says meanwhile.
//!
//! Owns the arguments and the order of faults. Must not know how a fault is made. The invariant that
//! would break first: a result is on disk before the next fault begins.

mod depot;
mod fault;
mod faults;
mod front;
mod gate;
mod history;
mod mix;
mod pauses;
mod preload;
mod record;
mod rules;
mod truth;
mod webhook;
mod world;

fn main() {}
