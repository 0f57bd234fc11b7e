//! What the process says about itself.
//!
//! Owns the form of the logs, the metrics, the traces and the verdicts on its health. Must not know what
//! is logged or measured, nor any room above. The invariant that would break first: logs go to standard
//! error, so that standard output stays fit for a pipe.

pub mod health;
pub mod metrics;
pub mod server;
#[cfg(feature = "otlp")]
mod traces;

pub use health::Health;
pub use metrics::Metrics;

use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

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
    #[cfg(feature = "otlp")]
    #[command(flatten)]
    traces: traces::TraceArguments,
}

/// Sends what is left of the traces when it is dropped, which must not be within a runtime.
#[must_use]
#[derive(Debug, Default)]
pub struct Telemetry {
    #[cfg(feature = "otlp")]
    _traces: Option<traces::Traces>,
}

/// Sets logs and traces up; a second call does nothing.
pub fn init(arguments: &LogArguments) -> Telemetry {
    let log = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // Each line names its object itself; the spans would only say it again.
    let log = match arguments.log_format {
        LogFormat::Text => log.boxed(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(log.with_filter(filter(&arguments.log)));
    // A second subscriber is refused; the first one goes on.
    #[cfg(not(feature = "otlp"))]
    {
        let _ = subscriber.try_init();
        Telemetry::default()
    }
    #[cfg(feature = "otlp")]
    {
        let traces = traces::start(&arguments.traces);
        let layer = traces.as_ref().map(traces::Traces::layer);
        let _ = subscriber.with(layer).try_init();
        Telemetry { _traces: traces }
    }
}

/// The loop of reconciles puts what woke an object up before each line, which names its object already.
/// Whoever asks for the library's own words gets it.
const UNASKED: &str = "kube_runtime::controller=warn";

/// The client of the API server logs the whole of an answer that it cannot read, as a warning, and a
/// Secret is such an answer. What it has to say comes back as an error as well.
const SILENCED: &str = "kube_client::client=error";

fn filter(text: &str) -> EnvFilter {
    let filter = EnvFilter::try_new(text).unwrap_or_else(|error| {
        eprintln!("warning: --log {text:?}: {error}; logging at info");
        EnvFilter::new("info")
    });
    let unasked = (!text.contains("kube")).then_some(UNASKED);
    let directives = unasked.into_iter().chain([SILENCED]);
    directives
        .filter_map(|directive| directive.parse().ok())
        .fold(filter, EnvFilter::add_directive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_the_api_server_are_logged_at_no_level() {
        for text in [
            "info",
            "trace",
            "kube_client::client=trace",
            "no=such=filter",
        ] {
            let filter = filter(text).to_string();
            let directives: Vec<_> = filter.split(',').collect();
            assert!(directives.contains(&SILENCED), "{filter}");
        }
    }
}
