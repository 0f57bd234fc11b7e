//! What happens to the operators: users, images, outages, crashes.
//!
//! Owns when and what. Must not know what should come of it. The invariant that would break first: all of
//! it follows from the seed and the time alone, so that it is the same whatever operators do.

use super::chance::Draw;
use super::cloud::{IMAGES, PROJECTS, Weather, id, organization};
use super::rules::calls::{BURST, RATE};
use super::rules::status_outage;
use super::rules::{MINUTE, SECOND};
use super::store::Key;
use super::world::{INSTANCES, Inner, Way, World, milliseconds};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Notify;

/// Storms, in which faults concern everybody, last an hour of two and a half.
const CYCLE: u64 = 150 * MINUTE;
const STORM: u64 = 60 * MINUTE;

const TEAMS: [(&str, u64); 3] = [("team-a", 3), ("team-b", 3), ("team-c", 9)];

fn key(plural: &str, namespace: &str, name: &str) -> Key {
    (plural.into(), namespace.into(), name.into())
}

/// The account, Secret and provider of each team.
fn provider(team: usize) -> (&'static str, Key, Key) {
    match team {
        0 => (
            "alpha",
            key("secrets", "team-a", "keys"),
            key("imageproviders", "team-a", "default"),
        ),
        1 => (
            "beta",
            key("secrets", "team-b", "keys"),
            key("imageproviders", "team-b", "default"),
        ),
        _ => (
            "gamma",
            key("secrets", "system", "keys"),
            key("clusterimageproviders", "", "shared"),
        ),
    }
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

fn reference(draw: &mut Draw, team: usize) -> Value {
    let pool = if team == 2 { 0..10 } else { 8..IMAGES };
    let interval = *draw.pick(&["10m", "20m", "30m"]);
    let mut spec = json!({
        "source": {"notebook": {"id": id(draw.within(pool))}}, "interval": interval,
        "maxStaleness": *draw.pick(&["1h", "2h", "3h"]), "digestPolicy": "Never",
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

/// Does something again and again, with a wait drawn between, until all is calm.
async fn again(
    world: Arc<World>,
    what: String,
    seconds: std::ops::Range<u64>,
    only_in_storms: bool,
    act: impl AsyncFn(&mut Draw, u64),
) {
    for nth in 0.. {
        let mut draw = Draw::of(world.seed, &what, nth);
        tokio::time::sleep(milliseconds(
            draw.within(seconds.start * SECOND..seconds.end * SECOND),
        ))
        .await;
        if world.lock().calm {
            return;
        }
        if !only_in_storms || world.now() % CYCLE < STORM {
            act(&mut draw, nth).await;
        }
    }
}

/// Everything that happens, each in its own rhythm; ends when all is calm.
pub(super) async fn weather(
    world: Arc<World>,
    crash: [Arc<Notify>; INSTANCES],
    end: [Arc<Notify>; INSTANCES],
) {
    let rhythm = |what: &str, seconds, storms| (world.clone(), what.to_owned(), seconds, storms);
    let instance = |number: usize| {
        let (world, seconds, storms, _) = (world.clone(), 60..700, true, ());
        let (crash, end) = (&crash[number], &end[number]);
        let what = format!("process {number}");
        async move {
            let acting = world.clone();
            again(world, what, seconds, storms, async |draw, _| {
                process(&acting, number, draw, crash, end).await
            })
            .await;
        }
    };
    let (a, b, c, d) = (
        rhythm("user", 10..120, false),
        rhythm("image", 60..600, false),
        rhythm("provider", 60..500, true),
        rhythm("cloud", 200..1500, true),
    );
    tokio::join!(
        again(a.0, a.1, a.2, a.3, async |draw, nth| user(
            &world, draw, nth
        )
        .await),
        again(b.0, b.1, b.2, b.3, async |draw, _| image(&world, draw)),
        again(c.0, c.1, c.2, c.3, async |draw, nth| change_provider(
            &world, draw, nth
        )
        .await),
        again(d.0, d.1, d.2, d.3, async |draw, _| cloud(&world, draw)
            .await),
        instance(0),
        instance(1),
    );
}

async fn user(world: &World, draw: &mut Draw, nth: u64) {
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
            match deed {
                _ if !exists => drop(store.create(key, new)),
                0 => drop::<bool>(store.delete(key)),
                1 => {
                    store.delete(key);
                    store.create(key, new);
                }
                2 | 3 => drop::<bool>(store.edit(key, |object| {
                    object["spec"]["source"] = new["spec"]["source"].clone()
                })),
                4 => drop::<bool>(store.edit(key, |object| {
                    let suspend = object["spec"]["suspend"] == true;
                    object["spec"]["suspend"] = (!suspend).into();
                })),
                5 => drop::<bool>(store.edit(key, |object| {
                    object["spec"]["suspend"] = false.into();
                    object["spec"]["interval"] = new["spec"]["interval"].clone();
                    object["spec"]["maxStaleness"] = new["spec"]["maxStaleness"].clone();
                })),
                _ => drop::<bool>(store.edit(key, |object| {
                    object["metadata"]["annotations"]["imageref.dev/reconcile-requested-at"] =
                        nth.to_string().into();
                })),
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

fn image(world: &World, draw: &mut Draw) {
    let id = id(draw.within(0..IMAGES));
    let status = match draw.within(0..8) {
        0 => None,
        1 => Some("INACTIVE"),
        _ => Some("ACTIVE"),
    };
    world.step(
        "image",
        &format!("{id} becomes {status:?}"),
        |inner, now| {
            let gone = inner
                .cloud
                .images
                .values()
                .filter(|image| image.status.is_none())
                .count();
            // So few that it is not taken for a fault.
            let status = status.or((gone >= 2).then_some("ACTIVE"));
            inner.cloud.change(&id, status, now);
            Ok(())
        },
    );
}

async fn change_provider(world: &World, draw: &mut Draw, nth: u64) {
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
                        object["spec"]["modelArts"]["projectId"] = project.into()
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

fn mend(inner: &mut Inner, team: usize, now: u64) {
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

async fn cloud(world: &World, draw: &mut Draw) {
    let kinds = [
        Weather::Failing,
        Weather::Failing,
        Weather::Hanging,
        Weather::Throttling,
        Weather::Garbled,
        Weather::Empty,
    ];
    let kind = *draw.pick(&kinds);
    let lasts = if draw.one_in(10) {
        60 * MINUTE..240 * MINUTE
    } else {
        MINUTE..20 * MINUTE
    };
    world.step(
        "weather",
        &format!("the platform is {kind:?}"),
        |inner, now| {
            inner.cloud.weather = kind;
            inner.rules.outage = status_outage(inner, now);
            inner.rules.stir = now;
            Ok(())
        },
    );
    let lasts = draw.within(lasts);
    let until = world.now() + lasts;
    while world.now() < until && !world.lock().calm {
        tokio::time::sleep(milliseconds((until - world.now()).min(MINUTE))).await;
    }
    world.step("weather", "the platform is well again", |inner, now| {
        inner.cloud.weather = Weather::Fine;
        inner.rules.stir = now;
        Ok(())
    });
}

async fn process(world: &Arc<World>, number: usize, draw: &mut Draw, crash: &Notify, end: &Notify) {
    let say = |what: String, happens: &dyn Fn(&mut Inner, u64)| {
        world.step(
            "weather",
            &format!("process {number}: {what}"),
            |inner, now| {
                happens(inner, now);
                inner.rules.stirred(now);
                Ok(())
            },
        );
    };
    match draw.within(0..8) {
        0 => crash.notify_one(),
        1 => end.notify_one(),
        2 => world.freeze(number, draw.within(SECOND..6 * MINUTE)),
        3 => {
            let lasts = draw.within(2 * MINUTE..6 * MINUTE);
            world.lock().instances[number].freezes_at_write = Some(lasts);
        }
        4..7 => {
            let ways = [
                Way::Away,
                Way::Hanging,
                Way::Refusing(500),
                Way::Refusing(429),
            ];
            let way = *draw.pick(&ways);
            say(format!("{way:?}"), &|inner, _| {
                inner.instances[number].way = way
            });
            tokio::time::sleep(milliseconds(draw.within(SECOND..5 * MINUTE))).await;
            say("reaches the API server".into(), &|inner, _| {
                inner.instances[number].way = Way::Fine
            });
        }
        _ => {
            let skew = i64::try_from(draw.within(0..10 * SECOND)).unwrap() - 5000;
            say(format!("its clock jumps to {skew} ms"), &|inner, _| {
                inner.instances[number].skew = skew
            });
        }
    }
}

/// Ends every fault.
pub(super) fn calm(world: &World) {
    world.step("weather", "calm", |inner, now| {
        inner.calm = true;
        inner.cloud.weather = Weather::Fine;
        for instance in &mut inner.instances {
            instance.way = Way::Fine;
        }
        for team in 0..3 {
            mend(inner, team, now);
        }
        Ok(())
    });
}
