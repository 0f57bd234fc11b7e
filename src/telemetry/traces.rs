//! Traces of the operator's own spans, over OTLP.
//!
//! Owns where they are sent and what is left out of them. Must not know what is traced. The invariant
//! that would break first: only spans of this program leave it, never those of libraries, which have
//! whole addresses in them.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, Tracer};
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::filter::{Filtered, Targets};
use tracing_subscriber::layer::Layer as _;
use tracing_subscriber::registry::LookupSpan;

/// The variable of the specification that is about traces alone; it wins.
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

/// Arguments about traces, for every subcommand.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct TraceArguments {
    /// Where traces are sent: the origin of a collector that takes OTLP over HTTP; nowhere if left
    /// out
    #[arg(
        long,
        global = true,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL",
        hide_env_values = true
    )]
    otlp_endpoint: Option<String>,
}

/// What sends them, until it is dropped.
#[derive(Debug)]
pub(super) struct Traces(SdkTracerProvider);

/// `None` if there is nowhere to send them to, or, with a line on standard error, no way.
pub(super) fn start(arguments: &TraceArguments) -> Option<Traces> {
    let endpoint = arguments.otlp_endpoint.as_deref();
    let endpoint = endpoint.filter(|endpoint| !endpoint.is_empty());
    let named = std::env::var(TRACES_ENDPOINT).is_ok_and(|endpoint| !endpoint.is_empty());
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary);
    let exporter = match endpoint {
        _ if named => exporter,
        Some(endpoint) => {
            exporter.with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        }
        None => return None,
    };
    let exporter = match exporter.build() {
        Ok(exporter) => exporter,
        Err(error) => {
            eprintln!("warning: no traces are sent: {error}");
            return None;
        }
    };
    let mut resource = Resource::builder();
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name("imageref");
    }
    let provider = SdkTracerProvider::builder()
        .with_resource(resource.build())
        .with_batch_exporter(exporter)
        .build();
    Some(Traces(provider))
}

impl Traces {
    /// What turns spans into traces.
    pub(super) fn layer<S>(&self) -> Filtered<OpenTelemetryLayer<S, Tracer>, Targets, S>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    {
        let own = Targets::new().with_target(env!("CARGO_CRATE_NAME"), LevelFilter::DEBUG);
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(env!("CARGO_PKG_NAME")))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(own)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        // There is nobody left to be told.
        let _ = self.0.shutdown();
    }
}
