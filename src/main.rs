//! The `imageref` binary: arguments, telemetry, dispatch, exit code.

use std::process::ExitCode;

/// musl's own has one lock for all threads.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Two libraries bring TLS; naming the provider here keeps them from disagreeing at first use.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    imageref::cli::main(imageref::cli::arguments())
}
