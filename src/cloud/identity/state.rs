//! What is known of one proof: the credential it brought, and the trouble there is with it.
//!
//! Owns the decision to serve, to renew or to wait. Pure: moments come in. The invariant that would
//! break first: while a credential is good it is served, whatever renewal comes to.

use super::Issued;
use super::renewal::{self, ASSUMED_LIFE, EXCHANGE_GAP, REFUSED_FOR};
use crate::cloud::{Credential, LONGEST_PAUSE};
use crate::facts::{Failure, FailureKind};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// A point in time by two clocks: the wall's can be set, the other stands still while a machine
/// sleeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) wall: Timestamp,
    /// Since the cache was made.
    pub(super) run: Duration,
}

impl Moment {
    /// The time since an earlier moment by the clock that says more: renewing early is harmless.
    fn since(&self, earlier: &Self) -> Duration {
        let wall = earlier.wall.duration_until(self.wall);
        let run = self.run.saturating_sub(earlier.run);
        Duration::try_from(wall).unwrap_or_default().max(run)
    }
}

struct Held {
    credential: Arc<Credential>,
    fingerprint: [u8; 32],
    since: Moment,
    renew_after: Duration,
    good_for: Duration,
    /// It was asked for because a platform had refused the one before.
    after_refusal: bool,
}

struct Trouble {
    failure: Failure,
    at: Duration,
    wait: Duration,
    in_a_row: u32,
    /// Hash of the file that the refused proof was read from.
    evidence: Option<[u8; 32]>,
}

/// What to do for a caller.
pub(super) enum Verdict {
    Serve(Arc<Credential>),
    /// Serve, and renew beside.
    ServeAndRenew(Arc<Credential>),
    Exchange,
    Fail(Failure),
}

/// What is known of one proof.
#[derive(Default)]
pub(super) struct State {
    held: Option<Held>,
    trouble: Option<Trouble>,
    refused: bool,
}

impl State {
    pub(super) fn judge(&self, now: Moment) -> Verdict {
        let held = self
            .held
            .as_ref()
            .map(|held| (held, now.since(&held.since)));
        let held = held.filter(|(held, age)| *age < held.good_for);
        let trouble = self.trouble.as_ref();
        let left = trouble.and_then(|t| (t.at + t.wait).checked_sub(now.run));
        let left = left.filter(|left| !left.is_zero());
        match (held, trouble.zip(left)) {
            (Some((held, age)), trouble) => {
                let credential = held.credential.clone();
                if age >= held.renew_after && trouble.is_none() {
                    Verdict::ServeAndRenew(credential)
                } else {
                    Verdict::Serve(credential)
                }
            }
            (None, Some((trouble, left))) => Verdict::Fail(Failure {
                retry_after: Some(left),
                ..trouble.failure.clone()
            }),
            (None, None) => Verdict::Exchange,
        }
    }

    /// Whether no exchange is due because the last one failed.
    pub(super) fn rests(&self, now: Moment) -> bool {
        self.trouble
            .as_ref()
            .is_some_and(|trouble| now.run < trouble.at + trouble.wait)
    }

    /// Whether a proof that was refused may have changed since: it is read from a file.
    pub(super) fn may_have_changed(&self, now: Moment) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| {
            trouble.evidence.is_some() && now.run >= trouble.at + EXCHANGE_GAP
        })
    }

    /// Ends the wait if the file is another now.
    pub(super) fn forgive(&mut self, evidence: Option<[u8; 32]>) {
        if evidence.is_some()
            && self
                .trouble
                .as_ref()
                .is_some_and(|t| t.evidence != evidence)
        {
            self.trouble = None;
        }
    }

    /// Takes in what an exchange brought that began at `began`. The flag says whether this is the
    /// first failure in a row.
    pub(super) fn record(
        &mut self,
        began: Moment,
        now: Moment,
        brought: Result<Issued, Failure>,
        seed: u64,
        evidence: Option<[u8; 32]>,
    ) -> (Result<Arc<Credential>, Failure>, bool) {
        match brought {
            Ok(issued) => {
                let life = issued.expires_at.map_or(ASSUMED_LIFE, |expires| {
                    renewal::life(issued.issued_at, expires)
                });
                let fingerprint = issued.credential.fingerprint();
                let credential = Arc::new(issued.credential);
                let own = fingerprint
                    .iter()
                    .take(8)
                    .fold(0, |bits: u64, byte| bits.rotate_left(8) ^ u64::from(*byte));
                self.trouble = None;
                self.held = Some(Held {
                    credential: credential.clone(),
                    fingerprint,
                    since: began,
                    renew_after: renewal::renew_after(life, seed ^ own),
                    good_for: renewal::good_for(life),
                    after_refusal: std::mem::take(&mut self.refused),
                });
                (Ok(credential), false)
            }
            Err(failure) => {
                let in_a_row = self
                    .trouble
                    .as_ref()
                    .map_or(0, |t| t.in_a_row)
                    .saturating_add(1);
                let refused = failure.kind == FailureKind::AuthenticationFailed;
                let wait = if refused {
                    // Sooner, if it was not tried because its user was refused elsewhere.
                    failure
                        .retry_after
                        .map_or(REFUSED_FOR, |left| left.min(REFUSED_FOR))
                } else {
                    let asked = failure.retry_after.unwrap_or_default().min(LONGEST_PAUSE);
                    renewal::backoff(in_a_row).max(asked)
                };
                // An outage that shows in many ways is one: its first failure stays.
                let failure = match &self.trouble {
                    Some(first) if first.failure.kind.is_passing() && failure.kind.is_passing() => {
                        Failure {
                            retry_after: failure.retry_after,
                            ..first.failure.clone()
                        }
                    }
                    _ => failure,
                };
                self.trouble = Some(Trouble {
                    failure: failure.clone(),
                    at: now.run,
                    wait,
                    in_a_row,
                    evidence: evidence.filter(|_| refused),
                });
                (Err(failure), in_a_row == 1)
            }
        }
    }

    /// A platform refused the credential of this fingerprint. Whether asking for one again can help:
    /// not if this one was the answer to a refusal already.
    pub(super) fn refuse(&mut self, now: Moment, fingerprint: &[u8; 32]) -> bool {
        match &self.held {
            Some(held) if held.fingerprint != *fingerprint => true,
            Some(held) if held.after_refusal && now.since(&held.since) < REFUSED_FOR => false,
            Some(_) => {
                self.held = None;
                self.refused = true;
                true
            }
            None => true,
        }
    }
}
