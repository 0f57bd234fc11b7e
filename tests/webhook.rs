//! The webhook: what it reads of reviews, what it answers, and what it takes over the network.

mod limits;
mod malformed;
mod protocols;
mod reviews;
pub(crate) mod served;
mod stopping;
mod waiting;
mod words;
