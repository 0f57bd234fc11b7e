//! One look at the Secret and the configurations, and what follows from it.
//!
//! Owns the order of reading and writing. Must not know how either is done. The invariant that would
//! break first: **the order**. Configurations are read before the Secret, and a configuration is
//! written only if it did not change since: so none ever gets a bundle older than the one it has,
//! however long a replica slept in between. The Secret is written before the configurations: an
//! authority that they trust is known to all replicas.

use super::Pace;
use super::bundle::Bundle;
use super::held::{Data, Held};
use super::make::make;
use super::pair::Pair;
use super::plan::{Around, plan};
use super::serving::Serving;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Why a call did nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Somebody else has written it since it was read.
    Conflict,
    /// Anything else, in one sentence without secrets.
    Failed(String),
}

/// The Secret as it was read.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) version: String,
    pub(super) data: Data,
}

/// A configuration of webhooks as it was read.
#[derive(Clone, Debug)]
pub(super) struct Configuration {
    /// Kind and name.
    pub(super) id: (&'static str, String),
    /// `None` if it does not exist.
    pub(super) version: Option<String>,
    /// The name of each webhook in it, and whom it trusts.
    pub(super) hooks: Vec<(String, Bundle)>,
}

/// The Secret and the configurations.
pub(super) trait Cluster {
    /// Reads the configurations that are called by name.
    fn configurations(&self) -> impl Future<Output = Result<Vec<Configuration>, Failure>> + Send;

    /// Reads the Secret.
    fn secret(&self) -> impl Future<Output = Result<Option<Stored>, Failure>> + Send;

    /// Writes the Secret if it still has this version; creates it if there was none.
    fn write(
        &self,
        data: Data,
        over: Option<&str>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Has each webhook of a configuration trust this bundle, if it was not written since it was read.
    fn trust(
        &self,
        configuration: &Configuration,
        bundle: &Bundle,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// Somebody has just written.
    Soon,
    Later,
}

/// What a replica remembers between its looks. All else is in the cluster.
pub(super) struct Keeper {
    pub(super) names: Vec<String>,
    pub(super) pace: Pace,
    pub(super) serving: Arc<Serving>,
    /// The next certificate, and since when all configurations have been seen to trust it.
    trusted: Option<(Arc<Pair>, Duration)>,
}

impl Keeper {
    pub(super) fn new(names: Vec<String>, pace: Pace, serving: Arc<Serving>) -> Self {
        Self {
            names,
            pace,
            serving,
            trusted: None,
        }
    }

    /// Looks, writes what must be written, and serves what is to be served. `steady` is a clock that
    /// nobody sets, from whatever beginning.
    ///
    /// # Errors
    /// What could not be read or written; all else was done.
    pub(super) async fn look(
        &mut self,
        cluster: &impl Cluster,
        now: Timestamp,
        steady: impl Fn() -> Duration + Send,
    ) -> Result<Again, String> {
        let begun = steady();
        let read = cluster.configurations().await.map_err(text)?;
        let stored = cluster.secret().await.map_err(text)?;
        let hooks = read.iter().flat_map(|configuration| &configuration.hooks);
        let mut trusted: Vec<&Bundle> = Vec::new();
        for (_, bundle) in hooks {
            // Most are the same, and verifying is what takes time.
            if !trusted.contains(&bundle) {
                trusted.push(bundle);
            }
        }
        let before = stored.as_ref().map(|stored| Held::read(&stored.data));
        let before = before.unwrap_or_default();
        let around = Around {
            now,
            trusted: &trusted,
            trusts_next_for: self.trusts_next_for(&before, &trusted, begun, steady()),
            names: &self.names,
            pace: &self.pace,
        };
        let made = |names: &[String]| make(names, now, self.pace.lifetime);
        let mut failed = Vec::new();
        let mut again = Again::Later;
        let held = match plan(before.clone(), &around, made) {
            Ok(held) if held == before => held,
            Ok(held) => {
                let version = stored.as_ref().map(|stored| stored.version.as_str());
                match cluster.write(held.data(), version).await {
                    Ok(()) => {
                        again = Again::Soon;
                        held
                    }
                    Err(Failure::Conflict) => return Ok(Again::Soon),
                    Err(Failure::Failed(why)) => {
                        failed.push(why);
                        as_it_is(before, &trusted)
                    }
                }
            }
            Err(why) => {
                failed.push(why.to_string());
                as_it_is(before, &trusted)
            }
        };
        for configuration in &read {
            let (kind, name) = &configuration.id;
            if configuration.version.is_none() {
                failed.push(format!("{kind} {name} does not exist"));
            }
            let other = |(_, bundle): &(String, Bundle)| *bundle != held.trusted;
            if held.trusted.len() == 0 || !configuration.hooks.iter().any(other) {
                continue;
            }
            match cluster.trust(configuration, &held.trusted).await {
                Ok(()) => {}
                Err(Failure::Conflict) => again = Again::Soon,
                Err(Failure::Failed(why)) => failed.push(why),
            }
        }
        self.serve(&held, &trusted, now);
        if failed.is_empty() {
            Ok(again)
        } else {
            Err(failed.join("; "))
        }
    }

    fn trusts_next_for(
        &mut self,
        held: &Held,
        trusted: &[&Bundle],
        begun: Duration,
        read: Duration,
    ) -> Option<Duration> {
        let next = held.next.as_ref();
        let next = next.filter(|next| everywhere(next, trusted));
        let since = next.map(|next| match self.trusted.take() {
            Some((seen, since)) if seen == *next => (seen, since),
            _ => (next.clone(), read),
        });
        self.trusted = since;
        let (_, since) = self.trusted.as_ref()?;
        // What was read was so at some time between: the shortest that it can have been.
        Some(begun.saturating_sub(*since))
    }

    /// The current certificate is served, unless the configurations have lost it and still trust the
    /// one that is served.
    fn serve(&self, held: &Held, trusted: &[&Bundle], now: Timestamp) {
        let Some(current) = &held.current else { return };
        if let Some(served) = self.serving.pair() {
            let good = |pair: &Pair| pair.not_after() > now && everywhere(pair, trusted);
            if served != *current && good(&served) && !good(current) {
                return;
            }
        }
        if self.serving.serve(current) {
            tracing::info!(expires = %current.not_after(), "another certificate is served");
        }
    }
}

fn everywhere(pair: &Pair, trusted: &[&Bundle]) -> bool {
    trusted.iter().all(|bundle| pair.is_trusted_by(bundle))
}

/// What can be said while the Secret cannot be written: nothing is taken from whom configurations
/// trust, and nobody is added that the Secret does not know.
fn as_it_is(mut held: Held, trusted: &[&Bundle]) -> Held {
    for authority in trusted.iter().flat_map(|bundle| bundle.iter()) {
        held.trusted.add(authority.clone());
    }
    held
}

fn text(failure: Failure) -> String {
    match failure {
        Failure::Conflict => "somebody else wrote at the same time".into(),
        Failure::Failed(why) => why,
    }
}
