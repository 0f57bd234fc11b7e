//! Statuses: about the right target, of one answer, not older than what was known, no verdict without
//! cause and no write without news.

use super::{Held, MINUTE, SECOND, condition, digest};
use crate::api::duration;
use crate::controller::simulation::cloud::{Weather, arch, organization};
use crate::controller::simulation::store::Key;
use crate::controller::simulation::users::account_of;
use crate::controller::simulation::world::{Inner, Who};
use serde_json::Value;
use std::collections::BTreeMap;

/// How long a watch may be late, and a process at its work, after a provider means something else.
pub(super) const LATE: u64 = 12 * MINUTE;

/// After this nothing of an event is left: the longest interval, and a confirmation.
pub(in super::super) const SETTLES: u64 = 50 * MINUTE;

/// As much as the clocks of two processes differ, and a look takes.
const SKEW: u64 = MINUTE;

/// As long as a reference is put off until the watch has brought what was written of it; then it is taken
/// as it is (`controller::memory`).
const PUT_OFF: u64 = 25 * SECOND;

/// What is remembered of a reference, by its UID.
#[derive(Clone, Default)]
pub(in super::super) struct Known {
    /// When a process last wrote it.
    written: u64,
    /// When a user or its image last changed something about it.
    pub(in super::super) stirred: u64,
    /// When a user last changed what asks for no look; zero if never.
    pub(in super::super) edited: u64,
    /// The latest version of each image, in each organization, that it ever told of.
    told: BTreeMap<(String, String), u64>,
}

/// An outage of the platform, and what it cost.
pub(in super::super) struct Outage {
    pub(in super::super) began: u64,
    /// References that were settled as it began, with the writes since.
    pub(in super::super) writes: BTreeMap<String, u32>,
}

pub(super) fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object
        .pointer(path)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(super) fn time(object: &Value, path: &str) -> u64 {
    let text = object[path]
        .as_str()
        .or_else(|| object["spec"][path].as_str());
    let duration = text.and_then(duration::parse).unwrap();
    u64::try_from(duration.as_millis()).unwrap()
}

/// The provider that a reference means.
pub(in super::super) fn provider_of(object: &Value) -> Key {
    let of = &object["spec"]["providerRef"];
    if of["kind"] == "ClusterImageProvider" {
        let name = text(of, "/name");
        return ("clusterimageproviders".into(), String::new(), name.into());
    }
    let namespace = text(object, "/metadata/namespace");
    ("imageproviders".into(), namespace.into(), "default".into())
}

pub(super) fn written(inner: &mut Inner, key: &Key, before: &Value, now: u64) -> Held {
    let after = inner.store.objects[key].clone();
    if after == *before {
        return Ok(());
    }
    let of = |why: String| format!("{}/{}: {why}", key.1, key.2);
    if after["status"]["observedGeneration"] != after["metadata"]["generation"] {
        return Err(of("the status was planned for another generation".into()));
    }
    of_one_answer(inner, &after).map_err(of)?;
    about_the_target(inner, &after, now).map_err(of)?;
    not_gone_back(inner, before, &after).map_err(of)?;
    digest::of_the_tag(inner, &after).map_err(of)?;
    digest::written(inner, before, &after, now).map_err(of)?;
    no_verdict_without_cause(inner, before, &after, now).map_err(of)?;
    no_write_without_news(inner, before, &after, now).map_err(of)
}

/// All facts are those of one version of one image, as one account sees it.
fn of_one_answer(inner: &Inner, object: &Value) -> Held {
    let status = &object["status"];
    let Some(path) = status["swrPath"].as_str() else {
        return if status["arch"].is_null() {
            Ok(())
        } else {
            Err("an architecture without a path".into())
        };
    };
    let id = text(status, "/imageID");
    let version = status["sizeBytes"].as_u64().unwrap_or(0).wrapping_sub(1000);
    let image = inner
        .cloud
        .images
        .get(id)
        .ok_or_else(|| format!("{id} never was"))?;
    let index = usize::try_from(version).unwrap_or(usize::MAX);
    let upstream = image
        .versions
        .get(index)
        .ok_or_else(|| format!("version {version} never was"))?;
    let organization = text(status, "/upstream/organization");
    let short = &id[34..];
    let expected =
        format!("swr.cn-north-4.myhuaweicloud.com/{organization}/image-{short}:v{version}");
    let told = text(status, "/status");
    let whole = path == expected
        && status["arch"] == arch(version).1
        && status["upstream"]["tag"] == format!("v{version}")
        && (told == *upstream || told == "DELETED");
    if whole {
        Ok(())
    } else {
        Err(format!("the status is torn: {status}"))
    }
}

/// Ready is about the image of the spec, in an account and project that the provider means or lately
/// meant.
fn about_the_target(inner: &Inner, object: &Value, now: u64) -> Held {
    if condition(object, "Ready").is_none_or(|ready| ready.0 != "True") {
        return Ok(());
    }
    let status = &object["status"];
    if status["imageID"] != object["spec"]["source"]["notebook"]["id"] {
        return Err("it is Ready about another image than the spec's".into());
    }
    let organization = text(status, "/upstream/organization");
    let provider = provider_of(object);
    let meant = inner
        .rules
        .meant
        .get(&provider)
        .map_or(&[][..], Vec::as_slice);
    for (at, (_, one)) in meant.iter().enumerate() {
        let until = meant.get(at + 1).map_or(u64::MAX, |next| next.0);
        if one == organization && (until == u64::MAX || now < until + LATE) {
            return Ok(());
        }
    }
    Err(format!(
        "it is Ready as {organization}, which {provider:?} does not mean: {meant:?}"
    ))
}

/// What was once told is not taken back for something older.
fn not_gone_back(inner: &mut Inner, before: &Value, object: &Value) -> Held {
    let status = &object["status"];
    let Some(size) = status["sizeBytes"].as_u64() else {
        return Ok(());
    };
    let known = inner
        .rules
        .refs
        .entry(text(object, "/metadata/uid").into())
        .or_default();
    let of = (
        text(status, "/imageID").to_owned(),
        text(status, "/upstream/organization").to_owned(),
    );
    let told = known.told.entry(of).or_insert(size);
    if *told > size && before["status"]["sizeBytes"] != size {
        return Err(format!(
            "version {} was told of before {}",
            *told - 1000,
            size - 1000
        ));
    }
    *told = size.max(*told);
    Ok(())
}

/// A good verdict goes only for what the platform said, or for age.
fn no_verdict_without_cause(inner: &Inner, before: &Value, after: &Value, now: u64) -> Held {
    let good = |object| condition(object, "Ready").filter(|ready| ready.0 == "True");
    let same = |name: &str| before["status"][name] == after["status"][name];
    if good(before).is_none()
        || good(after).is_some()
        || !same("observedGeneration")
        || !same("resolvedFor")
    {
        return Ok(());
    }
    let (truth, reason) = condition(after, "Ready").ok_or("Ready has gone")?;
    let image = &inner.cloud.images[text(before, "/status/imageID")];
    let caused = match reason {
        "ImageNotFound" => {
            // Said twice, and told in between.
            let twice =
                |(first, last)| last - first + SKEW >= 5 * MINUTE && now < last + 10 * MINUTE;
            let told = condition(before, "Stale") == Some(("True", "NotFoundUnconfirmed"));
            told && image.said_gone.is_some_and(twice)
        }
        "ImageNotActive" => {
            // An answer is taken for an interval.
            let lately = |said| now < said + time(after, "interval") + SKEW;
            image.said_inactive.is_some_and(lately)
        }
        "StaleTooLong" => {
            let checked: jiff::Timestamp = text(before, "/status/lastCheckedTime").parse().unwrap();
            let checked = checked.as_millisecond() - 1_800_000_000_000;
            now + SKEW >= u64::try_from(checked).unwrap_or(0) + time(after, "maxStaleness")
        }
        _ => false,
    };
    if caused {
        Ok(())
    } else {
        Err(format!(
            "a good verdict became {truth}/{reason} without a cause"
        ))
    }
}

/// Without news there is a heartbeat, and an outage costs two writes.
fn no_write_without_news(inner: &mut Inner, before: &Value, after: &Value, now: u64) -> Held {
    let uid = text(after, "/metadata/uid").to_owned();
    let image = text(after, "/status/imageID");
    let changed = inner
        .cloud
        .images
        .get(image)
        .map_or(0, |image| image.changed);
    let changed = changed.max(digest::news(inner, after));
    let mut stir = inner.rules.stir;
    if digest::asks(after) {
        stir = stir.max(inner.rules.registry_stir);
    }
    let known = inner.rules.refs.entry(uid.clone()).or_default();
    let news = known.stirred.max(changed);
    let last = std::mem::replace(&mut known.written, now);
    let heartbeat = time(after, "maxStaleness") / 4;
    if last > 0 && now > news.max(stir) + SETTLES && now + SKEW < last + heartbeat {
        return Err(format!(
            "it is written {} s after it was, without news since {} s: {} after {}",
            (now - last) / SECOND,
            (now - news.max(stir)) / SECOND,
            after["status"],
            before["status"]
        ));
    }
    if let Some(outage) = &mut inner.rules.outage
        && news < outage.began
        && let Some(writes) = outage.writes.get_mut(&uid)
    {
        *writes += 1;
        let long = now > outage.began + heartbeat;
        if *writes > 2 + u32::from(long) {
            return Err(format!("an outage costs it {writes} writes"));
        }
    }
    if let Some(outage) = &mut inner.rules.registry_outage
        && news < outage.began
        && let Some(writes) = outage.writes.get_mut(&uid)
    {
        *writes += 1;
        // The platform answers, and that is confirmed all the time.
        let heartbeats = 1 + (now - outage.began) / heartbeat;
        if u64::from(*writes) > 2 + heartbeats {
            return Err(format!(
                "an outage of the registry costs it {writes} writes"
            ));
        }
    }
    Ok(())
}

/// Nobody may use an image for long that the platform does not have, or has not active.
pub(super) fn not_used_too_long(inner: &Inner, now: u64) -> Held {
    for (key, object) in inner
        .store
        .objects
        .iter()
        .filter(|(key, _)| key.0 == "imagerefs")
    {
        if condition(object, "Ready").is_none_or(|r| r.0 != "True" || r.1 == "Suspended") {
            continue;
        }
        let image = inner.cloud.images.get(text(object, "/status/imageID"));
        let Some(since) = image.and_then(|image| image.unusable_since) else {
            continue;
        };
        let known = inner.rules.refs.get(text(object, "/metadata/uid"));
        let since = since
            .max(known.map_or(0, |known| known.stirred))
            .max(inner.rules.stir_of(object));
        let allowed = time(object, "maxStaleness") + 60 * MINUTE;
        if now > since + allowed {
            return Err(format!(
                "{}/{}: Ready, and its image cannot be used for {} s",
                key.1,
                key.2,
                (now - since) / SECOND
            ));
        }
    }
    Ok(())
}

impl Inner {
    /// Whether what befalls the platform befalls those who ask through the provider of a reference.
    pub(super) fn befalls(&self, object: &Value) -> bool {
        let account = account_of(&provider_of(object));
        self.cloud.weather != Weather::Pausing || account == self.cloud.only
    }
}

impl super::Rules {
    /// When the provider of a reference last changed.
    fn stir_of(&self, object: &Value) -> u64 {
        let meant = self.meant.get(&provider_of(object));
        meant
            .and_then(|meant| meant.last())
            .map_or(0, |last| last.0)
    }
}

/// Since when all that may want an answer about an image through a key have one: the last edit of any, or
/// the last time that one of them went over to another image, which a process may hear of later.
/// `None` if one has not, or nobody wants one, or if the watch has for long not brought the answer to the
/// process that wrote it.
pub(super) fn settled_since(
    inner: &Inner,
    who: Who,
    (key, path): (&str, &str),
    now: u64,
) -> Option<u64> {
    let account = inner.cloud.keys.get(key)?;
    let mut parts = path.split('/').skip(2);
    let (project, _, id) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let organization = organization(account, project);
    settled(inner, who, (&organization, id?), |_| true, now)
}

/// The same of an image in an organization, where `also` says what more an answered reference has.
pub(super) fn settled(
    inner: &Inner,
    who: Who,
    (organization, id): (&str, &str),
    mut also: impl FnMut(&Value) -> bool,
    now: u64,
) -> Option<u64> {
    let told = inner.rules.told.get(&who).copied().unwrap_or(0);
    let mut since = None;
    for object in inner
        .store
        .objects
        .iter()
        .filter(|(key, _)| key.0 == "imagerefs")
        .map(|(_, o)| o)
    {
        if object["spec"]["source"]["notebook"]["id"] != id {
            continue;
        }
        let meant = inner.rules.meant.get(&provider_of(object));
        let through = meant.is_some_and(|meant| meant.iter().any(|(_, one)| *one == organization));
        if !through {
            continue;
        }
        let known = inner.rules.refs.get(text(object, "/metadata/uid"));
        since = since.max(Some(known.map_or(0, |known| known.edited)));
        let status = &object["status"];
        let wanted = &object["metadata"]["annotations"]["imageref.dev/reconcile-requested-at"];
        let settled = status["observedGeneration"] == object["metadata"]["generation"]
            && condition(object, "Ready") == Some(("True", "Resolved"))
            && condition(object, "Stale").is_none_or(|stale| stale.0 != "True")
            && status["upstream"]["organization"] == organization
            && (wanted.is_null() || status["lastHandledReconcileAt"] == *wanted)
            && also(object);
        let version: u64 = text(object, "/metadata/resourceVersion").parse().unwrap();
        let written = known.map_or(0, |known| known.written);
        if !settled || (version > told && now > written + PUT_OFF) {
            return None;
        }
    }
    since.map(|since| since.max(inner.rules.left.get(id).copied().unwrap_or(0)))
}
