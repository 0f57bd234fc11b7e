//! Text for people and for pipes.
//!
//! Owns columns, and how a closed pipe is met. Must not know what is printed. The invariant that
//! would break first: no control character of a file or of a platform reaches a terminal.

use anyhow::{Context as _, Result};
use std::fmt::Write as _;
use std::io::{self, Write as _};

/// Rows as aligned columns, a line each.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Writing to a String does not fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A text without control characters: those of a platform's answer could write to the terminal.
pub(in crate::cli) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// To standard output. Returns whether somebody still reads.
pub(super) fn put(text: &str) -> Result<bool> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true).context("writing to standard output"),
    }
}

/// To standard error. If that is closed there is nobody to tell.
pub(super) fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
