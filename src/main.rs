//! The `imageref` binary: arguments, telemetry, dispatch, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Two libraries bring TLS; naming the provider here keeps them from disagreeing at first use.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    imageref::cli::main(imageref::cli::arguments())
}
