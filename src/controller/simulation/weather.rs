//! What happens to the operators: edits, changed images, outages, crashes.
//!
//! Owns when and what. Must not know what should come of it. The invariant that would break first: all of
//! it follows from the seed and the time alone, so that it is the same whatever operators do.

use super::chance::Draw;
use super::cloud::{IMAGES, Weather, id};
use super::registry;
use super::rules::{MINUTE, SECOND};
use super::rules::{registry as registry_rules, status_outage};
use super::users::{ACCOUNTS, change_provider, mend, user};
use super::world::{INSTANCES, Inner, Way, World, milliseconds};
use std::sync::Arc;
use tokio::sync::Notify;

/// Storms, in which faults concern everybody, last an hour of two and a half.
const CYCLE: u64 = 150 * MINUTE;
const STORM: u64 = 60 * MINUTE;

/// What happens, after how many seconds each time, and whether in storms alone.
type Rhythm = (Arc<World>, String, std::ops::Range<u64>, bool);

/// Does something again and again, with a wait drawn between, until all is calm.
async fn again((world, what, seconds, only_in_storms): Rhythm, act: impl AsyncFn(&mut Draw, u64)) {
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
        let rhythm = rhythm(&format!("process {number}"), 60..700, true);
        let (world, crash, end) = (world.clone(), &crash[number], &end[number]);
        async move {
            again(rhythm, async |draw, _| {
                process(&world, number, draw, crash, end).await;
            })
            .await;
        }
    };
    tokio::join!(
        again(rhythm("user", 10..120, false), async |draw, nth| {
            user(&world, draw, nth).await;
        }),
        again(rhythm("image", 60..600, false), async |draw, _| {
            image(&world, draw);
        }),
        again(rhythm("provider", 60..500, true), async |draw, nth| {
            change_provider(&world, draw, nth).await;
        }),
        again(rhythm("cloud", 200..1500, true), async |draw, _| {
            cloud(&world, draw).await;
        }),
        again(rhythm("tag", 30..200, false), async |draw, _| {
            tag(&world, draw);
        }),
        again(rhythm("registry", 200..1500, true), async |draw, _| {
            registry(&world, draw).await;
        }),
        instance(0),
        instance(1),
    );
}

fn image(world: &World, draw: &mut Draw) {
    let number = draw.within(0..IMAGES);
    let id = id(number);
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
            if status.is_some() {
                let version = inner.cloud.images[&id].version;
                inner.registry.push(number, version, now);
            }
            Ok(())
        },
    );
}

/// An image's tag is pushed again.
fn tag(world: &World, draw: &mut Draw) {
    let number = draw.within(0..IMAGES);
    world.step(
        "tag",
        &format!("of {number} is pushed again"),
        |inner, now| {
            let version = inner.cloud.images[&id(number)].version;
            inner.registry.push(number, version, now);
            Ok(())
        },
    );
}

async fn registry(world: &World, draw: &mut Draw) {
    use registry::Weather;
    let kinds = [
        Weather::Failing,
        Weather::Failing,
        Weather::Hanging,
        Weather::Throttling,
        Weather::Throttling,
        Weather::Garbled,
        Weather::Denying,
    ];
    let kind = *draw.pick(&kinds);
    world.step(
        "weather",
        &format!("the registry is {kind:?}"),
        |inner, now| {
            inner.registry.weather = kind;
            registry_rules::fails(inner, now);
            Ok(())
        },
    );
    let lasts = if draw.one_in(8) {
        60 * MINUTE..150 * MINUTE
    } else {
        MINUTE..20 * MINUTE
    };
    let until = world.now() + draw.within(lasts);
    while world.now() < until && !world.lock().calm {
        tokio::time::sleep(milliseconds((until - world.now()).min(MINUTE))).await;
    }
    world.step("weather", "the registry is well again", |inner, now| {
        inner.registry.weather = Weather::Fine;
        registry_rules::stirred(inner, now);
        Ok(())
    });
}

async fn cloud(world: &World, draw: &mut Draw) {
    let kinds = [
        Weather::Failing,
        Weather::Failing,
        Weather::Hanging,
        Weather::Throttling,
        Weather::Garbled,
        Weather::Empty,
        Weather::Pausing,
    ];
    let kind = *draw.pick(&kinds);
    let lasts = match kind {
        Weather::Pausing => 60 * MINUTE..110 * MINUTE,
        _ if draw.one_in(10) => 60 * MINUTE..240 * MINUTE,
        _ => MINUTE..20 * MINUTE,
    };
    let until = world.now() + draw.within(lasts);
    let only = *draw.pick(&ACCOUNTS);
    world.step(
        "weather",
        &format!("the platform is {kind:?}"),
        |inner, now| {
            inner.cloud.weather = kind;
            (inner.cloud.well_at, inner.cloud.only) = (until, only);
            inner.rules.outage = Some(status_outage(inner, now));
            inner.rules.stir = now;
            inner.rules.registry_outage = None;
            Ok(())
        },
    );
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
                inner.instances[number].way = way;
            });
            tokio::time::sleep(milliseconds(draw.within(SECOND..5 * MINUTE))).await;
            say("reaches the API server".into(), &|inner, _| {
                inner.instances[number].way = Way::Fine;
            });
        }
        _ => {
            let skew = i64::try_from(draw.within(0..10 * SECOND)).unwrap() - 5000;
            say(format!("its clock jumps to {skew} ms"), &|inner, _| {
                inner.instances[number].skew = skew;
            });
        }
    }
}

/// Ends every fault.
pub(super) fn calm(world: &World) {
    world.step("weather", "calm", |inner, now| {
        inner.calm = true;
        inner.cloud.weather = Weather::Fine;
        inner.registry.weather = registry::Weather::Fine;
        registry_rules::stirred(inner, now);
        for instance in &mut inner.instances {
            instance.way = Way::Fine;
        }
        for team in 0..3 {
            mend(inner, team, now);
        }
        Ok(())
    });
}
