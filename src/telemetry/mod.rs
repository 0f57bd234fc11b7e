//! What the process says about itself.
//!
//! Owns the form of the logs. Must not know what is logged. The invariant that would break first:
//! logs go to standard error, so that standard output stays fit for a pipe.

use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// How to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Arguments about logs, for every subcommand.
#[derive(Clone, Debug, clap::Args)]
pub struct LogArguments {
    /// Form of the logs
    #[arg(
        long,
        global = true,
        env = "IMAGEREF_LOG_FORMAT",
        default_value = "text"
    )]
    log_format: LogFormat,
    /// What to log: error, warn, info, debug, trace, or a filter such as imageref=debug,kube=warn
    #[arg(long, global = true, env = "IMAGEREF_LOG", default_value = "info")]
    log: String,
}

/// Sets logging up; a second call does nothing.
pub fn init(arguments: &LogArguments) {
    let filter = EnvFilter::try_new(&arguments.log).unwrap_or_else(|error| {
        eprintln!(
            "warning: --log {:?}: {error}; logging at info",
            arguments.log
        );
        EnvFilter::new("info")
    });
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second subscriber is refused; the first one goes on.
    let _ = match arguments.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
