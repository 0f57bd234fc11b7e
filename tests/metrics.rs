//! What the operator says of itself, on a real API server: its counts are what others saw.

#![expect(clippy::float_cmp, reason = "counts are whole numbers")]

use super::operator::{Scene, condition};
use super::process::own_scene;
use fakecloud::defaults::{
    ASCEND_NOTEBOOK_ID, MODELBOX_NOTEBOOK_ID, SEED_LITE_SERVER_ID, SEED_NOTEBOOK_ID,
    TWO_TAGS_FIRST_NOTEBOOK_ID, TWO_TAGS_SECOND_NOTEBOOK_ID,
};
use fakecloud::{Fault, FaultKind, ImageApi, Operation};
use imageref::telemetry::Metrics;
use imageref::telemetry::metrics::Description;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(120);

/// More images than the pages of a list that was never read are taken to be.
pub(crate) const NOTEBOOKS: [&str; 5] = [
    ASCEND_NOTEBOOK_ID,
    SEED_NOTEBOOK_ID,
    MODELBOX_NOTEBOOK_ID,
    TWO_TAGS_FIRST_NOTEBOOK_ID,
    TWO_TAGS_SECOND_NOTEBOOK_ID,
];

/// Where the scene's operator serves its metrics, as its log says.
pub(crate) fn address(scene: &Scene) -> String {
    let deadline = Instant::now() + SOON;
    loop {
        let log = scene.operator_log();
        let line = log
            .lines()
            .find(|line| line.contains("metrics and health are served"));
        if let Some((_, rest)) = line.and_then(|line| line.split_once("127.0.0.1:")) {
            let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
            return format!("127.0.0.1:{port}");
        }
        assert!(Instant::now() < deadline, "{log}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Status and body.
pub(crate) fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// The sum of the samples of a name that have these labels.
pub(crate) fn sum(text: &str, name: &str, labels: &[&str]) -> f64 {
    let of = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        rest.starts_with(['{', ' ']).then_some(rest)
    });
    let wanted = of.filter(|rest| labels.iter().all(|label| rest.contains(label)));
    wanted
        .map(|rest| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

struct Operator {
    address: String,
}

impl Operator {
    fn text(&self) -> String {
        let (status, text) = get(&self.address, "/metrics");
        assert_eq!(status, 200);
        text
    }

    fn wait(&self, scene: &Scene, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + SOON;
        loop {
            let text = self.text();
            if wanted(&text) {
                return text;
            }
            assert!(
                Instant::now() < deadline,
                "{what}: {text}\noperator:\n{}",
                scene.operator_log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A reference to each image, all there before the operator is.
fn refs(scene: &Scene) {
    let mut documents: Vec<String> = NOTEBOOKS
        .iter()
        .enumerate()
        .map(|(n, id)| (format!("r{n}"), format!("notebook: {{id: {id}}}")))
        .chain([("server".into(), format!("liteServer: {{id: {SEED_LITE_SERVER_ID}}}"))])
        .map(|(name, source)| {
            format!(
                "{{apiVersion: imageref.dev/v1alpha1, kind: ImageRef, metadata: {{name: {name}}}, spec: {{source: {{{source}}}}}}}"
            )
        })
        .collect();
    documents.push(String::new());
    scene.apply(&documents.join("\n---\n"));
}

/// The statuses of ImageRefs that the API server took.
fn taken(scene: &Scene) -> f64 {
    let text = scene
        .cluster
        .kubectl(&["get", "--raw", "/metrics"])
        .unwrap();
    let labels = [
        r#"resource="imagerefs""#,
        r#"subresource="status""#,
        r#"verb="PATCH""#,
        r#"code="200""#,
    ];
    sum(&text, "apiserver_request_total", &labels)
}

#[test]
fn the_operators_counts_are_what_the_api_server_and_the_platform_saw() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    scene.modelarts("default");
    refs(&scene);
    scene.start_operator();
    let operator = Operator {
        address: address(&scene),
    };
    for n in 0..NOTEBOOKS.len() {
        scene.wait_reason(&format!("r{n}"), "Resolved");
    }
    scene.wait_reason("server", "Resolved");
    assert_eq!(get(&operator.address, "/healthz").0, 200);
    assert_eq!(get(&operator.address, "/readyz").0, 200);

    // Writes: the last answer reaches the operator after the API server has counted it.
    let written = "imageref_status_writes_total";
    let labels = [r#"kind="ImageRef""#, r#"result="written""#];
    let text = operator.wait(&scene, "the writes", |text| {
        sum(text, written, &labels) == taken(&scene)
    });
    assert!(sum(&text, written, &labels) >= 6.0, "{text}");

    // The way of each look, and the calls that it took.
    let looks = |labels: &[&str]| sum(&text, "imageref_looks_total", labels);
    assert_eq!(
        looks(&[r#"api="notebook""#, r#"by="list""#, r#"result="ok""#]),
        5.0
    );
    let shared = [r#"by="list""#, r#"shared="true""#];
    assert_eq!(looks(&shared), 4.0, "one look read the list for all");
    assert_eq!(
        looks(&[r#"api="liteServer""#, r#"by="get""#, r#"result="ok""#]),
        1.0
    );
    let calls = |labels: &[&str]| sum(&text, "imageref_cloud_calls_total", labels);
    assert_eq!(calls(&[r#"call="list""#, r#"result="ok""#]), 1.0);
    assert_eq!(calls(&[r#"call="get""#, r#"result="ok""#]), 1.0);
    assert_eq!(sum(&text, "imageref_lists_total", &[r#"end="whole""#]), 1.0);
    for (name, operation) in [
        ("ListImage", Operation::ListImage),
        ("ShowImage", Operation::ShowImage),
    ] {
        let seen = scene.cloud.calls().of(operation);
        let label = format!("operation=\"{name}\"");
        let counted = sum(&text, "imageref_cloud_requests_total", &[&label]);
        assert_eq!(counted, f64::from(u32::try_from(seen).unwrap()), "{name}");
    }
    let requests = sum(&text, "imageref_cloud_requests_total", &[]);
    let platform = u32::try_from(scene.cloud.calls().total()).unwrap();
    assert_eq!(requests, f64::from(platform));
    let timed = sum(&text, "imageref_cloud_request_duration_seconds_count", &[]);
    assert_eq!(timed, requests);

    // Whatever is served is described.
    let metrics = Metrics::default();
    let described = metrics.descriptions();
    let names: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let (name, kind) = name.split_once(' ').unwrap();
        let known = |m: &Description| {
            m.kind == kind && m.name.strip_suffix("_total").unwrap_or(&m.name) == name
        };
        assert!(described.iter().any(known), "{name}");
    }
    assert!(sum(&text, "process_resident_memory_bytes", &[]) > 1e6);
    let reconciled = [r#"kind="ImageRef""#, r#"result="ok""#];
    assert!(sum(&text, "imageref_reconciles_total", &reconciled) >= 6.0);
    operator.wait(&scene, "an event for each", |text| {
        sum(text, "imageref_events_total", &[r#"result="published""#]) >= 7.0
    });

    // What there is: counted anew each few seconds.
    let resolved = [r#"ready="True""#, r#"reason="Resolved""#];
    operator.wait(&scene, "the references", |text| {
        sum(text, "imageref_refs", &resolved) == 6.0
    });
    for name in ["r0", "server", ASCEND_NOTEBOOK_ID, SEED_NOTEBOOK_ID] {
        assert!(!text.contains(&format!("\"{name}\"")), "{name} is a label");
    }
    let provider = scene.wait("imageprovider", "default", |o| {
        condition(o, "Listed")["status"] == "True"
    });
    assert_eq!(condition(&provider, "Listed")["reason"], "ListComplete");
}

#[test]
fn an_outage_shows_in_the_breaker_and_goes_when_the_platform_is_back() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    scene.modelarts("default");
    refs(&scene);
    scene.start_operator();
    let operator = Operator {
        address: address(&scene),
    };
    scene.wait_reason("server", "Resolved");
    let breaker = |text: &str, state: &str| {
        let state = format!("state=\"{state}\"");
        let labels = [
            r#"kind="ImageProvider""#,
            r#"namespace="team""#,
            r#"name="default""#,
            state.as_str(),
        ];
        sum(text, "imageref_provider_breaker_state", &labels)
    };
    operator.wait(&scene, "closed", |text| breaker(text, "Closed") == 1.0);
    scene
        .cloud
        .set_faults(vec![Fault::always(FaultKind::Internal500)]);
    let request = [
        "annotate",
        "imageref",
        "--all",
        "imageref.dev/reconcile-requested-at=a",
    ];
    scene.kubectl(&request);
    let text = operator.wait(&scene, "open", |text| breaker(text, "Open") == 1.0);
    assert_eq!(breaker(&text, "Closed"), 0.0);
    let failed = [r#"result="provider_error""#];
    assert!(
        sum(&text, "imageref_cloud_requests_total", &failed) >= 3.0,
        "{text}"
    );
    let stale = |text: &str| sum(text, "imageref_refs_stale", &[]);
    operator.wait(&scene, "stale", |text| stale(text) >= 1.0);
    assert_eq!(
        (
            get(&operator.address, "/healthz").0,
            get(&operator.address, "/readyz").0
        ),
        (200, 200),
        "an outage is no reason to restart"
    );
    scene.cloud.clear_faults();
    operator.wait(&scene, "closed again", |text| {
        breaker(text, "Closed") == 1.0
    });
    operator.wait(&scene, "fresh again", |text| stale(text) == 0.0);
}

#[test]
fn a_list_that_may_not_be_read_shows_on_its_provider_and_gets_stand_in_for_it() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    scene.modelarts("default");
    scene.pai("pai");
    refs(&scene);
    let denied = FaultKind::Status {
        status: 403,
        error_code: "ModelArts.0112".into(),
        error_message: "no right to list".into(),
        retry_after: None,
    };
    let fault = Fault::always(denied).on(Operation::ListImage);
    scene.cloud.set_faults(vec![fault]);
    scene.start_operator();
    let operator = Operator {
        address: address(&scene),
    };
    let provider = scene.wait("imageprovider", "default", |o| {
        condition(o, "Listed")["status"] == "False"
    });
    let listed = condition(&provider, "Listed");
    assert_eq!(listed["reason"], "ListDenied", "{listed}");
    let message = listed["message"].to_string();
    assert!(
        message.contains("notebook images of workspace 0"),
        "{message}"
    );
    assert_eq!(condition(&provider, "Ready")["status"], "True");
    for n in 0..NOTEBOOKS.len() {
        scene.wait_reason(&format!("r{n}"), "Resolved");
    }
    let text = operator.text();
    let by_get = [r#"api="notebook""#, r#"by="get""#, r#"result="ok""#];
    assert_eq!(sum(&text, "imageref_looks_total", &by_get), 5.0);
    let refused = [r#"call="list""#, r#"result="permission_denied""#];
    assert_eq!(sum(&text, "imageref_cloud_calls_total", &refused), 1.0);
    let other = scene.get("imageprovider", "pai");
    assert!(condition(&other, "Listed").is_null(), "it has read no list");
}

#[test]
fn a_list_with_more_than_is_read_of_one_shows_on_its_provider() {
    let Some(mut scene) = own_scene(true) else {
        return;
    };
    scene.modelarts("default");
    let fast = r#"{"spec":{"limits":{"requestsPerSecond":100,"burst":200}}}"#;
    scene.kubectl(&["patch", "imageprovider/default", "--type=merge", "-p", fast]);
    let image = scene
        .cloud
        .image(ImageApi::Notebook, ASCEND_NOTEBOOK_ID)
        .unwrap();
    for n in 0..60 {
        let mut image = image.clone();
        image["id"] = json!(format!("00000000-0000-4000-8000-{n:012}"));
        image["name"] = json!(format!("many-{n}"));
        scene.cloud.put_notebook_image(image);
    }
    scene
        .cloud
        .configure(|options| options.max_page_size = Some(1));
    refs(&scene);
    scene.start_operator();
    let operator = Operator {
        address: address(&scene),
    };
    let provider = scene.wait("imageprovider", "default", |o| {
        condition(o, "Listed")["status"] == "False"
    });
    let listed = condition(&provider, "Listed");
    assert_eq!(listed["reason"], "ListTooLong", "{listed}");
    let message = listed["message"].to_string();
    assert!(
        message.contains("50 pages") && message.contains(" images"),
        "{message}"
    );
    for n in 0..NOTEBOOKS.len() {
        scene.wait_reason(&format!("r{n}"), "Resolved");
    }
    let text = operator.text();
    assert_eq!(
        sum(&text, "imageref_lists_total", &[r#"end="cut_at_pages""#]),
        1.0
    );
}
