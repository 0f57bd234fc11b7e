//! What must hold, whatever happens.
//!
//! Owns the rules, and what they need to remember of the past. Must not know how an operator comes to do
//! what it does: all that is judged is what reaches the API server and the platform. The invariant that
//! would break first: a rule that cannot be judged at a moment is judged later, or said not to be.

pub(super) mod calls;
mod catalogue;
mod digest;
pub(super) mod end;
pub(super) mod registry;
mod status;

use super::operator::TIMES;
use super::store::{Key, Store};
use super::world::{Inner, Who};
use hyper::Method;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const SECOND: u64 = 1000;
pub(super) const MINUTE: u64 = 60 * SECOND;

/// A broken rule, in one sentence.
pub(super) type Held = Result<(), String>;

/// What the rules remember.
#[derive(Default)]
pub(super) struct Rules {
    /// When each process last sent a write of the lease that was carried out as its own.
    renewals: BTreeMap<usize, (u64, u64)>,
    /// Lease writes under way: when they were sent.
    sent: BTreeMap<usize, u64>,
    pub(super) calls: calls::Calls,
    registry_calls: calls::Calls,
    pub(super) refs: BTreeMap<String, status::Known>,
    pub(super) catalogues: BTreeMap<Key, u64>,
    /// Up to which version of the store each process was told of references.
    told: BTreeMap<Who, u64>,
    /// When a reference last left each image for another.
    pub(super) left: BTreeMap<String, u64>,
    /// Since when each provider means an account and project, latest last.
    pub(super) meant: BTreeMap<Key, Vec<(u64, String)>>,
    /// When something last happened that concerns every reference.
    pub(super) stir: u64,
    /// When something last happened at the registry that concerns all who ask it.
    registry_stir: u64,
    pub(super) outage: Option<status::Outage>,
    pub(super) registry_outage: Option<status::Outage>,
    holder: Option<String>,
}

impl Rules {
    /// A request begins. A write, other than of the lease, only while the lease is the process's own.
    pub(super) fn sent(
        &mut self,
        store: &Store,
        who: Who,
        method: &Method,
        key: &Key,
        now: u64,
    ) -> Held {
        if *method == Method::GET || key.0 == "selfsubjectaccessreviews" {
            return Ok(());
        }
        if key.0 == "leases" {
            self.sent.insert(who.instance, now);
            return Ok(());
        }
        let me = format!("operator-{}_{}", who.instance, who.life);
        let lease = lease(store);
        let holder = lease.and_then(|lease| lease["spec"]["holderIdentity"].as_str());
        if let Some(other) = holder.filter(|holder| *holder != me) {
            return Err(format!("{me} writes {key:?} while {other} holds the lease"));
        }
        let Some((life, renewed)) = self.renewals.get(&who.instance) else {
            return Err(format!("{me} writes {key:?} and never held the lease"));
        };
        let claim = u64::try_from(TIMES.claim.as_millis()).unwrap();
        if *life != who.life || now > renewed + claim {
            return Err(format!("{me} writes {key:?} after its claim ended"));
        }
        Ok(())
    }

    /// A process hears of references, up to a version of the store.
    pub(super) fn told(&mut self, who: Who, version: u64) {
        let told = self.told.entry(who).or_default();
        *told = version.max(*told);
    }

    /// A provider means another account or project.
    pub(super) fn means(&mut self, key: &Key, organization: String, now: u64) {
        let meant = self.meant.entry(key.clone()).or_default();
        if meant.last().is_none_or(|last| last.1 != organization) {
            meant.push((now, organization));
        }
    }

    /// Something happened that concerns every reference.
    pub(super) fn stirred(&mut self, now: u64) {
        self.stir = now;
        (self.outage, self.registry_outage) = (None, None);
    }

    /// What must hold after every step.
    pub(super) fn hold(inner: &Inner, now: u64) -> Held {
        status::not_used_too_long(inner, now)?;
        digest::told_in_time(inner, now)
    }
}

pub(super) fn lease(store: &Store) -> Option<&Value> {
    let key = (
        "leases".into(),
        "system".into(),
        "imageref-controller".into(),
    );
    store.objects.get(&key)
}

/// An object was written by a process.
pub(super) fn written(
    inner: &mut Inner,
    who: Who,
    key: &Key,
    before: Option<&Value>,
    now: u64,
) -> Held {
    match key.0.as_str() {
        "leases" => {
            lease_written(inner, who, now);
            Ok(())
        }
        "imagerefs" => status::written(inner, key, before.unwrap(), now),
        "imagecatalogs" => catalogue::written(inner, key, before.unwrap(), now),
        _ => Ok(()),
    }
}

fn lease_written(inner: &mut Inner, who: Who, now: u64) {
    let holder = lease(&inner.store).and_then(|lease| lease["spec"]["holderIdentity"].as_str());
    let holder = holder.map(str::to_owned);
    let rules = &mut inner.rules;
    if holder.is_some() {
        let sent = rules.sent.get(&who.instance).copied().unwrap_or(now);
        rules.renewals.insert(who.instance, (who.life, sent));
    }
    if rules.holder != holder {
        rules.holder = holder;
        rules.stirred(now);
    }
}

/// The platform is asked with a key.
pub(super) fn asked(inner: &mut Inner, who: Who, key: &str, path: &str, now: u64) -> Held {
    let settled = status::settled_since(inner, who, (key, path), now);
    let by_its_clock = inner.instances[who.instance].clock(now);
    let calls = &mut inner.rules.calls;
    let asker = calls::asker(who, key, path);
    calls.in_budget(&asker, by_its_clock)?;
    calls.needed(&asker, path, settled, now)
}

/// The platform's answer reaches a process.
pub(super) fn heard(
    inner: &mut Inner,
    who: Who,
    key: &str,
    path: &str,
    (status, pause): (u16, Option<Duration>),
    now: u64,
) {
    // That an image is not there is no fault.
    if !matches!(status, 200 | 400) {
        inner.rules.stir = now;
        inner.rules.registry_outage = None;
    }
    let pause = pause.map(|pause| {
        let by_its_clock = inner.instances[who.instance].clock(now);
        by_its_clock + u64::try_from(pause.as_millis()).unwrap()
    });
    let asker = calls::asker(who, key, path);
    let calls = &mut inner.rules.calls;
    calls.heard(&asker, path, status == 200, pause, now);
}

fn uid(object: &Value) -> String {
    let uid = object["metadata"]["uid"].as_str();
    uid.unwrap_or_default().to_owned()
}

/// What an outage that begins now may cost.
pub(super) fn status_outage(inner: &Inner, now: u64) -> status::Outage {
    let registry_settled = now > inner.rules.registry_stir + status::SETTLES;
    let settled = |object: &&Value| {
        condition(object, "Ready") == Some(("True", "Resolved"))
            && inner.befalls(object)
            && (registry_settled || !digest::asks(object))
    };
    let of_kind = inner
        .store
        .objects
        .iter()
        .filter(|(key, _)| key.0 == "imagerefs");
    let writes = of_kind
        .map(|(_, object)| object)
        .filter(settled)
        .map(|object| (uid(object), 0));
    status::Outage {
        began: now,
        writes: writes.collect(),
    }
}

/// A part of an object's conditions.
pub(super) fn condition<'a>(object: &'a Value, type_: &str) -> Option<(&'a str, &'a str)> {
    let conditions = object["status"]["conditions"].as_array()?;
    let mut found = conditions
        .iter()
        .filter(|condition| condition["type"] == type_);
    let found = found.next()?;
    Some((found["status"].as_str()?, found["reason"].as_str()?))
}
