//! Catalogues: written at most once a minute, unless an image in it may not be used any more.

use super::{Held, SECOND};
use crate::controller::simulation::store::Key;
use crate::controller::simulation::world::Inner;
use serde_json::Value;

/// As much as clocks of two processes differ.
const SKEW: u64 = 12 * SECOND;

pub(super) fn written(inner: &mut Inner, key: &Key, before: &Value, now: u64) -> Held {
    let object = &inner.store.objects[key];
    let size = object.to_string().len();
    if size > 1024 * 1024 {
        return Err(format!("the catalogue {key:?} has {size} bytes"));
    }
    let usable = |object: &Value, text: &str| object["status"]["images"][text]["usable"] == true;
    let empty = serde_json::Map::new();
    let listed = before["status"]["images"].as_object().unwrap_or(&empty);
    let lost = listed
        .keys()
        .any(|text| usable(before, text) && !usable(object, text));
    let edited = before["status"]["observedGeneration"] != object["status"]["observedGeneration"];
    let previous = inner.rules.catalogues.insert(key.clone(), now);
    match previous {
        Some(before) if !lost && !edited && now + SKEW < before + 60 * SECOND => Err(format!(
            "the catalogue {key:?} is written {} ms after it was, and nothing in it was lost",
            now - before
        )),
        _ => Ok(()),
    }
}

/// How a pod may name an image: all of it, without its digest, without its tag.
fn texts(image: &str) -> Vec<String> {
    let Some((tagged, digest)) = image.split_once('@') else {
        return vec![image.into()];
    };
    let path = tagged.rsplit_once(':').map_or(tagged, |(path, _)| path);
    vec![image.into(), tagged.into(), format!("{path}@{digest}")]
}

/// Whether it says what the references say now.
pub(super) fn agrees(inner: &Inner, key: &Key) -> Held {
    let catalogue = &inner.store.objects[key];
    let refs = inner.store.objects.iter();
    let refs = refs.filter(|(of, _)| of.0 == "imagerefs" && of.1 == key.1);
    let mut expected = std::collections::BTreeMap::new();
    for (_, object) in refs {
        let through = object["status"]["provider"]["kind"].as_str();
        let Some(image) = object["status"]["image"].as_str() else {
            continue;
        };
        let ready = super::condition(object, "Ready").is_some_and(|ready| ready.0 == "True");
        for text in texts(image) {
            let known = expected.entry(text).or_insert((false, through.is_some()));
            known.0 |= ready && through == Some("ClusterImageProvider");
        }
    }
    let empty = serde_json::Map::new();
    let listed = catalogue["status"]["images"].as_object().unwrap_or(&empty);
    for (text, image) in listed {
        let may = expected.get(text).is_some_and(|(ready, _)| *ready);
        if image["usable"] == true && !may {
            return Err(format!(
                "{key:?} says that {text} may be used, and no reference does"
            ));
        }
    }
    for (text, (ready, _)) in expected {
        if ready
            && !listed
                .get(&text)
                .is_some_and(|image| image["usable"] == true)
        {
            return Err(format!("{key:?} does not say that {text} may be used"));
        }
    }
    Ok(())
}
