//! The verdict on one request, and how long it may wait for a better one.
//!
//! Owns the wait for references that are on their way. Must not know how requests arrive. The
//! invariant that would break first: nothing is waited for but the memory of this process, and not
//! longer than whoever asked does.

use super::Webhook;
use crate::admission::review::{self, Endpoint, Outcome, Surroundings};
use crate::admission::{Decision, Finding};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};

/// What is left of the asker's time for the way back.
const MARGIN: Duration = Duration::from_millis(500);

/// Changes that come closer together are looked at together: while many come, each request that
/// waits would otherwise be judged for each.
const TOGETHER: Duration = Duration::from_millis(10);

/// How long a request may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// When the request came.
    pub(super) begun: Instant,
    /// The most that is waited.
    pub(super) longest: Duration,
    /// How long the asker waits, if he says so.
    pub(super) given: Option<Duration>,
}

impl Patience {
    fn end(&self) -> Instant {
        let given = self.given.map(|given| given.saturating_sub(MARGIN));
        self.begun + given.map_or(self.longest, |given| given.min(self.longest))
    }
}

/// The answer to a request.
pub(super) async fn verdict(
    request: &review::Request,
    endpoint: Endpoint,
    webhook: &Webhook,
    patience: Patience,
) -> String {
    let outcome = settled(request, endpoint, webhook, patience.end()).await;
    let old = webhook.state.is_old(std::time::Instant::now());
    count(request, &outcome, webhook, patience.begun);
    review::judged(request, &outcome, old.as_deref())
}

/// The outcome once nothing on its way can turn it, or at the end of the wait.
async fn settled(
    request: &review::Request,
    endpoint: Endpoint,
    webhook: &Webhook,
    end: Instant,
) -> Outcome {
    let state = &webhook.state;
    // From before the first look, so that no change falls in between.
    let mut changes = state.changes();
    loop {
        let outcome = state.read(&request.namespace, |known, labels| {
            let around = Surroundings {
                labels,
                own_namespace: &webhook.own_namespace,
                known,
                configuration: state.configuration(),
            };
            review::judge(request, endpoint, &around)
        });
        if !outcome.may_be_early() || Instant::now() >= end {
            return outcome;
        }
        if timeout_at(end, changes.changed()).await.is_err() {
            return outcome;
        }
        sleep_until((Instant::now() + TOGETHER).min(end)).await;
        changes.mark_unchanged();
    }
}

fn count(request: &review::Request, outcome: &Outcome, webhook: &Webhook, begun: Instant) {
    let Outcome {
        applied, verdict, ..
    } = outcome;
    let findings = &verdict.findings;
    let first = findings
        .iter()
        .find(|finding| finding.denies)
        .or(findings.first());
    let reason = first.map_or("None", |finding: &Finding| finding.reason.as_str());
    let mode = applied.as_str();
    let decision = verdict.decision.as_str();
    let admission = &webhook.metrics.admission;
    admission.reviews.count([mode, decision, reason]);
    admission.review_seconds.observe([mode], begun.elapsed());
    if findings.is_empty() {
        return;
    }
    let review::Request {
        uid,
        namespace,
        kind,
        name,
        user,
        ..
    } = request;
    let object = format!("{namespace}/{name}");
    // In mode audit nobody else is told.
    if verdict.decision == Decision::Warn {
        tracing::debug!(
            object,
            request_id = uid,
            kind,
            user,
            mode,
            decision,
            reason,
            "judged"
        );
    } else {
        tracing::info!(
            object,
            request_id = uid,
            kind,
            user,
            mode,
            decision,
            reason,
            "judged"
        );
    }
}
