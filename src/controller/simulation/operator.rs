//! A process of the operator: election, controller, end. As `imageref controller` runs them.
//!
//! Owns the life of a process: start, freeze, crash, start again. Must not know what it does. The
//! invariant that would break first: what is run is the controller as a whole; only its clients, its
//! clock and its executor are simulated.

use super::cloud::Weather;
use super::rules::calls::{BURST, RATE};
use super::rules::{MINUTE, SECOND};
use super::server::serve;
use super::world::{Who, World, milliseconds};
use crate::cloud::gate::Limits;
use crate::cloud::identity::{Clock, Exchanger, IdentityEndpoints};
use crate::cloud::sign_in::OperatorIdentities;
use crate::cloud::transport::{Answer, Request, StandIn};
use crate::cloud::{AllowedEndpoints, Clouds, DerivedSigning, Entropy, Network};
use crate::controller::lease::{Claim, Election, Times};
use crate::controller::{Config, Share, run_by};
use crate::facts::{Failure, FailureKind};
use crate::registry::{LoginEndpoints, Logins, Reader, Registries, RegistryHosts, RegistryOptions};
use futures::FutureExt as _;
use kube::Client;
use kube::client::Body;
use secrecy::ExposeSecret as _;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::{Layer as _, Service as _};

/// Ten times the process's own: ten times fewer steps go to the lease.
pub(super) const TIMES: Times = Times {
    duration: Duration::from_secs(150),
    claim: Duration::from_secs(120),
    renew: Duration::from_secs(30),
    look: Duration::from_secs(10),
    call: Duration::from_secs(3),
};

fn client(world: &Arc<World>, who: Who, claim: Option<&Claim>) -> Client {
    let (server, queue) = (world.clone(), world.clone());
    let service = tower::service_fn(move |request| serve(server.clone(), who, request));
    let Some(claim) = claim else {
        return Client::new(service, "default");
    };
    let claimed = claim.layer(service);
    let queued = tower::service_fn(move |request: hyper::Request<Body>| {
        let (mut claimed, world) = (claimed.clone(), queue.clone());
        async move {
            let instance = who.instance;
            let writes = *request.method() == hyper::Method::PATCH;
            let freezes = writes.then(|| world.lock().instances[instance].freezes_at_write.take());
            let Some(lasts) = freezes.flatten() else {
                world.awake(instance).await;
                return claimed.call(request).await;
            };
            world.freeze(instance, lasts);
            // In a task of its own: in a frozen process no timeout gives up a request, which is the first
            // thing that goes on.
            let sent = async move {
                world.awake(instance).await;
                if !world.is_alive(who) {
                    return Err("the process has ended".into());
                }
                claimed.call(request).await
            };
            tokio::spawn(sent).await?
        }
    });
    Client::new(queued, "default")
}

fn platform(world: &Arc<World>, who: Who) -> StandIn {
    let world = world.clone();
    Arc::new(move |request: &Request<'_>| {
        let signed = |name: &str| {
            let mut headers = request.headers.iter();
            let found = headers.find(|(found, _)| found.eq_ignore_ascii_case(name));
            found
                .map_or("", |(_, value)| value.expose_secret())
                .to_owned()
        };
        let key = signed("authorization");
        let key = key.split("Access=").nth(1).unwrap_or_default();
        let key = key.split(',').next().unwrap_or_default().to_owned();
        let (path, query) = (request.path.to_owned(), request.query.to_owned());
        // What was asked is answered, even if the process ends meanwhile.
        let answered = tokio::spawn(answer(world.clone(), who, key, path, query));
        answered.map(Result::unwrap).boxed()
    })
}

/// One call to the platform.
async fn answer(
    world: Arc<World>,
    who: Who,
    key: String,
    path: String,
    query: String,
) -> Result<Answer, Failure> {
    world.awake(who.instance).await;
    let what = format!("{} {key} {path}", who.instance);
    let mut draw = world.draw(&what);
    world.step("cloud", &format!("{what} is asked"), |inner, now| {
        super::rules::asked(inner, who, &key, &path, now)
    });
    tokio::time::sleep(milliseconds(draw.within(20..400))).await;
    let (weather, calm) = {
        let inner = world.lock();
        (inner.cloud.weather_of(&key), inner.calm)
    };
    let stray = !calm && draw.one_in(400);
    let broken = || Failure::new(FailureKind::Unreachable, "the connection broke");
    let fault = |code: &str| serde_json::json!({"error_code": code, "error_msg": "simulated"});
    let mut retry_after = None;
    let (status, body) = match weather {
        Weather::Hanging => {
            tokio::time::sleep(Duration::from_secs(90)).await;
            (504, fault("ModelArts.4503"))
        }
        Weather::Failing => (500, fault("ModelArts.5039")),
        Weather::Throttling => {
            retry_after = Some(Duration::from_secs(draw.within(5..90)));
            (429, fault("ModelArts.6101"))
        }
        Weather::Pausing => {
            let left = world.lock().cloud.well_at.saturating_sub(world.now());
            retry_after = Some(milliseconds(left.clamp(SECOND, 40 * MINUTE)));
            (429, fault("ModelArts.6101"))
        }
        Weather::Garbled => (200, serde_json::json!({"hello": "world"})),
        Weather::Fine | Weather::Empty if stray => (502, serde_json::Value::Null),
        Weather::Fine | Weather::Empty => {
            let mut said = (401, fault("ModelArts.6401"));
            world.step("cloud", &format!("{what} is answered"), |inner, now| {
                if let Some(account) = inner.cloud.keys.get(&key).cloned() {
                    said = inner.cloud.answer(&account, &path, &query, now);
                }
                Ok(())
            });
            said
        }
    };
    tokio::time::sleep(milliseconds(draw.within(20..200))).await;
    if weather == Weather::Failing && draw.one_in(3) {
        return Err(broken());
    }
    world.awake(who.instance).await;
    if !world.is_alive(who) {
        return Err(broken());
    }
    world.step("cloud", &format!("{what} says {status}"), |inner, now| {
        super::rules::heard(inner, who, &key, &path, (status, retry_after), now);
        Ok(())
    });
    Ok(Answer {
        status,
        request_id: Some(format!("request-{}", draw.next())),
        retry_after,
        subject_token: None,
        expires: None,
        date: None,
        body: body.to_string().into_bytes(),
    })
}

/// What asks registries, with the budget of a provider.
fn reader(world: &Arc<World>, who: Who, clock: &Clock) -> Reader {
    let options = RegistryOptions {
        clock: clock.clone(),
        limits: Limits {
            requests_per_second: RATE.try_into().unwrap(),
            burst: BURST.try_into().unwrap(),
            ..Limits::default()
        },
        ..RegistryOptions::default()
    };
    let registries = Registries::new(Network::default(), RegistryHosts::default(), options);
    let registries = registries
        .unwrap()
        .with_stand_in(super::registry::stand_in(world, who));
    // Asked for nothing: no provider shows its own login.
    let endpoints = LoginEndpoints::default();
    let logins = Logins::new(Network::default(), endpoints, DerivedSigning::Never);
    Reader::new(registries, logins.unwrap())
}

fn config(instance: usize) -> Config {
    Config {
        operator_namespace: "system".into(),
        namespaces: None,
        cluster_providers: true,
        share: Share::Whole,
        allowed: AllowedEndpoints::default(),
        own: OperatorIdentities::default(),
        for_tenants: Limits::FOR_TENANTS,
        admission: crate::admission::Configuration::default(),
        concurrency: 16,
        metrics_per_object: false,
        instance: format!("operator-{instance}"),
    }
}

/// One life, as the process of the operator has it.
async fn life(world: Arc<World>, who: Who, stop: CancellationToken) {
    let me = format!("operator-{}_{}", who.instance, who.life);
    let plain = client(&world, who, None);
    let mut election = Election::new(plain, "system", "imageref-controller", &me, TIMES);
    let client = client(&world, who, Some(&election.claim()));
    if !election.acquire(&stop, |_| {}).await {
        return;
    }
    let clock: Clock = Arc::new({
        let world = world.clone();
        move || world.clock(who.instance)
    });
    let entropy = Entropy {
        clock: Box::new({
            let clock = clock.clone();
            move || clock()
        }),
        ..Entropy::default()
    };
    let clouds = Clouds::with_entropy(Network::default(), entropy).unwrap();
    let clouds = clouds.with_stand_in(platform(&world, who));
    let exchanger = Exchanger::new(Network::default(), IdentityEndpoints::default()).unwrap();
    let reader = reader(&world, who, &clock);
    let clients = (clouds, exchanger.with_clock(clock.clone()), Some(reader));
    let told = (Arc::default(), Arc::default());
    let work = run_by(clock, client, clients, config(who.instance), told, stop);
    tokio::select! {
        // The worse order, and always the same: it works on before it hears that the lease is lost.
        biased;
        _ = Box::pin(work) => {}
        _ = election.keep() => return,
    }
    election.release().await;
}

/// One life, to its end; says how it ended.
async fn one(world: &Arc<World>, who: Who, crash: &Notify, end: &Notify) -> &'static str {
    let stop = CancellationToken::new();
    let mut process = Box::pin(life(world.clone(), who, stop.clone()));
    // A frozen process does nothing, and then everything at once.
    let running = std::future::poll_fn(|context| {
        if world.is_frozen(who.instance, context.waker()) {
            return Poll::Pending;
        }
        process.as_mut().poll(context)
    });
    let asked = async {
        end.notified().await;
        stop.cancel();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = crash.notified() => "crashes",
        () = running => "ends",
        () = asked => "ends",
    }
}

/// Lives one after the other; `crash` ends one wherever it is, `end` in good order.
pub(super) async fn lives(
    world: Arc<World>,
    instance: usize,
    crash: Arc<Notify>,
    end: Arc<Notify>,
) {
    loop {
        let life_number = {
            let mut inner = world.lock();
            inner.instances[instance].life += 1;
            inner.instances[instance].life
        };
        let who = Who {
            instance,
            life: life_number,
        };
        world.step("operator", &format!("{instance} starts"), |_, _| Ok(()));
        let how = one(&world, who, &crash, &end).await;
        world.step("operator", &format!("{instance} {how}"), |inner, _| {
            inner.instances[instance].life += 1;
            Ok(())
        });
        let wait = world.draw(&format!("{instance} away")).within(500..60_000);
        tokio::time::sleep(milliseconds(wait)).await;
    }
}
