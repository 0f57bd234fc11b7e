//! The text that is served.

#![expect(clippy::float_cmp, reason = "counts are whole numbers")]

use super::*;
use std::collections::BTreeMap;

fn lines<'a>(text: &'a str, begin: &str) -> Vec<&'a str> {
    text.lines()
        .filter(|line| line.starts_with(begin))
        .collect()
}

#[test]
fn a_request_is_counted_once_however_it_ends() {
    let metrics = Metrics::default();
    let answered = |status, failure| {
        let mut request = metrics.request("pai", "GetImage");
        request.answered(status);
        request.ended(failure);
    };
    answered(200, None);
    answered(429, Some("throttled"));
    drop(metrics.request("pai", "GetImage"));
    let text = metrics.render();
    let counted = lines(&text, "imageref_cloud_requests_total{");
    assert_eq!(counted.len(), 3, "{text}");
    for (result, code) in [("ok", "200"), ("throttled", "429"), ("unreachable", "none")] {
        assert_eq!(metrics.requests.get(["pai", "GetImage", result, code]), 1);
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
    *metrics.counted.lock().unwrap() = Instant::now().checked_sub(COUNTED_FOR);
    let text = metrics.render();
    let shown = lines(&text, "imageref_refs{");
    assert_eq!(
        shown,
        [r#"imageref_refs{ready="True",reason="InvalidSpec"} 7.0"#]
    );
}

fn provider(n: usize) -> ProviderStock {
    ProviderStock {
        provider: ["ImageProvider", "team", &format!("p{n:04}")].map(str::to_owned),
        ready: ("True", "CredentialsRead"),
        breaker: Some("Closed"),
        budget: Some(Budget::default()),
        ..ProviderStock::default()
    }
}

#[test]
fn the_providers_in_trouble_have_series_of_their_own_and_the_many_are_counted_together() {
    let metrics = Metrics::default();
    metrics.count_with(|| {
        let mut providers: Vec<_> = (0..1000).map(provider).collect();
        for one in providers.iter_mut().step_by(20) {
            one.breaker = Some("Open");
        }
        providers[501].ready = ("False", "AuthenticationFailed");
        providers[502].is_paused = true;
        providers[503].breaker = None;
        Some(Stock {
            providers,
            ..Stock::default()
        })
    });
    let text = metrics.render();
    let value = |line: &&str| -> f64 { line.rsplit(' ').next().unwrap().parse().unwrap() };
    let series = lines(&text, "imageref_provider_breaker_state{");
    assert_eq!(series.len(), (MOST_PROVIDERS + 1) * 3);
    let sum = |wanted: &str| -> f64 {
        let state = format!("state=\"{wanted}\"");
        let of = series.iter().filter(|line| line.contains(&state));
        of.map(value).sum()
    };
    assert_eq!(
        (sum("Open"), sum("Closed"), sum("HalfOpen")),
        (50.0, 949.0, 0.0)
    );
    let others = series.iter().filter(|line| line.contains(OTHERS));
    assert_eq!(others.map(value).sum::<f64>(), 899.0, "one may not ask");
    let name = |n: usize| format!("name=\"{}\"", provider(n).provider[2]);
    let named = |n: usize| series.iter().any(|line| line.contains(&name(n)));
    assert!((0..1000).step_by(20).all(named), "all that are open");
    assert!(named(501) && named(502) && !named(503));
    let ready = lines(&text, "imageref_provider_ready{");
    assert_eq!(ready.len(), MOST_PROVIDERS);
    let bad: Vec<_> = ready.iter().filter(|line| value(line) == 0.0).collect();
    assert_eq!(bad.len(), 1, "{bad:?}");
    assert!(bad[0].contains(&name(501)) && bad[0].contains("AuthenticationFailed"));
    let paused: f64 = lines(&text, "imageref_provider_paused{")
        .iter()
        .map(value)
        .sum();
    assert_eq!(paused, 1.0);
    let counted = lines(&text, "imageref_providers{");
    assert_eq!(counted.iter().map(value).sum::<f64>(), 1000.0);
}

#[test]
fn the_references_in_trouble_are_among_those_that_have_series_of_their_own() {
    let metrics = Metrics::default();
    metrics.count_with(|| {
        let one = |n: usize| RefStock {
            reference: ["team".into(), format!("r{n:06}")],
            ready: ("True", "Resolved"),
            stale: None,
        };
        let mut each_ref: Vec<_> = (0..MOST_REFS + 5).map(one).collect();
        each_ref[MOST_REFS].ready = ("False", "ImageNotFound");
        each_ref[MOST_REFS + 1].stale = Some("RateLimited");
        Some(Stock {
            each_ref,
            ..Stock::default()
        })
    });
    let text = metrics.render();
    let ready = lines(&text, "imageref_ref_ready{");
    assert_eq!(ready.len(), MOST_REFS);
    let of = |n: usize| format!("name=\"r{n:06}\"");
    let bad = ready.iter().find(|line| line.contains(&of(MOST_REFS)));
    assert!(bad.unwrap().ends_with(" 0.0"), "{bad:?}");
    let stale = lines(&text, "imageref_ref_stale{");
    assert_eq!(stale.len(), 1, "{stale:?}");
    assert!(stale[0].contains(&of(MOST_REFS + 1)) && stale[0].contains("RateLimited"));
}

#[test]
fn a_name_cannot_break_the_text() {
    let metrics = Metrics::default();
    metrics.count_with(|| {
        let odd = ["ImageProvider", "a\"} 1\n", "b\\"].map(str::to_owned);
        let odd = ProviderStock {
            provider: odd,
            ..provider(0)
        };
        Some(Stock {
            providers: vec![odd],
            ..Stock::default()
        })
    });
    let text = metrics.render();
    let series = lines(&text, "imageref_provider_breaker_state{");
    assert_eq!(series.len(), 3, "{text}");
    assert!(series[0].contains(r#"namespace="a\"} 1\n""#), "{text}");
}

#[test]
fn every_status_of_an_answer_has_a_word_and_the_words_are_few() {
    let words: std::collections::BTreeSet<_> = (0..=u16::MAX).map(|n| code(Some(n))).collect();
    assert!(words.len() < 20, "{words:?}");
    assert_eq!(
        [code(Some(429)), code(Some(418)), code(Some(599))],
        ["429", "4xx", "5xx"]
    );
    assert_eq!([code(Some(0)), code(None)], ["other", "none"]);
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
