//! The lease that lets one process of several write.
//!
//! Owns reading and writing it: taken, renewed, given back. Must not know what its holder does. The
//! invariant that would break first: it is written only over the version that was read, and the
//! claim counts from before that write was sent, so no other can have it while the claim holds.

mod claim;
mod step;

pub use claim::{Claim, Claimed, NotHeld};
pub use step::{Observed, Step, Times, step};

use super::call::explain;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, ResourceExt};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// The longest that is believed of another's lease: a mistake in its duration must not keep
/// everybody waiting for a day.
const LONGEST: Duration = Duration::from_secs(300);

/// A candidate for a lease, and its holder while it has it.
pub struct Election {
    api: Api<Lease>,
    name: String,
    me: String,
    times: Times,
    claim: Claim,
    observed: Option<Observed>,
    /// The object behind what was observed, which a write replaces.
    lease: Option<Lease>,
    renewed: Instant,
}

/// Why the lease is not ours any more.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// It could not be renewed in time.
    #[error("the lease {name} could not be renewed for {seconds} s: {why}")]
    NotRenewed {
        /// The lease.
        name: String,
        /// How long it was not.
        seconds: u64,
        /// The last failure.
        why: String,
    },
    /// Somebody else holds it.
    #[error("the lease {name} was taken by {holder}")]
    Taken {
        /// The lease.
        name: String,
        /// Who.
        holder: String,
    },
}

/// The runtime's clock, by which waits end, too.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A failed attempt; the text is for people.
struct Failed(String);

impl Election {
    /// A candidate for the lease of this name. `me` must differ between processes.
    pub fn new(client: Client, namespace: &str, name: &str, me: &str, times: Times) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.into(),
            me: me.into(),
            times,
            claim: Claim::default(),
            observed: None,
            lease: None,
            renewed: now(),
        }
    }

    /// What the holder may rely on.
    pub fn claim(&self) -> Claim {
        self.claim.clone()
    }

    /// Waits until the lease is ours; `false` if told to stop before. `turned` is called at every
    /// look, as a sign that this goes on, with whether another holds it.
    pub async fn acquire(&mut self, stop: &CancellationToken, turned: impl Fn(bool)) -> bool {
        let mut waits_for = None;
        loop {
            turned(waits_for.is_some());
            let tried = tokio::select! {
                // Who is told to stop takes nothing, whatever came of the attempt.
                biased;
                () = stop.cancelled() => return false,
                tried = self.try_acquire() => tried,
            };
            let wait = match tried {
                Ok(None) => {
                    info!(lease = self.name, "this process holds the lease");
                    return true;
                }
                Ok(Some(wait)) => {
                    let holder = self.observed.as_ref().and_then(|seen| seen.holder.clone());
                    if holder != waits_for {
                        info!(lease = self.name, holder, "another process holds the lease");
                        waits_for = holder;
                    }
                    wait
                }
                Err(Failed(why)) => {
                    warn!(
                        lease = self.name,
                        why, "the lease could not be read or taken"
                    );
                    self.times.look
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// `None` once it is ours, else how long to wait.
    async fn try_acquire(&mut self) -> Result<Option<Duration>, Failed> {
        self.look().await?;
        match step(now(), &self.me, self.observed.as_ref(), &self.times) {
            Step::Wait(wait) => Ok(Some(wait)),
            Step::Acquire | Step::Renew => {
                let ours = self.write(Some(self.me.clone())).await?;
                // Somebody was faster: what they wrote is read next.
                Ok((!ours).then_some(Duration::ZERO))
            }
        }
    }

    /// Renews the lease for as long as it is ours.
    pub async fn keep(&mut self) -> Lost {
        let mut why = String::new();
        let mut wait = self.times.renew;
        loop {
            let deadline = self.renewed + self.times.claim;
            let next = (now() + wait).min(deadline);
            tokio::time::sleep_until(next.into()).await;
            if now() >= deadline {
                self.claim.end();
                return Lost::NotRenewed {
                    name: self.name.clone(),
                    seconds: now().saturating_duration_since(self.renewed).as_secs(),
                    why,
                };
            }
            wait = self.times.look;
            // An answer that comes later says nothing about now.
            let renewed = tokio::time::timeout_at(deadline.into(), self.renew()).await;
            match renewed.unwrap_or_else(|_| Err(self.failed(None))) {
                Ok(None) => wait = self.times.renew,
                Ok(Some(holder)) => {
                    self.claim.end();
                    let name = self.name.clone();
                    return Lost::Taken { name, holder };
                }
                Err(Failed(failed)) => {
                    warn!(
                        lease = self.name,
                        why = failed,
                        "the lease could not be renewed"
                    );
                    why = failed;
                }
            }
        }
    }

    /// `None` if it is ours for longer now, else who has it.
    async fn renew(&mut self) -> Result<Option<String>, Failed> {
        if self.write(Some(self.me.clone())).await? {
            return Ok(None);
        }
        // Somebody wrote it: another holder, or a person who put a label on it.
        self.look().await?;
        let holder = self.observed.as_ref().and_then(|seen| seen.holder.clone());
        match holder {
            Some(holder) if holder != self.me && !holder.is_empty() => Ok(Some(holder)),
            _ if self.write(Some(self.me.clone())).await? => Ok(None),
            _ => Err(Failed("it was written by others twice".into())),
        }
    }

    /// Gives it back, so that nobody has to wait for its end. Nothing may be written after this.
    pub async fn release(mut self) {
        self.claim.end();
        match self.write(None).await {
            Ok(true) => info!(lease = self.name, "the lease is given back"),
            Ok(false) => {}
            Err(Failed(why)) => {
                warn!(lease = self.name, why, "the lease is left to end by itself");
            }
        }
    }

    async fn look(&mut self) -> Result<(), Failed> {
        let lease = self.limited(self.api.get_opt(&self.name)).await?;
        self.see(lease);
        Ok(())
    }

    /// What was read counts from now, after it was read, unless it is what was seen before.
    fn see(&mut self, lease: Option<Lease>) {
        let seen = now();
        let before = self.observed.take();
        self.observed = lease.as_ref().map(|lease| {
            let spec = lease.spec.clone().unwrap_or_default();
            let version = lease.resource_version().unwrap_or_default();
            let since = before
                .filter(|before| before.version == version)
                .map_or(seen, |before| before.since);
            let seconds = spec.lease_duration_seconds.unwrap_or_default();
            let duration = Duration::from_secs(seconds.try_into().unwrap_or_default());
            Observed {
                version,
                holder: spec.holder_identity,
                duration: duration.min(LONGEST),
                since,
            }
        });
        self.lease = lease;
    }

    /// Writes it over what was observed; `false` if that is not there any more.
    async fn write(&mut self, holder: Option<String>) -> Result<bool, Failed> {
        let sent = now();
        let next = self.next(holder);
        let params = PostParams {
            field_manager: Some(super::FIELD_MANAGER.into()),
            ..PostParams::default()
        };
        let written = if self.lease.is_none() {
            self.try_limited(self.api.create(&params, &next)).await
        } else {
            let call = self.api.replace(&self.name, &params, &next);
            self.try_limited(call).await
        };
        match written {
            Ok(lease) => {
                let ours = next.spec.and_then(|spec| spec.holder_identity).is_some();
                if ours {
                    self.renewed = sent;
                    self.claim.extend(sent + self.times.claim);
                }
                self.see(Some(lease));
                Ok(true)
            }
            Err(Some(kube::Error::Api(status)))
                if status.is_conflict() || status.is_already_exists() || status.is_not_found() =>
            {
                Ok(false)
            }
            Err(error) => Err(self.failed(error.as_ref())),
        }
    }

    fn next(&self, holder: Option<String>) -> Lease {
        let now = MicroTime(Timestamp::now());
        let before = self.lease.clone().unwrap_or_default();
        let mut spec: LeaseSpec = before.spec.unwrap_or_default();
        if holder.is_some() && spec.holder_identity != holder {
            spec.acquire_time = Some(now.clone());
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or_default() + 1);
        }
        let seconds = i32::try_from(self.times.duration.as_secs());
        spec.lease_duration_seconds = Some(seconds.unwrap_or(i32::MAX));
        spec.renew_time = Some(now);
        // Absent means nobody.
        spec.holder_identity = holder;
        let metadata = ObjectMeta {
            name: Some(self.name.clone()),
            managed_fields: None,
            ..before.metadata
        };
        Lease {
            metadata,
            spec: Some(spec),
        }
    }

    async fn limited<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, Failed> {
        self.try_limited(call)
            .await
            .map_err(|error| self.failed(error.as_ref()))
    }

    /// `Err(None)`: it took too long.
    async fn try_limited<T>(
        &self,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Option<kube::Error>> {
        match tokio::time::timeout(self.times.call, call).await {
            Ok(result) => result.map_err(Some),
            Err(_) => Err(None),
        }
    }

    fn failed(&self, error: Option<&kube::Error>) -> Failed {
        let seconds = self.times.call.as_secs();
        Failed(error.map_or_else(
            || format!("the API server did not answer within {seconds} s"),
            explain,
        ))
    }
}
