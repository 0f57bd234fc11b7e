//! The program that libFuzzer drives: one target, named by `FUZZ_TARGET`.
//!
//! Owns nothing but the choice. Must not know what a target does. The invariant that would break
//! first: a name that is none ends the program, so that nobody fuzzes nothing.
#![no_main]

use fuzz::{Target, target};
use std::sync::LazyLock;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    target(&name).unwrap_or_else(|| {
        eprintln!("FUZZ_TARGET={name}: there is no such target");
        std::process::exit(2)
    })
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| (TARGET.run)(data));
