//! Traces over OTLP: what one look is made of, and that no secret is in them.
//!
//! Only with the feature `otlp`: `make test-otlp`. The collector here takes what the operator sends as a
//! real one does, and reads the protocol's own messages.

use super::canaries::Canaries;
use super::operator::{self, Scene};
use super::process::own_scene;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use fakecloud::defaults::{self, ASCEND_NOTEBOOK_ID};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(60);

/// A collector.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Received>>);

#[derive(Default)]
struct Received {
    requests: Vec<ExportTraceServiceRequest>,
    headers: Vec<String>,
}

impl Collector {
    /// Serves; returns its endpoint.
    fn start(&self) -> String {
        let app = axum::Router::new()
            .route("/v1/traces", post(take))
            .with_state(self.clone());
        operator::runtime().block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(async move { axum::serve(listener, app).await });
            format!("http://{address}")
        })
    }

    fn spans(&self) -> Vec<Span> {
        let received = self.0.lock().unwrap();
        let of = |request: &ExportTraceServiceRequest| {
            let scopes = request.resource_spans.iter().flat_map(|r| &r.scope_spans);
            scopes.flat_map(|s| s.spans.clone()).collect::<Vec<_>>()
        };
        received.requests.iter().flat_map(of).collect()
    }

    /// Waits for the spans of the trace in which this span of this object's reconcile is.
    fn trace(&self, object: &str, name: &str, scene: &Scene) -> Vec<Span> {
        let deadline = Instant::now() + SOON;
        loop {
            let spans = self.spans();
            let roots = spans
                .iter()
                .filter(|span| text(span, "object").as_deref() == Some(object));
            for root in roots {
                let of = spans.iter().filter(|span| span.trace_id == root.trace_id);
                let trace: Vec<_> = of.cloned().collect();
                if trace.iter().any(|span| span.name == name) {
                    return trace;
                }
            }
            assert!(
                Instant::now() < deadline,
                "no {name} of {object} among {:?}\noperator:\n{}",
                spans.iter().map(|span| &span.name).collect::<Vec<_>>(),
                scene.operator_log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> Vec<u8> {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut received = collector.0.lock().unwrap();
    received.requests.push(request);
    received.headers.push(format!("{headers:?}"));
    Vec::new()
}

/// An attribute that is text.
fn text(span: &Span, key: &str) -> Option<String> {
    let attribute = span.attributes.iter().find(|a| a.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

fn number(span: &Span, key: &str) -> Option<i64> {
    let attribute = span.attributes.iter().find(|a| a.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::IntValue(number) => Some(*number),
        _ => None,
    }
}

#[track_caller]
fn named<'a>(trace: &'a [Span], name: &str) -> &'a Span {
    let found = trace.iter().find(|span| span.name == name);
    found.unwrap_or_else(|| panic!("no {name} among {trace:#?}"))
}

#[test]
fn one_look_is_a_trace_from_the_reconcile_to_the_write_without_any_secret() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    let collector = Collector::default();
    let endpoint = collector.start();
    let args = [
        "--insecure-loopback",
        "--allow-endpoint",
        &scene.cloud.url(),
    ];
    let env = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT".into(), endpoint),
        ("OTEL_BSP_SCHEDULE_DELAY".into(), "200".into()),
        // Registries are asked, and there is none: the attempt is a span as well.
        (operator::NO_REGISTRIES.into(), "false".into()),
        ("HTTPS_PROXY".into(), "http://127.0.0.1:9".into()),
    ];
    scene.operator = Some(operator::start_with(
        scene.cluster,
        "operator",
        args.map(str::to_owned).to_vec(),
        env,
    ));
    scene.modelarts("default");
    scene.pai("pai");
    scene.image_ref(
        "one",
        &format!("source: {{notebook: {{id: {ASCEND_NOTEBOOK_ID}}}}}"),
    );
    let provider = "digestPolicy: Never, providerRef: {kind: ImageProvider, name: pai}";
    let source = format!("source: {{pai: {{id: {}}}}}", defaults::SEED_PAI_ID);
    scene.image_ref("two", &format!("{provider}, {source}"));
    scene.wait_reason("one", "Resolved");
    scene.wait_reason("two", "Resolved");

    let trace = collector.trace("team/one", "write status", &scene);
    let reconcile = named(&trace, "reconcile");
    let look = named(&trace, "look");
    let request = named(&trace, "cloud request");
    let registry = named(&trace, "registry");
    let write = named(&trace, "write status");
    assert!(
        reconcile.parent_span_id.is_empty(),
        "a library's span leads"
    );
    for (child, parent) in [
        (look, reconcile),
        (request, look),
        (registry, look),
        (named(&trace, "registry request"), registry),
        (write, reconcile),
    ] {
        assert_eq!(
            child.parent_span_id, parent.span_id,
            "{} in {}",
            child.name, parent.name
        );
        assert!(child.start_time_unix_nano >= parent.start_time_unix_nano);
    }
    let provider = Some("ImageProvider team/default".to_owned());
    assert_eq!(text(look, "provider"), provider);
    assert_eq!(number(request, "http.response.status_code"), Some(200));
    assert!(text(request, "request_id").is_some_and(|id| id.len() >= 16));
    collector.trace("team/two", "write status", &scene);

    // Everything that was sent, headers too, as a collector would write it down.
    let mut canaries = Canaries::default();
    for secret in [
        defaults::HUAWEI_SK,
        defaults::ALIBABA_SECRET,
        defaults::HUAWEI_AK,
        defaults::ALIBABA_AK,
    ] {
        canaries.plant(secret);
    }
    let received = collector.0.lock().unwrap();
    let all = format!("{:?} {:?}", received.requests, received.headers);
    assert!(all.contains("cloud request"), "{all}");
    canaries.check(&all);
    for word in [
        "Signature=",
        "Bearer ",
        "SDK-HMAC",
        "ACS3-HMAC",
        "authorization",
    ] {
        assert!(!all.contains(word), "{word} in {all}");
    }
}

#[test]
fn a_collector_that_is_not_there_costs_a_line_and_nothing_else() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    let args = [
        "--insecure-loopback",
        "--allow-endpoint",
        &scene.cloud.url(),
    ];
    let env = vec![
        // Reserved for discarding; nobody listens.
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT".into(),
            "http://127.0.0.1:9".into(),
        ),
        ("OTEL_BSP_SCHEDULE_DELAY".into(), "200".into()),
    ];
    scene.operator = Some(operator::start_with(
        scene.cluster,
        "operator",
        args.map(str::to_owned).to_vec(),
        env,
    ));
    scene.modelarts("default");
    scene.image_ref(
        "one",
        &format!("source: {{notebook: {{id: {ASCEND_NOTEBOOK_ID}}}}}"),
    );
    scene.wait_reason("one", "Resolved");
    let deadline = Instant::now() + SOON;
    while !scene.operator_log().contains("BatchSpanProcessor") {
        assert!(Instant::now() < deadline, "{}", scene.operator_log());
        std::thread::sleep(Duration::from_millis(50));
    }
}
