//! The text that is served.

#![expect(clippy::float_cmp, reason = "counts are whole numbers")]

use super::*;

fn lines<'a>(text: &'a str, begin: &str) -> Vec<&'a str> {
    text.lines()
        .filter(|line| line.starts_with(begin))
        .collect()
}

#[test]
fn a_request_is_counted_once_however_it_ends() {
    let metrics = Metrics::default();
    metrics.request("pai", "GetImage").ended(None);
    metrics.request("pai", "GetImage").ended(Some("throttled"));
    drop(metrics.request("pai", "GetImage"));
    let text = metrics.render();
    let counted = lines(&text, "imageref_cloud_requests_total{");
    assert_eq!(counted.len(), 3, "{text}");
    for result in ["ok", "throttled", "unreachable"] {
        assert_eq!(metrics.requests.get(["pai", "GetImage", result]), 1);
    }
    assert_eq!(
        lines(&text, "imageref_cloud_request_duration_seconds_count"),
        [r#"imageref_cloud_request_duration_seconds_count{api="pai",operation="GetImage"} 3"#]
    );
}

#[test]
fn a_count_is_told_again_for_a_while_and_takes_the_place_of_the_last_one() {
    let metrics = Metrics::default();
    let rounds = std::sync::Arc::new(Mutex::new(0));
    let counting = rounds.clone();
    metrics.count_with(move || {
        let mut round = counting.lock().unwrap();
        *round += 1;
        let reason = if *round == 1 {
            "Resolved"
        } else {
            "InvalidSpec"
        };
        Some(Stock {
            refs: BTreeMap::from([(("True", reason), 7)]),
            ..Stock::default()
        })
    });
    for _ in 0..3 {
        let text = metrics.render();
        let shown = lines(&text, "imageref_refs{");
        assert_eq!(
            shown,
            [r#"imageref_refs{ready="True",reason="Resolved"} 7.0"#]
        );
    }
    assert_eq!(*rounds.lock().unwrap(), 1);
    *metrics.stock.counted.lock().unwrap() = Instant::now().checked_sub(COUNTED_FOR);
    let text = metrics.render();
    let shown = lines(&text, "imageref_refs{");
    assert_eq!(
        shown,
        [r#"imageref_refs{ready="True",reason="InvalidSpec"} 7.0"#]
    );
}

#[test]
fn the_providers_in_trouble_have_series_of_their_own_and_the_many_are_counted_together() {
    let provider = |n: usize| ["ImageProvider", "team", &format!("p{n:04}")].map(str::to_owned);
    let state = |n: usize| {
        if n.is_multiple_of(20) {
            "Open"
        } else {
            "Closed"
        }
    };
    let series = breakers((0..1000).map(|n| (provider(n), state(n))).collect());
    assert_eq!(series.len(), (MOST_PROVIDERS + 1) * 3);
    let sum = |wanted: &str| -> f64 {
        let of = series.iter().filter(|(labels, _)| labels[3] == wanted);
        of.map(|(_, value)| value).sum()
    };
    assert_eq!(
        (sum("Open"), sum("Closed"), sum("HalfOpen")),
        (50.0, 950.0, 0.0)
    );
    let named = |n: usize| series.iter().any(|(labels, _)| labels[2] == provider(n)[2]);
    assert!((0..1000).step_by(20).all(named), "all that are open");
    let others = series.iter().filter(|(labels, _)| labels[2] == OTHERS);
    assert_eq!(others.map(|(_, value)| value).sum::<f64>(), 900.0);
    assert!(breakers(Vec::new()).is_empty());
}

#[test]
fn a_name_cannot_break_the_text() {
    let metrics = Metrics::default();
    metrics.count_with(|| {
        let odd = ["ImageProvider", "a\"} 1\n", "b\\"].map(str::to_owned);
        Some(Stock {
            breakers: vec![(odd, "Open")],
            ..Stock::default()
        })
    });
    let text = metrics.render();
    let series = lines(&text, "imageref_provider_breaker_state{");
    assert_eq!(series.len(), 3, "{text}");
    assert!(series[0].contains(r#"namespace="a\"} 1\n""#), "{text}");
}

#[tokio::test]
async fn a_reconcile_is_under_way_until_it_ends() {
    let (metrics, health) = (Metrics::default(), Health::default());
    let ok = metrics.reconcile(&health, "ImageRef", async { Ok::<_, ()>(1) });
    assert_eq!(ok.await, Ok(1));
    let error = metrics.reconcile(&health, "ImageRef", async { Err::<(), _>("no") });
    assert_eq!(error.await, Err("no"));
    let counted = ["ok", "error"].map(|result| metrics.reconciles.get(["ImageRef", result]));
    assert_eq!(counted, [1, 1]);
}

#[test]
fn what_the_process_is_and_uses_is_there() {
    let text = Metrics::default().render();
    for name in [
        "imageref_build_info{version=",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "process_open_fds ",
        "process_start_time_seconds ",
    ] {
        assert_eq!(lines(&text, name).len(), 1, "{name} in {text}");
    }
}
