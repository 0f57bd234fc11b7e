//! Digests: of the very tag that a status names, kept whatever the registry does, as new as the policy
//! says, and never in the way of what the platform says.

use super::status::{Known, LATE, provider_of, text, time};
use super::{Held, MINUTE, SECOND, condition, status};
use crate::controller::simulation::cloud::{Weather, id};
use crate::controller::simulation::registry::{self, HOST, Push};
use crate::controller::simulation::world::{Inner, Who};
use serde_json::Value;

/// Whether a reference asks the registry at all.
pub(super) fn asks(object: &Value) -> bool {
    object["spec"]["digestPolicy"] != "Never"
}

/// Whether it asks at each look.
fn asks_always(object: &Value) -> bool {
    object["spec"]["digestPolicy"] == "Always"
}

/// Whether what a status says last of the registry is that it failed.
fn registry_failed(object: &Value) -> bool {
    condition(object, "Stale").is_some_and(|stale| stale.1.starts_with("Registry"))
}

/// All that the tag in a status ever meant.
fn pushes<'a>(inner: &'a Inner, object: &Value) -> &'a [Push] {
    let tag = inner.registry.tags.get(text(object, "/status/swrPath"));
    tag.map_or(&[], Vec::as_slice)
}

/// Which of them a status has.
fn pushed(inner: &Inner, object: &Value) -> Option<usize> {
    let digest = object["status"]["digest"].as_str()?;
    let mut pushes = pushes(inner, object).iter();
    pushes.position(|push| push.digest == digest)
}

/// When the tag of a reference that asks for it at each look was last pushed.
pub(super) fn news(inner: &Inner, object: &Value) -> u64 {
    let last = pushes(inner, object).last().filter(|_| asks_always(object));
    last.map_or(0, |push| push.at)
}

/// Digest and platforms are one answer about the very path, and the image for pods is pinned to it.
pub(super) fn of_the_tag(inner: &Inner, object: &Value) -> Held {
    let status = &object["status"];
    let path = text(status, "/swrPath");
    let Some(digest) = status["digest"].as_str() else {
        return if !status["platforms"].is_null() {
            Err(format!("platforms without a digest: {status}"))
        } else if text(status, "/image") == path {
            Ok(())
        } else {
            Err(format!("another image than the path: {status}"))
        };
    };
    if !asks(object) {
        return Err(format!("a digest that nobody asked for: {status}"));
    }
    let Some(push) = pushed(inner, object).map(|at| &pushes(inner, object)[at]) else {
        return Err(format!("{path} never meant {digest}"));
    };
    if text(status, "/image") != format!("{path}@{digest}") {
        return Err(format!("the image is not pinned to its digest: {status}"));
    }
    let platforms = status["platforms"].as_array().into_iter().flatten();
    if platforms.ne(&push.platforms) {
        let expected = &push.platforms;
        return Err(format!("{digest} runs on {expected:?}: {status}"));
    }
    Ok(())
}

/// What was read stays with its path, changes only where it is asked for, and goes not back.
pub(super) fn written(inner: &Inner, before: &Value, after: &Value, now: u64) -> Held {
    let same = |path: &str| before["status"][path] == after["status"][path];
    let Some(new) = pushed(inner, after) else {
        let lost = same("swrPath") && same("imageID") && !before["status"]["digest"].is_null();
        return if lost && asks(after) {
            Err(format!("the digest is gone: {}", after["status"]))
        } else {
            Ok(())
        };
    };
    let old = pushed(inner, before).filter(|_| same("swrPath"));
    if old == Some(new) {
        return Ok(());
    }
    if let Some(old) = old {
        if new < old {
            return Err(format!("the digest of push {old} is that of {new} again"));
        }
        let asked_for = !same("lastHandledReconcileAt") || !same("observedGeneration");
        if !asks_always(after) && !asked_for && !registry_failed(before) {
            return Err(format!(
                "{} was asked for again",
                text(after, "/status/image")
            ));
        }
    }
    // It was so lately.
    let ended = pushes(inner, after)
        .get(new + 1)
        .map_or(now, |next| next.at);
    let old_at_most = if asks_always(after) {
        time(after, "interval")
    } else {
        MINUTE
    };
    // Written a little later, and much later where something has held it up.
    let late = if now < inner.rules.stir + LATE {
        LATE
    } else {
        3 * MINUTE
    };
    if now > ended + old_at_most + late {
        return Err(format!(
            "it has had another digest for {} s: {}",
            (now - ended) / SECOND,
            after["status"]
        ));
    }
    Ok(())
}

/// Since when nobody needs the digest of a tag any more, or but for looking whether it has moved, which
/// the second says. `None` if somebody may need it.
pub(super) fn need(inner: &Inner, who: Who, tag: &str, now: u64) -> Option<(u64, bool)> {
    let (repository, _) = tag.strip_prefix(HOST)?.split_once(':')?;
    let (organization, image) = repository.strip_prefix('/')?.split_once("/image-")?;
    let image = id(image.parse().ok()?);
    let mut always = false;
    let settled = |object: &Value| {
        always |= asks_always(object);
        let status = &object["status"];
        !asks(object) || (status["swrPath"] == tag && !status["digest"].is_null())
    };
    let since = status::settled(inner, who, (organization, &image), settled, now)?;
    Some((since, always))
}

/// What the platform says is told in time, whatever the registry does; and so is what the registry says,
/// unless that fails.
pub(super) fn told_in_time(inner: &Inner, now: u64) -> Held {
    let cloud = &inner.cloud;
    // Outages may be long: they are judged by age and by what they cost.
    if !matches!(cloud.weather, Weather::Fine | Weather::Pausing) {
        return Ok(());
    }
    let refs = inner.store.objects.iter();
    for (key, object) in refs.filter(|(key, _)| key.0 == "imagerefs") {
        let id = text(object, "/spec/source/notebook/id");
        let image = cloud.images.get(id);
        let Some(image) = image.filter(|image| image.status.is_some()) else {
            continue;
        };
        let tells = object["status"]["sizeBytes"] == 1000 + image.version;
        let may_fail = inner.registry.weather != registry::Weather::Fine;
        let reads = may_fail || !asks(object) || image.status != Some("ACTIVE") || {
            let pushed = pushed(inner, object);
            let last = pushes(inner, object).len().checked_sub(1);
            pushed.is_some() && (!asks_always(object) || pushed == last)
        };
        if tells && reads {
            continue;
        }
        if cloud.weather == Weather::Pausing && inner.befalls(object) {
            continue;
        }
        let provider = inner.spec(&provider_of(object));
        let is_off = |spec: &Value| spec["suspend"] == true;
        if provider.is_none_or(is_off) || is_off(&object["spec"]) {
            continue;
        }
        let known = inner.rules.refs.get(text(object, "/metadata/uid"));
        let stirred = known.map_or(0, |known: &Known| known.stirred);
        let mut since = image.changed.max(stirred).max(inner.rules.stir);
        if tells {
            since = since
                .max(news(inner, object))
                .max(inner.rules.registry_stir);
        }
        if now > since + time(object, "interval") * 11 / 10 + LATE {
            return Err(format!(
                "{}/{}: not told for {} s: version {} with {:?}: {object}",
                key.1,
                key.2,
                (now - since) / SECOND,
                image.version,
                pushes(inner, object).last().map(|push| &push.digest)
            ));
        }
    }
    Ok(())
}

/// What must be so in the end, of an image that may be used.
pub(super) fn right(inner: &Inner, object: &Value) -> Held {
    let pushed = pushed(inner, object);
    if !asks(object) {
        return Ok(());
    }
    let Some(pushed) = pushed else {
        return Err("its digest was not read".into());
    };
    if asks_always(object) && pushed + 1 != pushes(inner, object).len() {
        return Err(format!("its tag has moved since push {pushed}"));
    }
    Ok(())
}
