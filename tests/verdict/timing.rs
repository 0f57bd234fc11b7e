//! How long verdicts take; prints, and asserts nothing about time.

use super::world::declared;
use imageref::admission::{Configuration, Context, Decision, Known, KnownRef, extract, verdict};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

fn image(n: usize) -> String {
    format!(
        "swr.cn-north-4.myhuaweicloud.com/ai/image-{}:v{}",
        n % 500,
        n % 7
    )
}

fn object(image: impl Fn(usize) -> String) -> Value {
    let containers: Vec<_> = (0..10)
        .map(|n| {
            json!({"name": format!("c{n}"), "image": image(n), "env": [{"name": "A", "value": "B"}],
                "resources": {"limits": {"huawei.com/Ascend910": 8, "cpu": "4"}}})
        })
        .collect();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {
        "containers": containers, "nodeSelector": {"kubernetes.io/arch": "arm64"}}})
}

fn measure(
    what: &str,
    known: &Known,
    configuration: &Configuration,
    pod: &Value,
    expected: Decision,
) {
    let labels = BTreeMap::from([("imageref.dev/admission".to_owned(), "enforce".to_owned())]);
    let context = Context::of_namespace("team-1", &labels);
    let mut times: Vec<Duration> = (0..2_000)
        .map(|_| {
            let start = Instant::now();
            let object = extract(pod, configuration).unwrap();
            let found = verdict(&object, None, &context, known, configuration);
            let took = start.elapsed();
            assert_eq!(found.decision, expected);
            took
        })
        .collect();
    times.sort_unstable();
    let total: Duration = times.iter().sum();
    eprintln!(
        "{what}: p50 {:?}, p99 {:?}, {:.0} verdicts/s",
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        f64::from(u32::try_from(times.len()).unwrap()) / total.as_secs_f64()
    );
}

#[test]
#[ignore = "measures; needs optimised code to mean anything"]
fn ten_containers_against_ten_thousand_references() {
    let configuration = Configuration::default();
    let mut known = Known::new(configuration.mirrors());
    let start = Instant::now();
    for n in 0..10_000 {
        known.insert(KnownRef {
            arch: Some("arm64".into()),
            accelerators: vec!["ASCEND".into()],
            ..declared(&format!("team-{}/ref-{n}", n % 20), &image(n))
        });
    }
    eprintln!("10,000 references indexed in {:?}", start.elapsed());
    assert_eq!(known.len(), 10_000);
    let declared_here = object(|n| image(n * 20 + 1));
    measure(
        "allowed",
        &known,
        &configuration,
        &declared_here,
        Decision::Allow,
    );
    let unknown = object(|n| format!("busybox:{n}"));
    measure("unknown", &known, &configuration, &unknown, Decision::Deny);

    let mut crowded = Known::new(configuration.mirrors());
    for n in 0..10_000 {
        let image = format!("swr.cn-north-4.myhuaweicloud.com/ai/one:v{n}");
        crowded.insert(declared(&format!("team-1/ref-{n}"), &image));
    }
    let other_tag = object(|n| format!("swr.cn-north-4.myhuaweicloud.com/ai/one:x{n}"));
    measure(
        "other tag of a crowded repository",
        &crowded,
        &configuration,
        &other_tag,
        Decision::Deny,
    );
}
