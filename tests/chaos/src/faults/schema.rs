//! CRDs that are newer and older than the operator.
//!
//! Owns the changed schemas, and what the operator must make of them. Must not know the clouds. The invariant
//! that would break first: the CRDs of this version are back at the end, also where something was not as it
//! should be.

mod changed;

use crate::fault::Fault;
use crate::mix::is_steady_image;
use crate::world::World;
use anyhow::{Result, ensure};
use changed::{MISSING, crd, needless, with_less, with_more};
use futures::FutureExt as _;
use kube::Client;
use kube::api::{Patch, PatchParams, PostParams, Request};
use serde_json::{Value, json};
use site::{IMAGES, image_id};
use std::time::{Duration, Instant};

/// Of the fault's own references, which are no part of the mix.
const NAMESPACE: &str = "schema";

/// A changed CRD ends the watches of its kind; they are repeated at once, and each reference is looked at
/// within its interval of a minute.
const WITHIN: Duration = Duration::from_secs(120);

/// For what the operator does once it sees an object.
const SOON: Duration = Duration::from_secs(60);

/// Over so long the statuses are compared, twice: more than the interval of references, and both together
/// less than a quarter of their `maxStaleness`, which is how often each is written without need.
const COMPARED: Duration = Duration::from_secs(70);

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "crd-newer",
        what: "The CRD has a version, fields and values that the operator does not know, and objects use them.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| newer(world).boxed(),
    },
    Fault {
        name: "crd-older",
        what: "The CRD lacks fields of spec and status, which the API server drops from all that is written.",
        runs: 1,
        within: WITHIN,
        strike: |world, _| older(world).boxed(),
    },
];

async fn newer(world: &mut World) -> Result<()> {
    let client = &world.client.clone();
    begin(world).await?;
    install(world, &with_more(crd()?)?).await?;
    let judged = judge_newer(world).await;
    let removed = remove(world, &["new-field", "new-value", "new-expectation"]).await;
    install(world, &crd()?).await?;
    if let Err(what) = judged {
        world.find(
            "what is newer is lived with",
            "the operator",
            format!("{what:#}"),
        );
    }
    let refused = || reference("v1alpha1", "probe", json!({"schedule": "nightly"}));
    until(world, "the former CRD", || async {
        Ok(!serves(client, &refused()).await?)
    })
    .await?;
    removed
}

async fn judge_newer(world: &mut World) -> Result<()> {
    let client = &world.client.clone();
    let field = reference("v1beta1", "new-field", json!({"schedule": "nightly"}));
    let value = reference("v1alpha1", "new-value", json!({"digestPolicy": "OnPush"}));
    until(world, "the newer CRD", || async {
        Ok(serves(client, &field).await? && serves(client, &value).await?)
    })
    .await?;
    let arch = json!({"expect": {"arch": ["riscv64"]}});
    let expectation = reference("v1alpha1", "new-expectation", arch);
    for object in [&field, &value, &expectation] {
        create(client, object, false).await?;
    }
    until(world, "a reference with an unknown field", || async {
        Ok(ready(
            &get(client, "new-field").await?,
            "True",
            "Resolved",
            1,
        ))
    })
    .await?;
    // As a newer operator would have left it.
    patch(
        client,
        "new-field",
        Some("status"),
        json!({"status": {"score": 7}}),
    )
    .await?;
    let edit = json!({"spec": {"expect": {"status": ["ACTIVE"]}}});
    patch(client, "new-field", None, edit).await?;
    until(world, "an edit of it", || async {
        Ok(ready(
            &get(client, "new-field").await?,
            "True",
            "Resolved",
            2,
        ))
    })
    .await?;
    let written = get(client, "new-field").await?;
    ensure!(
        written["spec"]["schedule"] == "nightly" && written["status"]["score"] == 7,
        "what the operator does not know was lost: {written}"
    );
    // What it does not know is no reason to take an image away, unless somebody expects it.
    until(world, "a reference with an unknown value", || async {
        let object = get(client, "new-value").await?;
        let kept = object["spec"]["digestPolicy"] == "OnPush";
        Ok(kept && ready(&object, "True", "Resolved", 1))
    })
    .await?;
    until(world, "an unknown expectation", || async {
        let object = get(client, "new-expectation").await?;
        Ok(ready(&object, "False", "ExpectationFailed", 1))
    })
    .await
}

async fn older(world: &mut World) -> Result<()> {
    begin(world).await?;
    install(world, &with_less(crd()?)?).await?;
    let judged = judge_older(world).await;
    install(world, &crd()?).await?;
    let judged = match judged {
        Ok(()) => fields_come_back(world).await,
        Err(what) => Err(what),
    };
    if let Err(what) = judged {
        world.find(
            "what is older is lived with",
            "the operator",
            format!("{what:#}"),
        );
    }
    Ok(())
}

/// Within an interval and the time after which a write shows it.
async fn fields_come_back(world: &mut World) -> Result<()> {
    let client = &world.client.clone();
    until_within(world, SOON * 4, "fields that are kept again", || async {
        let objects = all(client).await?;
        let lacks = |object: &Value, field: &str| object["status"][field].is_null();
        let mut notebooks = objects.iter().filter(|object| is_resolved_notebook(object));
        Ok(notebooks.all(|one| !lacks(one, "accelerators") && !lacks(one, "upstreamUpdatedTime")))
    })
    .await
}

async fn judge_older(world: &mut World) -> Result<()> {
    let client = &world.client.clone();
    let limited = reference("v1alpha1", "probe", json!({"historyLimit": 3}));
    until(world, "the older CRD", || async {
        Ok(!serves(client, &limited).await?)
    })
    .await?;
    let first = all(client).await?;
    world.hold(COMPARED).await?;
    let second = all(client).await?;
    world.hold(COMPARED).await?;
    let third = all(client).await?;
    // One write tells what is dropped, and one in a quarter of maxStaleness is for the time alone.
    let (before, after) = (needless(&first, &second), needless(&second, &third));
    let (again, compared) = (before.intersection(&after).count(), third.len());
    ensure!(
        again * 2 < compared,
        "{again} of {compared} statuses were written again and again though nothing changed"
    );
    let logs = world.operators.iter().flatten().map(site::Process::log);
    let logs: String = logs.collect();
    for field in MISSING {
        ensure!(
            logs.contains(&format!("status.{field}")),
            "no log says that the CRD lacks status.{field}"
        );
    }
    Ok(())
}

fn is_resolved_notebook(object: &Value) -> bool {
    object["status"]["upstream"]["api"] == "notebook" && ready_status(object) == Some("True")
}

fn ready_condition(object: &Value) -> Option<&Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == "Ready")
}

fn ready_status(object: &Value) -> Option<&str> {
    ready_condition(object)?["status"].as_str()
}

/// Whether the status about a generation says so.
fn ready(object: &Value, status: &str, reason: &str, generation: u64) -> bool {
    object["status"]["observedGeneration"] == generation
        && ready_condition(object)
            .is_some_and(|ready| ready["status"] == status && ready["reason"] == reason)
}

/// A reference with these fields more.
fn reference(version: &str, name: &str, more: Value) -> Value {
    // An image that does not change meanwhile.
    let image = (0..IMAGES)
        .find(|image| is_steady_image(*image))
        .unwrap_or_default();
    let mut spec = json!({
        "digestPolicy": "Never",
        "source": {"notebook": {"id": image_id(image)}},
    });
    if let (Some(spec), Value::Object(more)) = (spec.as_object_mut(), more) {
        spec.extend(more);
    }
    json!({
        "apiVersion": format!("imageref.dev/{version}"),
        "kind": "ImageRef",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    })
}

async fn begin(world: &World) -> Result<()> {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE},
    });
    install(world, &namespace).await
}

async fn install(world: &World, manifest: &Value) -> Result<()> {
    let manifest = manifest.to_string();
    let apply = move |cluster: &cluster::Cluster| {
        cluster.kubectl_with_stdin(&["apply", "-f", "-"], &manifest)
    };
    world.control(apply).await.map(drop)
}

fn collection(object: &Value) -> String {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    format!("/apis/{version}/namespaces/{NAMESPACE}/imagerefs")
}

async fn create(client: &Client, object: &Value, dry_run: bool) -> kube::Result<Value> {
    let params = PostParams {
        dry_run,
        field_manager: None,
    };
    let data = serde_json::to_vec(object).map_err(kube::Error::SerdeError)?;
    let request = Request::new(collection(object)).create(&params, data);
    let mut request = request.map_err(kube::Error::BuildRequest)?;
    let strict = format!("{}&fieldValidation=Strict", request.uri());
    *request.uri_mut() = strict
        .parse()
        .map_err(|error: http::uri::InvalidUri| kube::Error::HttpError(error.into()))?;
    client.request(request).await
}

/// Whether the API server takes such an object, each field of it.
async fn serves(client: &Client, object: &Value) -> Result<bool> {
    match create(client, object, true).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 404 | 422) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// As the version that is stored.
async fn get(client: &Client, name: &str) -> Result<Value> {
    // The newer one, since the other hides what only that one has.
    let path = format!("/apis/imageref.dev/v1beta1/namespaces/{NAMESPACE}/imagerefs/{name}");
    let request = http::Request::get(path).body(Vec::new())?;
    Ok(client.request(request).await?)
}

async fn patch(client: &Client, name: &str, part: Option<&str>, change: Value) -> Result<()> {
    let path = format!("/apis/imageref.dev/v1beta1/namespaces/{NAMESPACE}/imagerefs");
    let (request, params) = (Request::new(path), PatchParams::default());
    let change = Patch::Merge(change);
    let request = match part {
        Some(part) => request.patch_subresource(part, name, &params, &change)?,
        None => request.patch(name, &params, &change)?,
    };
    client.request::<Value>(request).await?;
    Ok(())
}

async fn remove(world: &World, names: &[&str]) -> Result<()> {
    for name in names {
        world.deeds.delete(format!("{NAMESPACE}/{name}"));
        let path = format!("/apis/imageref.dev/v1alpha1/namespaces/{NAMESPACE}/imagerefs/{name}");
        let request = http::Request::delete(path).body(Vec::new())?;
        match world.client.request::<Value>(request).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            answer => drop(answer?),
        }
    }
    Ok(())
}

/// Every reference.
async fn all(client: &Client) -> Result<Vec<Value>> {
    let request = http::Request::get("/apis/imageref.dev/v1alpha1/imagerefs").body(Vec::new())?;
    let mut list: Value = client.request(request).await?;
    match list["items"].take() {
        Value::Array(items) => Ok(items),
        other => anyhow::bail!("a list of references has {other}"),
    }
}

async fn until<F>(world: &mut World, what: &str, check: impl Fn() -> F) -> Result<()>
where
    F: Future<Output = Result<bool>>,
{
    until_within(world, SOON, what, check).await
}

async fn until_within<F>(
    world: &mut World,
    within: Duration,
    what: &str,
    check: impl Fn() -> F,
) -> Result<()>
where
    F: Future<Output = Result<bool>>,
{
    let begun = Instant::now();
    while !check().await? {
        ensure!(begun.elapsed() < within, "{what}: not within {within:?}");
        world.hold(Duration::from_millis(500)).await?;
    }
    Ok(())
}
