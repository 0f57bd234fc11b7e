//! Facts: what becomes of the platforms' answers.
//!
//! Owns the home table of every documented field and the properties of reading. Must not reach a
//! network or a cluster. The invariant that would break first: the facts of a get and of a list
//! agree.

// Marked as tests, so that the lints treat their helpers like test functions.
#[cfg(test)]
mod answers;
#[cfg(test)]
mod caps;
#[cfg(test)]
mod content;
#[cfg(test)]
mod coverage;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod home;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod properties;
