//! Faults of the Secrets that providers sign in with: rotated, deleted, wrong.
//!
//! Owns how each begins and ends. Must not know how a platform checks them, nor what must hold meanwhile. The invariant that
//! would break first: when a fault is back, each Secret holds the key that its cloud takes.

use crate::fault::Fault;
use crate::mix;
use crate::world::World;
use anyhow::{Context as _, Result, ensure};
use fakecloud::{FaultKind, LoggedRequest};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The operator notices a changed Secret within about a minute; then a look, and its back-off.
const WITHIN: Duration = Duration::from_secs(240);

/// By then a provider whose Secret cannot be used says so.
const NOTICED: Duration = Duration::from_secs(180);

/// How long a noticed fault goes on.
const HELD: Duration = Duration::from_secs(10);

/// From one half of a rotation to the other, a time for each pair of runs.
const APART: [Duration; 4] = [
    Duration::from_secs(3),
    Duration::from_secs(12),
    Duration::from_secs(45),
    Duration::ZERO,
];

const NAMESPACE: &str = "imageref-system";
const ID: &str = "accessKeyId";
const SECRET: &str = "accessKeySecret";

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "secret-rotated",
        what: "A key is rotated: at the cloud first or in the Secret first, at once or with time \
               between, and while calls are under way.",
        runs: 8,
        within: WITHIN,
        strike: |world, run| Box::pin(rotated(world, run)),
    },
    Fault {
        name: "secret-deleted",
        what: "A Secret is deleted, and put back: once its provider has said so; then at once.",
        runs: 2,
        within: WITHIN,
        strike: |world, run| Box::pin(deleted(world, run)),
    },
    Fault {
        name: "secret-wrong",
        what: "A Secret holds no key; then the key of somebody else; then bytes that are no text.",
        runs: 3,
        within: WITHIN,
        strike: |world, run| Box::pin(wrong(world, run)),
    },
];

/// The two accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Account {
    Huawei,
    Alibaba,
}

impl Account {
    /// The Secret that its providers name.
    fn secret(self) -> &'static str {
        match self {
            Self::Huawei => "account",
            Self::Alibaba => "pai",
        }
    }

    /// A provider that names it.
    fn provider(self) -> &'static str {
        match self {
            Self::Huawei => "default",
            Self::Alibaba => mix::PAI,
        }
    }
}

/// A key as a Secret holds it.
struct Key {
    id: String,
    secret: String,
}

fn secrets(world: &World) -> Api<Secret> {
    Api::namespaced(world.client.clone(), NAMESPACE)
}

async fn id(world: &World, account: Account) -> Result<String> {
    let secret = secrets(world).get(account.secret()).await?;
    let id = secret.data.as_ref().and_then(|data| data.get(ID));
    let ByteString(id) = id.context("the Secret has a key's id")?.clone();
    Ok(String::from_utf8(id)?)
}

async fn write(world: &World, account: Account, key: &Key) -> Result<()> {
    let data = json!({"stringData": {ID: key.id, SECRET: key.secret}});
    let (api, params) = (secrets(world), PatchParams::default());
    api.patch(account.secret(), &params, &Patch::Merge(data))
        .await
        .map(drop)
        .context("writing a Secret")
}

async fn rotated(world: &mut World, run: u32) -> Result<()> {
    let account = if run % 4 < 2 {
        Account::Huawei
    } else {
        Account::Alibaba
    };
    let apart = APART[(run as usize / 2) % APART.len()];
    // Half of all calls are under way for so long that the key changes meanwhile.
    let slow = fakecloud::Fault::always(FaultKind::Latency { ms: 2_000 }).percent(50);
    world.cloud.set_faults(vec![slow]);
    let done = if run.is_multiple_of(2) {
        at_the_cloud_first(world, account, apart).await
    } else {
        in_the_secret_first(world, account, apart).await
    };
    let taken = match done {
        Ok(()) => taken(world, account).await,
        Err(error) => Err(error),
    };
    world.cloud.clear_faults();
    taken
}

/// The old key is gone before the Secret has the new one.
async fn at_the_cloud_first(world: &World, account: Account, apart: Duration) -> Result<()> {
    let old = id(world, account).await?;
    let key = match account {
        Account::Huawei => world.cloud.rotate_huawei(&old).map(|key| Key {
            id: key.ak,
            secret: key.account.sk,
        }),
        Account::Alibaba => world.cloud.rotate_alibaba(&old).map(|key| Key {
            id: key.ak,
            secret: key.account.secret,
        }),
    };
    let key = key.with_context(|| format!("the cloud does not know {old}"))?;
    tokio::time::sleep(apart).await;
    write(world, account, &key).await
}

/// Both keys work until the old one is gone, which the operator need not have noticed.
async fn in_the_secret_first(world: &World, account: Account, apart: Duration) -> Result<()> {
    let cloud = &world.cloud;
    let old = id(world, account).await?;
    let unknown = || format!("the cloud does not know {old}");
    let number = jiff::Timestamp::now().as_nanosecond();
    let key = Key {
        id: format!("CHAOS{number}"),
        secret: format!("secret-of-chaos-{number}"),
    };
    match account {
        Account::Huawei => {
            let mut account = cloud.huawei_accounts().remove(&old).with_context(unknown)?;
            account.sk.clone_from(&key.secret);
            cloud.add_huawei_account(&key.id, account);
        }
        Account::Alibaba => {
            let mut account = cloud
                .alibaba_accounts()
                .remove(&old)
                .with_context(unknown)?;
            account.secret.clone_from(&key.secret);
            cloud.add_alibaba_account(&key.id, account);
        }
    }
    write(world, account, &key).await?;
    tokio::time::sleep(apart).await;
    let was_there = match account {
        Account::Huawei => cloud.remove_huawei_account(&old),
        Account::Alibaba => cloud.remove_alibaba_account(&old),
    };
    ensure!(was_there, "{}", unknown());
    Ok(())
}

async fn deleted(world: &mut World, run: u32) -> Result<()> {
    let account = Account::Huawei;
    let secret = secrets(world).get(account.secret()).await?;
    secrets(world)
        .delete(account.secret(), &DeleteParams::default())
        .await?;
    let noticed = if run.is_multiple_of(2) {
        noticed(world, account).await
    } else {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(())
    };
    restore(world, secret).await?;
    noticed?;
    taken(world, account).await
}

async fn wrong(world: &mut World, run: u32) -> Result<()> {
    let account = Account::Huawei;
    let secret = secrets(world).get(account.secret()).await?;
    let bytes = |text: &[u8]| ByteString(text.to_vec());
    let id = secret.data.as_ref().and_then(|data| data.get(ID)).cloned();
    let id = id.context("the Secret has a key's id")?;
    let content = match run % 3 {
        0 => BTreeMap::new(),
        1 => BTreeMap::from([(ID.into(), id), (SECRET.into(), bytes(b"of-somebody-else"))]),
        _ => BTreeMap::from([
            (ID.into(), bytes(b"\xff\xfe\x00key")),
            (SECRET.into(), bytes(b"\xff\xfe\x00secret")),
        ]),
    };
    let mut broken = secret.clone();
    broken.data = Some(content);
    let api = secrets(world);
    api.replace(account.secret(), &PostParams::default(), &broken)
        .await?;
    let noticed = noticed(world, account).await;
    let data = Patch::Merge(json!({"data": secret.data}));
    api.patch(account.secret(), &PatchParams::default(), &data)
        .await
        .context("mending a Secret")?;
    noticed?;
    taken(world, account).await
}

/// Puts a deleted Secret back.
async fn restore(world: &World, mut secret: Secret) -> Result<()> {
    secret.metadata.resource_version = None;
    secret.metadata.uid = None;
    let created = secrets(world).create(&PostParams::default(), &secret).await;
    created.map(drop).context("putting a Secret back")
}

/// Waits until the key that a Secret holds now is used, and its cloud takes it.
async fn taken(world: &mut World, account: Account) -> Result<()> {
    let (begun, since) = (Instant::now(), jiff::Timestamp::now());
    let principal = format!("ak:{}", id(world, account).await?);
    let is_taken = |call: &LoggedRequest| {
        call.at >= since && call.principal.as_ref() == Some(&principal) && call.status == Some(200)
    };
    while !world.cloud.log().iter().any(is_taken) {
        if begun.elapsed() > NOTICED {
            let what = format!("the key of its Secret is not used for {NOTICED:?}");
            world.find("a mended Secret is noticed", account.provider(), what);
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

/// Waits until a provider says that it cannot be used, and a little longer.
async fn noticed(world: &mut World, account: Account) -> Result<()> {
    let path = "/apis/imageref.dev/v1alpha1/clusterimageproviders";
    let path = format!("{path}/{}", account.provider());
    let begun = Instant::now();
    loop {
        let request = http::Request::get(&path).body(Vec::new())?;
        let provider: Value = world.client.request(request).await?;
        let conditions = provider["status"]["conditions"].as_array();
        let mut conditions = conditions.into_iter().flatten();
        if conditions.any(|it| it["type"] == "Ready" && it["status"] != "True") {
            tokio::time::sleep(HELD).await;
            return Ok(());
        }
        if begun.elapsed() > NOTICED {
            let what = format!("Ready is True {NOTICED:?} after its Secret was broken");
            world.find("a broken Secret is noticed", account.provider(), what);
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
