//! Steady admission traffic: pods that must pass, and pods that must be refused.
//!
//! Owns which pods are asked for, and what their answers mean. Must not know how a verdict is reached.
//! The invariant that would break first: a pod whose answer never came counts as neither.

use crate::mix;
use crate::rules::Violation;
use kube::Client;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Ten a second.
const PACE: Duration = Duration::from_millis(100);

/// Longest wait for an answer: more than the rules give the webhook.
const PATIENCE: Duration = Duration::from_secs(15);

const RULE: &str = "admission says what it must";

/// What became of pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) refused: u64,
    /// Nobody was there to ask, or no answer came.
    pub(crate) unanswered: u64,
}

#[derive(Default)]
struct Found {
    counts: Counts,
    violations: Vec<Violation>,
    /// Pods in a row that passed or were refused as they must.
    well: u32,
}

/// The traffic; it ends with this value.
pub(crate) struct Pods {
    found: Arc<Mutex<Found>>,
    asking: JoinHandle<()>,
}

impl Drop for Pods {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Passed,
    Refused(String),
    None,
}

impl Pods {
    /// Begins to ask for pods of references whose images stay as they are.
    pub(crate) fn start(client: &Client, refs: u32, begun: Instant) -> Self {
        let found = Arc::<Mutex<Found>>::default();
        let (client, kept) = (client.clone(), found.clone());
        let asking = tokio::spawn(async move {
            let steady: Vec<u32> = (0..refs).filter(|number| mix::is_steady(*number)).collect();
            let mut turns = tokio::time::interval(PACE);
            turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            for number in steady.iter().copied().cycle() {
                for must_pass in [true, false] {
                    turns.tick().await;
                    let (client, kept) = (client.clone(), kept.clone());
                    tokio::spawn(async move {
                        let answer = ask(&client, number, must_pass).await;
                        let mut found = kept.lock().unwrap_or_else(PoisonError::into_inner);
                        found.take(number, must_pass, answer, begun.elapsed());
                    });
                }
            }
        });
        Self { found, asking }
    }

    /// What became of the pods so far, and the answers that were wrong; both begin anew.
    pub(crate) fn take(&self) -> (Counts, Vec<Violation>) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = std::mem::take(&mut found.counts);
        (counts, std::mem::take(&mut found.violations))
    }

    /// How many answers in a row were the right ones.
    pub(crate) fn well(&self) -> u32 {
        let found = self.found.lock();
        found.unwrap_or_else(PoisonError::into_inner).well
    }
}

impl Found {
    fn take(&mut self, number: u32, must_pass: bool, answer: Answer, at: Duration) {
        let about = format!("{}/{}", mix::namespace(number), mix::name(number));
        let wrong = match answer {
            Answer::None => {
                self.counts.unanswered += 1;
                self.well = 0;
                return;
            }
            Answer::Passed => {
                self.counts.passed += 1;
                (!must_pass).then(|| "a pod of an image that nobody declared passed".into())
            }
            Answer::Refused(why) => {
                self.counts.refused += 1;
                must_pass.then(|| format!("a pod of its image was refused: {why}"))
            }
        };
        self.well = if wrong.is_none() { self.well + 1 } else { 0 };
        let wrong = wrong.map(|what: String| Violation::new(RULE, &about, at, what));
        self.violations.extend(wrong);
    }
}

async fn ask(client: &Client, number: u32, must_pass: bool) -> Answer {
    let image = match mix::Means::of(number) {
        mix::Means::Id(image) if must_pass => site::notebook(image)["swr_path"].clone(),
        _ => json!(format!("{}/ai-team/undeclared:{number}", site::REGISTRY)),
    };
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "train", "namespace": mix::namespace(number)},
        "spec": {
            "containers": [{"name": "train", "image": image}],
            "nodeSelector": {"kubernetes.io/arch": "arm64"},
        },
    });
    let path = format!(
        "/api/v1/namespaces/{}/pods?dryRun=All",
        mix::namespace(number)
    );
    let request = http::Request::post(path).header("content-type", "application/json");
    let Ok(request) = request.body(pod.to_string().into_bytes()) else {
        return Answer::None;
    };
    let asked = client.request::<Value>(request);
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => means(answer.map(drop)),
        Err(_) => Answer::None,
    }
}

/// A verdict is told as `denied the request`; everything else is about the way to it.
fn means(answer: Result<(), kube::Error>) -> Answer {
    match answer {
        Ok(()) => Answer::Passed,
        Err(kube::Error::Api(status)) if status.message.contains("denied the request") => {
            Answer::Refused(status.message.clone())
        }
        Err(_) => Answer::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn refusal(message: &str) -> Answer {
        means(Err(kube::Error::Api(Box::new(Status::failure(
            message,
            "Forbidden",
        )))))
    }

    #[test]
    fn only_a_verdict_is_a_refusal() {
        let verdict = "admission webhook \"enforce.imageref.dev\" denied the request: no";
        assert_eq!(refusal(verdict), Answer::Refused(verdict.into()));
        let away = "failed calling webhook \"enforce.imageref.dev\": connection refused";
        assert_eq!(refusal(away), Answer::None);
        assert_eq!(means(Ok(())), Answer::Passed);
    }

    #[test]
    fn the_wrong_answer_is_a_violation_and_none_is_not() {
        let mut found = Found::default();
        found.take(0, true, Answer::Passed, Duration::ZERO);
        found.take(0, false, Answer::Refused("no".into()), Duration::ZERO);
        assert_eq!((found.violations.len(), found.well), (0, 2));
        found.take(0, true, Answer::None, Duration::ZERO);
        assert_eq!((found.violations.len(), found.well), (0, 0));
        found.take(0, false, Answer::Passed, Duration::ZERO);
        found.take(0, true, Answer::Refused("no".into()), Duration::ZERO);
        assert_eq!(found.violations.len(), 2);
        let counts = Counts {
            passed: 2,
            refused: 2,
            unanswered: 1,
        };
        assert_eq!(found.counts, counts);
    }
}
