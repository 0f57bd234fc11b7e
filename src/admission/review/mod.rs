//! Reviews of admission: an API server's question, and the answer in its form.
//!
//! Owns what of a review is read ([`request`]), what surrounds the verdict on it ([`judge`]), and
//! how the outcome is told ([`answer`]). Must not know how a review arrives, nor the time. The
//! invariant that would break first: whatever the bytes are, there is an answer, and it carries
//! the review's uid wherever the review has one.

mod answer;
mod judge;
mod request;

pub use answer::{judged, malformed};
pub use judge::{Applied, Outcome, Surroundings, judge};
pub use request::{Malformed, Request};

use super::verdict::Mode;

/// What a path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A verdict, in the mode that the API server chose by the namespace's label.
    Validate(Mode),
    /// Images in place of names of `ImageRef`s; the API server read the label that opts in.
    Mutate,
}

impl Endpoint {
    /// All endpoints, each with its path.
    pub const ALL: [(&str, Self); 4] = [
        ("/validate/enforce", Self::Validate(Mode::Enforce)),
        ("/validate/warn", Self::Validate(Mode::Warn)),
        ("/validate/audit", Self::Validate(Mode::Audit)),
        ("/mutate", Self::Mutate),
    ];

    /// Reads a path; `None` if nothing is served there.
    pub fn from_path(path: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == path);
        found.map(|(_, endpoint)| *endpoint)
    }
}
