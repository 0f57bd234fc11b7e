//! What users do: they make references and providers, change them, and rotate keys.
//!
//! Owns the objects of users and how they change. Must not know what should come of it, nor when it is
//! done. The invariant that would break first: all of it follows from what is drawn, whatever operators do.

use super::chance::Draw;
use super::cloud::{IMAGES, PROJECTS, id, organization};
use super::rules::calls::{BURST, RATE};
use super::rules::{MINUTE, SECOND};
use super::store::Key;
use super::world::{Inner, World, milliseconds};
use serde_json::{Value, json};

pub(super) const ACCOUNTS: [&str; 3] = ["alpha", "beta", "gamma"];

const TEAMS: [(&str, u64); 3] = [("team-a", 3), ("team-b", 3), ("team-c", 9)];

fn key(plural: &str, namespace: &str, name: &str) -> Key {
    (plural.into(), namespace.into(), name.into())
}

/// The account, Secret and provider of each team.
fn provider(team: usize) -> (&'static str, Key, Key) {
    match team {
        0 => (
            ACCOUNTS[0],
            key("secrets", "team-a", "keys"),
            key("imageproviders", "team-a", "default"),
        ),
        1 => (
            ACCOUNTS[1],
            key("secrets", "team-b", "keys"),
            key("imageproviders", "team-b", "default"),
        ),
        _ => (
            ACCOUNTS[2],
            key("secrets", "system", "keys"),
            key("clusterimageproviders", "", "shared"),
        ),
    }
}

/// Whose provider it is.
pub(super) fn account_of(of: &Key) -> &'static str {
    let mut accounts = (0..3).map(provider);
    let found = accounts.find(|(_, _, key)| key == of);
    found.map_or("", |(account, ..)| account)
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn make_provider(inner: &mut Inner, team: usize, project: &str, now: u64) {
    let (account, _, key) = provider(team);
    let cluster = key.1.is_empty();
    let mut spec = json!({
        "modelArts": {"region": "cn-north-4", "projectId": project},
        "auth": {"secretRef": {"name": "keys"}},
        "limits": {"requestsPerSecond": RATE, "burst": BURST},
    });
    if cluster {
        spec["allowedNamespaces"] = json!({"names": ["team-c"]});
    }
    let kind = if cluster {
        "ClusterImageProvider"
    } else {
        "ImageProvider"
    };
    let object =
        json!({"apiVersion": "imageref.dev/v1alpha1", "kind": kind, "metadata": {}, "spec": spec});
    inner.store.create(&key, object);
    inner.rules.means(&key, organization(account, project), now);
}

fn rotate(inner: &mut Inner, team: usize, to: u64) {
    let (account, secret, _) = provider(team);
    let access_key = format!("AK{account}{to}");
    inner.cloud.keys.retain(|_, of| of != account);
    inner.cloud.keys.insert(access_key.clone(), account.into());
    let data = json!({"accessKeyId": base64(&access_key), "accessKeySecret": base64("secret")});
    let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {}, "data": data});
    inner.store.create(&secret, object);
    inner.store.edit(&secret, |secret| secret["data"] = data);
}

fn image_of(object: &Value) -> String {
    let id = object["spec"]["source"]["notebook"]["id"].as_str();
    id.unwrap_or_default().to_owned()
}

fn reference(draw: &mut Draw, team: usize) -> Value {
    let pool = if team == 2 { 0..10 } else { 8..IMAGES };
    let interval = *draw.pick(&["10m", "20m", "30m"]);
    let mut spec = json!({
        "source": {"notebook": {"id": id(draw.within(pool))}}, "interval": interval,
        "maxStaleness": *draw.pick(&["1h", "2h", "3h"]), "digestPolicy": *draw.pick(&["Never", "IfNotPresent", "Always"]),
    });
    if team == 2 {
        spec["providerRef"] = json!({"kind": "ClusterImageProvider", "name": "shared"});
    }
    json!({"apiVersion": "imageref.dev/v1alpha1", "kind": "ImageRef", "metadata": {}, "spec": spec})
}

/// What there is in the beginning.
pub(super) fn begin(world: &World) {
    world.step("user", "begins", |inner, now| {
        for (team, (namespace, count)) in TEAMS.iter().enumerate() {
            rotate(inner, team, 0);
            make_provider(inner, team, PROJECTS[0], now);
            if team == 2 {
                // One: two would be gathered in an order that no seed repeats.
                let catalogue = json!({
                    "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageCatalog", "metadata": {}, "spec": {},
                });
                inner.store.create(&key("imagecatalogs", namespace, "images"), catalogue);
            }
            for number in 0..*count {
                let mut draw = Draw::of(world.seed, namespace, number);
                let object = reference(&mut draw, team);
                inner.store.create(&key("imagerefs", namespace, &format!("r{number}")), object);
            }
        }
        Ok(())
    });
}

/// One user changes one reference, and perhaps at once again.
pub(super) async fn user(world: &World, draw: &mut Draw, nth: u64) {
    let team = usize::try_from(draw.within(0..3)).unwrap();
    let (namespace, count) = TEAMS[team];
    let key = key(
        "imagerefs",
        namespace,
        &format!("r{}", draw.within(0..count)),
    );
    change(world, draw, nth, (team, &key));
    tokio::time::sleep(milliseconds(draw.within(20..2500))).await;
    match draw.within(0..3) {
        // Something else while the first is still worked on.
        0 => change(world, draw, nth, (team, &key)),
        1 => {
            let (account, _, key) = provider(team);
            world.step(
                "user",
                &format!("touches the provider of {account}"),
                |inner, _| {
                    touch(inner, &key, nth);
                    Ok(())
                },
            );
        }
        _ => {}
    }
}

/// A change of a provider that changes nothing for anybody.
fn touch(inner: &mut Inner, key: &Key, nth: u64) {
    let concurrent = 2 + nth % 3;
    inner.store.edit(key, |object| {
        object["spec"]["limits"]["maxConcurrent"] = concurrent.into();
    });
}

fn change(world: &World, draw: &mut Draw, nth: u64, (team, key): (usize, &Key)) {
    let deed = draw.within(0..10);
    world.step(
        "user",
        &format!("does {deed} to {}/{}", key.1, key.2),
        |inner, now| {
            let store = &mut inner.store;
            let exists = store.objects.contains_key(key);
            let new = reference(draw, team);
            let image_before = store.objects.get(key).map(image_of);
            match deed {
                _ if !exists => drop(store.create(key, new)),
                0 => drop::<bool>(store.delete(key)),
                1 => {
                    store.delete(key);
                    store.create(key, new);
                }
                2 | 3 => drop::<bool>(store.edit(key, |object| {
                    object["spec"]["source"] = new["spec"]["source"].clone();
                })),
                4 => drop::<bool>(store.edit(key, |object| {
                    let suspend = object["spec"]["suspend"] == true;
                    object["spec"]["suspend"] = (!suspend).into();
                })),
                5 => drop::<bool>(store.edit(key, |object| {
                    object["spec"]["suspend"] = false.into();
                    object["spec"]["interval"] = new["spec"]["interval"].clone();
                    object["spec"]["maxStaleness"] = new["spec"]["maxStaleness"].clone();
                    object["spec"]["digestPolicy"] = new["spec"]["digestPolicy"].clone();
                })),
                _ => drop::<bool>(store.edit(key, |object| {
                    object["metadata"]["annotations"]["imageref.dev/reconcile-requested-at"] =
                        nth.to_string().into();
                })),
            }
            let image = store.objects.get(key).map(image_of);
            if let Some(left) = image_before.filter(|before| image.as_ref() != Some(before)) {
                inner.rules.left.insert(left, now);
            }
            let uid = store
                .objects
                .get(key)
                .map(|object| object["metadata"]["uid"].as_str().unwrap().to_owned());
            if let Some(uid) = uid {
                let known = inner.rules.refs.entry(uid).or_default();
                known.stirred = now;
                // The others ask for a look, which answers them.
                if exists && matches!(deed, 4 | 5) {
                    known.edited = now;
                }
            }
            Ok(())
        },
    );
}

/// A provider's owner changes it, or takes it away for a while.
pub(super) async fn change_provider(world: &World, draw: &mut Draw, nth: u64) {
    let team = usize::try_from(draw.within(0..3)).unwrap();
    let (account, _, key) = provider(team);
    let deed = draw.within(0..8);
    let project = *draw.pick(&PROJECTS);
    world.step(
        "user",
        &format!("does {deed} to the provider of {account}"),
        |inner, now| {
            let mut stirs = true;
            match deed {
                0 => {
                    let edit = |object: &mut Value| {
                        object["spec"]["modelArts"]["projectId"] = project.into();
                    };
                    inner.store.edit(&key, edit);
                    inner.rules.means(&key, organization(account, project), now);
                }
                1 => drop::<bool>(inner.store.edit(&key, |object| {
                    let suspend = object["spec"]["suspend"] == true;
                    object["spec"]["suspend"] = (!suspend).into();
                })),
                2 => rotate(inner, team, nth),
                3 => drop::<bool>(inner.store.delete(&key)),
                _ => {
                    // What changes nothing for anybody.
                    stirs = false;
                    touch(inner, &key, nth);
                }
            }
            if stirs {
                inner.rules.stirred(now);
            }
            Ok(())
        },
    );
    if deed == 1 || deed == 3 {
        tokio::time::sleep(milliseconds(draw.within(SECOND..10 * MINUTE))).await;
        world.step(
            "user",
            &format!("mends the provider of {account}"),
            |inner, now| {
                mend(inner, team, now);
                Ok(())
            },
        );
    }
}

/// Makes a provider serve again.
pub(super) fn mend(inner: &mut Inner, team: usize, now: u64) {
    let (_, _, key) = provider(team);
    inner
        .store
        .edit(&key, |object| object["spec"]["suspend"] = false.into());
    make_provider(inner, team, PROJECTS[0], now);
    let project = inner
        .spec(&key)
        .map(|spec| spec["modelArts"]["projectId"].as_str().unwrap().to_owned());
    let organization = organization(provider(team).0, &project.unwrap());
    inner.rules.means(&key, organization, now);
    inner.rules.stirred(now);
}
