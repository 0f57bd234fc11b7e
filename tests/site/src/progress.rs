//! What is being done, for the person who waits.
//!
//! Owns standard error. Must not know what is measured. The invariant that would break first: on a
//! terminal a bar, elsewhere one line a step, never both.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A bar on a terminal, one line a step elsewhere.
pub struct Progress(ProgressBar);

impl Progress {
    /// Starts with nothing to do.
    pub fn new() -> Self {
        let bar = ProgressBar::new(0);
        let style = "{elapsed_precise} {spinner} {msg} {wide_bar} {human_pos}/{human_len}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// Begins a step of so many parts.
    pub fn step(&self, what: &str, parts: u32) {
        if self.0.is_hidden() {
            eprintln!("{what}");
        }
        self.0.set_message(what.to_owned());
        self.0.set_length(parts.into());
        self.0.set_position(0);
    }

    /// So many parts of the step are done.
    pub fn done(&self, parts: u32) {
        self.0.set_position(parts.into());
    }

    /// A line that stays.
    pub fn line(&self, text: &str) {
        if self.0.is_hidden() {
            eprintln!("{text}");
        } else {
            self.0.println(text);
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
