//! What happens at the registry, for the rules: requests, answers and outages.

use super::{Held, SECOND, calls, digest, status_outage, uid};
use crate::controller::simulation::cloud;
use crate::controller::simulation::registry::{Weather, tag_of};
use crate::controller::simulation::world::{Inner, Who};
use std::collections::BTreeSet;

fn asker(who: Who) -> calls::Asker {
    calls::asker(who, "who has no login", "")
}

fn by_headers(path: &str) -> String {
    format!("HEAD {path}")
}

/// The registry is asked, by whomever.
pub(in super::super) fn asked(
    inner: &mut Inner,
    who: Who,
    (is_head, path): (bool, &str),
    now: u64,
) -> Held {
    let by_its_clock = inner.instances[who.instance].clock(now);
    let need = tag_of(path).and_then(|tag| digest::need(inner, who, &tag, now));
    let calls = &mut inner.rules.registry_calls;
    let asker = asker(who);
    if inner.registry.weather != Weather::Fine {
        // What is cut short is asked for again, and hardly said to be.
        calls.forget(&asker);
    }
    calls.in_budget(&asker, by_its_clock)?;
    match need {
        Some((since, true)) if is_head => calls.needed(&asker, &by_headers(path), Some(since), now),
        Some((since, true)) => calls.needed(&asker, path, Some(since), now),
        Some((since, false)) if calls::is_past(since, now) => Err(format!(
            "{path} is asked for, and nobody needs its digest since {} s",
            (now - since) / SECOND
        )),
        Some(_) | None => Ok(()),
    }
}

/// The registry's answer reaches a process; not right is any that comes of a fault. A pause is in seconds.
pub(in super::super) fn heard(
    inner: &mut Inner,
    who: Who,
    (is_head, path): (bool, &str),
    (is_right, pause): (bool, Option<u64>),
    now: u64,
) {
    let by_its_clock = inner.instances[who.instance].clock(now);
    if !is_right {
        stirred(inner, now);
    }
    let calls = &mut inner.rules.registry_calls;
    let asker = asker(who);
    let pause = pause.map(|seconds| by_its_clock + seconds * SECOND);
    // What was read whole need not be asked for by its headers, either.
    calls.heard(&asker, &by_headers(path), is_right, pause, now);
    if !is_head {
        calls.heard(&asker, path, is_right, pause, now);
    }
}

/// An outage begins.
pub(in super::super) fn fails(inner: &mut Inner, now: u64) {
    let is_alone = inner.cloud.weather == cloud::Weather::Fine;
    let outage = is_alone.then(|| status_outage(inner, now));
    stirred(inner, now);
    inner.rules.registry_outage = outage;
}

/// Something happened at the registry: what an outage of the platform costs is open for all who ask both.
pub(in super::super) fn stirred(inner: &mut Inner, now: u64) {
    let objects = inner.store.objects.iter();
    let refs = objects.filter(|(key, _)| key.0 == "imagerefs");
    let ask = refs.filter(|(_, object)| digest::asks(object));
    let ask: BTreeSet<_> = ask.map(|(_, object)| uid(object)).collect();
    inner.rules.registry_stir = now;
    if let Some(outage) = &mut inner.rules.outage {
        outage.writes.retain(|uid, _| !ask.contains(uid));
    }
}
