//! The status that is printed is the planner's, as the operator's is.

use super::{Scene, account, image_ref, notebook};
use fakecloud::defaults;
use imageref::api::{ImageRef, ImageRefStatus, ProviderKind};
use imageref::cloud::{Clouds, Credential};
use imageref::plan::{Account, Input, Look, Memory, Object, Provided, ProviderId, Query, Target};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

/// What a status says apart from when, and from the id of the call.
fn timeless(mut status: ImageRefStatus) -> Value {
    status.last_changed_time = None;
    status.last_checked_time = None;
    for condition in &mut status.conditions {
        condition.last_transition_time = Time(jiff::Timestamp::UNIX_EPOCH);
    }
    if let Some(upstream) = &mut status.upstream {
        upstream.request_id = None;
    }
    json!(status)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_is_what_the_planner_makes_of_the_same_answer() {
    let scene = Scene::new().await;
    let sources = [
        notebook(defaults::SEED_NOTEBOOK_ID),
        notebook(defaults::CREATING_NOTEBOOK_ID),
        notebook("278e88d1-5b71-4766-8502-000000000000"),
        "notebook: {name: llm-serving}".into(),
        format!("liteServer: {{id: {}}}", defaults::INACTIVE_LITE_SERVER_ID),
    ];
    let mut text = account();
    for (number, source) in sources.iter().enumerate() {
        text += &image_ref(
            "a",
            &format!("r{number}"),
            source,
            &["expect: {arch: [amd64]}"],
        );
    }
    scene.write("all.yaml", &text);
    let run = scene.run(&["-f", "all.yaml", "-o", "json"]).await;
    let list: Value = serde_json::from_str(&run.stdout).unwrap();
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), sources.len());

    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let clouds = Clouds::new(crate::cloud::network(&scene.cloud.url())).unwrap();
    let account = Account::ModelArts {
        endpoint: scene.cloud.url(),
        region: defaults::REGION.into(),
        project_id: defaults::PROJECT_ID.into(),
        workspace_id: "0".into(),
    };
    let credential = Credential::HuaweiKeys {
        access_key: defaults::HUAWEI_AK.into(),
        secret_key: defaults::HUAWEI_SK.into(),
        security_token: None,
    };
    for item in items {
        let object: ImageRef = serde_json::from_value(item.clone()).unwrap();
        let target = Target {
            provider: ProviderId {
                kind: ProviderKind::Cluster,
                namespace: None,
                name: "default".into(),
            },
            query: Query::new(&object.spec.source, &account).unwrap(),
            account: account.clone(),
        };
        let look = clouds
            .look(&target, &credential, None, object.spec.timeout())
            .await;
        let provided = Provided::Target {
            target,
            accept: None,
            suspended: false,
            min_interval: std::time::Duration::ZERO,
        };
        let previous = ImageRefStatus {
            observed_generation: Some(-1),
            ..Default::default()
        };
        let planned = imageref::plan::plan(Input {
            object: Object {
                spec: &object.spec,
                generation: 1,
                uid: "",
                requested_at: None,
            },
            previous: &previous,
            provided: &provided,
            look: look.map_or_else(Look::Failed, |facts| Look::Found {
                facts: facts.into(),
                as_of: jiff::Timestamp::MAX,
                contents: imageref::plan::Contents::NotAsked,
            }),
            memory: Memory::default(),
            now: jiff::Timestamp::now(),
        });
        assert_eq!(timeless(object.status.unwrap()), timeless(planned.status));
    }
}
