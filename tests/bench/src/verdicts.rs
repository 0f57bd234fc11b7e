//! How long verdicts of admission take, in one thread of this process.
//!
//! Owns the pods, the references and the pace. Must not know how a verdict is reached. The
//! invariant that would break first: a request counts from when it was due, so that one that is
//! slow shows in those behind it too.

use crate::report::{self, Row};
use anyhow::{Context as _, Result, ensure};
use imageref::admission::{Configuration, Context, Decision, Known, KnownRef, extract, verdict};
use imageref::api::ProviderKind;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

const REFS: u32 = 10_000;
const CONTAINERS: usize = 10;
const NAMESPACE: &str = "team-1";

/// Requests that are paced, and how many a second.
const REQUESTS: u32 = 10_000;
const PER_SECOND: u32 = 1_000;

/// Verdicts that follow one another without a pause.
const WITHOUT_PAUSE: u32 = 20_000;

/// One pod against one stock of references.
struct Case {
    name: &'static str,
    known: Known,
    /// The pod as a request brings it.
    body: Vec<u8>,
    expected: Decision,
}

/// What was measured of a case.
#[derive(Serialize)]
struct Measured {
    scenario: &'static str,
    case: &'static str,
    refs: u32,
    /// How long the paced requests took.
    seconds: f64,
    containers: usize,
    requests_per_second: u32,
    /// From when a request was due until its verdict, its JSON read meanwhile.
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// Without a pause, the pod's JSON read before.
    verdicts_per_second: f64,
    /// The same with the JSON read for each.
    requests_per_second_without_pause: f64,
    /// Every paced request, in their order.
    #[serde(skip)]
    latencies_ns: Vec<u64>,
}

/// Measures every case and prints a table.
pub(crate) fn run(out: &Path) -> Result<()> {
    let machine = report::machine();
    let rows = measure_all(out, REFS)?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{machine}\n\n{}", table(&rows))?;
    Ok(())
}

/// Measures every case; each number of the row is that of the worst.
pub(crate) fn measured(out: &Path, refs: u32) -> Result<Row> {
    let rows = measure_all(out, refs)?;
    let worst = |of: fn(&Measured) -> f64| rows.iter().map(of).reduce(f64::max);
    let slowest = rows.iter().map(|row| row.verdicts_per_second);
    Ok(Row {
        scenario: "admission_in_process".into(),
        refs,
        seconds: worst(|row| row.seconds),
        p50_ms: worst(|row| row.p50_ms),
        p99_ms: worst(|row| row.p99_ms),
        verdicts_per_second: slowest.reduce(f64::min),
        ..Row::default()
    })
}

/// Writes `verdict.json`, and every latency beside it.
fn measure_all(out: &Path, refs: u32) -> Result<Vec<Measured>> {
    let machine = report::machine();
    let configuration = Configuration::default();
    let cases = cases(&configuration, refs)?;
    let rows: Result<Vec<_>> = cases
        .iter()
        .map(|case| measure(case, refs, &configuration))
        .collect();
    let rows = rows?;
    let all = json!({"machine": machine, "rows": rows});
    report::write_json(&out.join("verdict.json"), &all)?;
    let latencies: BTreeMap<_, _> = rows
        .iter()
        .map(|row| (row.case, &row.latencies_ns))
        .collect();
    report::write_json(&out.join("verdict-latencies-ns.json"), &latencies)?;
    Ok(rows)
}

fn measure(case: &Case, refs: u32, configuration: &Configuration) -> Result<Measured> {
    let labels = BTreeMap::from([("imageref.dev/admission".to_owned(), "enforce".to_owned())]);
    let context = Context::of_namespace(NAMESPACE, &labels);
    let judge = |pod: &Value| -> Result<()> {
        let object = extract(pod, configuration).context("a pod is a workload")?;
        let found = verdict(&object, None, &context, &case.known, configuration);
        ensure!(
            found.decision == case.expected,
            "{}: {}",
            case.name,
            found.message(3)
        );
        Ok(())
    };
    let answer = || judge(&serde_json::from_slice(&case.body)?);
    let begun = Instant::now();
    let latencies = paced(REQUESTS, Duration::from_secs(1) / PER_SECOND, answer)?;
    let seconds = begun.elapsed().as_secs_f64();
    let pod: Value = serde_json::from_slice(&case.body)?;
    let verdicts_per_second = without_pause(WITHOUT_PAUSE, || judge(&pod))?;
    let requests_per_second_without_pause = without_pause(WITHOUT_PAUSE, answer)?;
    let mut sorted = latencies.clone();
    sorted.sort_unstable();
    let at = |percent| milliseconds(percentile(&sorted, percent));
    Ok(Measured {
        scenario: "admission_in_process",
        case: case.name,
        refs,
        seconds,
        containers: CONTAINERS,
        requests_per_second: PER_SECOND,
        p50_ms: at(50),
        p99_ms: at(99),
        max_ms: at(100),
        verdicts_per_second,
        requests_per_second_without_pause,
        latencies_ns: latencies.iter().map(|took| nanoseconds(*took)).collect(),
    })
}

/// Does the work `count` times, one each `interval`. The core is kept busy between two: a thread that
/// sleeps wakes up late, which would be measured too.
fn paced(
    count: u32,
    interval: Duration,
    mut work: impl FnMut() -> Result<()>,
) -> Result<Vec<Duration>> {
    let start = Instant::now();
    let one = |n: u32| {
        let due = start + interval * n;
        while Instant::now() < due {
            std::hint::spin_loop();
        }
        work()?;
        Ok(due.elapsed())
    };
    (0..count).map(one).collect()
}

fn without_pause(count: u32, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..count {
        work()?;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

/// The smallest value that `percent` of all do not exceed.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Every image allowed, none declared, and each with another tag of a repository in which all
/// references are.
fn cases(configuration: &Configuration, refs: u32) -> Result<[Case; 3]> {
    let (mut spread, mut crowded) = (
        Known::new(configuration.mirrors()),
        Known::new(configuration.mirrors()),
    );
    for n in 0..usize::try_from(refs)? {
        spread.insert(reference(&format!("team-{}", n % 20), n, spread_image(n)));
        crowded.insert(reference(NAMESPACE, n, crowded_image(&format!("v{n}"))));
    }
    Ok([
        Case {
            name: "allowed",
            known: spread.clone(),
            // One of twenty references is in the pod's namespace.
            body: pod(NAMESPACE, |n| spread_image(n * 20 + 1))?,
            expected: Decision::Allow,
        },
        Case {
            name: "unknown",
            known: spread,
            body: pod(NAMESPACE, |n| format!("busybox:{n}"))?,
            expected: Decision::Deny,
        },
        Case {
            name: "other tag, crowded",
            known: crowded,
            body: pod(NAMESPACE, |n| crowded_image(&format!("x{n}")))?,
            expected: Decision::Deny,
        },
    ])
}

fn reference(namespace: &str, n: usize, image: String) -> KnownRef {
    KnownRef {
        namespace: namespace.into(),
        name: format!("ref-{n}"),
        provider: Some(ProviderKind::Cluster),
        image: Some(image),
        arch: Some("arm64".into()),
        accelerators: vec!["ASCEND".into()],
        ..KnownRef::default()
    }
}

fn spread_image(n: usize) -> String {
    let (image, tag) = (n % 500, n % 7);
    format!("swr.cn-north-4.myhuaweicloud.com/ai/image-{image}:v{tag}")
}

fn crowded_image(tag: &str) -> String {
    format!("swr.cn-north-4.myhuaweicloud.com/ai/one:{tag}")
}

/// A pod of many containers for nodes with Ascend devices.
pub(crate) fn pod(namespace: &str, image: impl Fn(usize) -> String) -> Result<Vec<u8>> {
    let containers = (0..CONTAINERS).map(|n| {
        json!({"name": format!("c{n}"), "image": image(n),
            "command": ["python", "train.py"], "env": [{"name": "RANK", "value": n.to_string()}],
            "resources": {"limits": {"huawei.com/Ascend910": 8, "cpu": "4", "memory": "64Gi"}},
            "volumeMounts": [{"name": "data", "mountPath": "/data"}]})
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "train", "namespace": namespace, "labels": {"app": "train"}},
        "spec": {
            "containers": containers.collect::<Vec<_>>(),
            "nodeSelector": {"kubernetes.io/arch": "arm64"},
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        },
    });
    serde_json::to_vec(&pod).context("writing a pod")
}

fn table(rows: &[Measured]) -> String {
    let mut text = format!(
        "{} references, pods of {CONTAINERS} containers, {PER_SECOND} requests a second in one thread\n\n",
        rows.first().map_or(0, |row| row.refs)
    );
    text += "| case               | p50_ms | p99_ms | max_ms | verdicts_per_second | with JSON read |\n";
    text += "| ------------------ | -----: | -----: | -----: | ------------------: | -------------: |\n";
    for row in rows {
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "| {:<18} | {:>6.3} | {:>6.3} | {:>6.3} | {:>19.0} | {:>14.0} |",
            row.case,
            row.p50_ms,
            row.p99_ms,
            row.max_ms,
            row.verdicts_per_second,
            row.requests_per_second_without_pause
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_its_references_and_its_decision() {
        let configuration = Configuration::default();
        let labels = BTreeMap::from([("imageref.dev/admission".to_owned(), "enforce".to_owned())]);
        let context = Context::of_namespace(NAMESPACE, &labels);
        for case in cases(&configuration, 400).unwrap() {
            assert_eq!(case.known.len(), 400, "{}", case.name);
            let pod: Value = serde_json::from_slice(&case.body).unwrap();
            let object = extract(&pod, &configuration).unwrap();
            let found = verdict(&object, None, &context, &case.known, &configuration);
            assert_eq!(found.decision, case.expected, "{}", found.message(3));
            let findings = match case.expected {
                Decision::Allow => 0,
                _ => CONTAINERS,
            };
            assert_eq!(found.findings.len(), findings, "{}", case.name);
        }
    }

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let sorted: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        for (percent, expected) in [(50, 100), (99, 198), (100, 200)] {
            let expected = Duration::from_millis(expected);
            assert_eq!(percentile(&sorted, percent), expected);
        }
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }

    #[test]
    fn a_request_that_is_late_counts_from_when_it_was_due() {
        let interval = Duration::from_micros(100);
        let mut first = true;
        let work = || {
            let until = Instant::now() + interval * if std::mem::take(&mut first) { 10 } else { 0 };
            while Instant::now() < until {}
            Ok(())
        };
        let latencies = paced(3, interval, work).unwrap();
        for (late, expected) in latencies.iter().zip([10, 9, 8]) {
            assert!(*late >= interval * expected, "{latencies:?}");
        }
    }
}
