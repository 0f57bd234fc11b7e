//! The planner: every row of the table of situations in `docs/kinds/imageref.md`, and more.

mod answers;
pub(crate) mod case;
mod contents;
mod drift;
mod failures;
mod outlook;
mod registry_failures;
mod registry_verdicts;
mod rejudged;
mod rules;
mod targets;
mod times;
mod verdicts;
mod words;
