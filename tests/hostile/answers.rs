//! Answers that try to lead on: other hosts, other ids, texts without end. An answer is read, and
//! nothing in it is asked for.

use super::{PATIENCE, Trap, ask, clouds};
use crate::cloud::{alibaba, huawei, network, notebook_named, target};
use fakecloud::{FakeCloud, Fault, FaultKind, ImageApi, Operation, defaults};
use imageref::facts::FailureKind;
use imageref::plan::target::Query;
use serde_json::{Value, json};

fn answer(body: &Value) -> Fault {
    Fault::always(FaultKind::Body {
        status: 200,
        content_type: "application/json".into(),
        body: body.to_string(),
    })
}

#[tokio::test]
async fn an_image_path_of_another_host_is_a_fact_and_nobody_connects_there() {
    let cloud = FakeCloud::start().await;
    let trap = Trap::new();
    let path = format!("{}/evil/image:1", trap.address());
    cloud.update(ImageApi::Notebook, defaults::SEED_NOTEBOOK_ID, |image| {
        image["swr_path"] = json!(path);
    });
    let clouds = clouds(network(&cloud.url()));
    let facts = ask(&clouds, &cloud.url()).await.unwrap();
    assert_eq!(facts.swr_path.as_deref(), Some(path.as_str()));
    cloud.update(ImageApi::Pai, defaults::SEED_PAI_ID, |image| {
        image["ImageUri"] = json!(path);
    });
    let pai = target(&cloud.url(), Query::PaiId(defaults::SEED_PAI_ID.into()));
    let credential = alibaba(defaults::ALIBABA_SECRET);
    let facts = clouds
        .look(&pai, &credential, None, PATIENCE)
        .await
        .unwrap();
    assert_eq!(facts.image.as_deref(), Some(path.as_str()));
    assert_eq!(cloud.log().len(), 2);
    trap.assert_untouched("a path in an answer");
}

#[tokio::test]
async fn an_answer_about_another_image_is_none() {
    let cloud = FakeCloud::start().await;
    let clouds = clouds(network(&cloud.url()));
    let asked = defaults::SEED_NOTEBOOK_ID;
    for id in [
        json!(defaults::MODELBOX_NOTEBOOK_ID),
        json!(asked.to_uppercase()),
        json!(format!("{asked}0")),
        json!(format!("{asked}\u{0}")),
        json!(format!("../{asked}")),
        json!("group"),
        json!(""),
        json!(null),
        json!([asked]),
        json!("a".repeat(1 << 20)),
    ] {
        let body = json!({"id": id, "name": "n", "swr_path": "h.example/a:1", "status": "ACTIVE"});
        cloud.set_faults(vec![answer(&body)]);
        let failure = ask(&clouds, &cloud.url()).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::ResponseInvalid, "{id:.60}");
        assert!(failure.message.len() < 300, "{failure}");
    }
}

#[tokio::test]
async fn texts_that_forge_or_flood_are_cut_or_dropped() {
    let cloud = FakeCloud::start().await;
    let clouds = clouds(network(&cloud.url()));
    let flood = "a".repeat(1 << 20);
    for (name, path, kept) in [
        ("n\r\nevil", "h.example/a\r\n:1", "n\nevil"),
        ("\u{1b}[2Jn", "h.example/\u{1b}[2Ja:1", "[2Jn"),
        ("n\u{0}", "h.example/a:1\u{0}", "n"),
        (flood.as_str(), flood.as_str(), &flood[..4096]),
    ] {
        cloud.set_faults(vec![answer(
            &json!({"id": defaults::SEED_NOTEBOOK_ID, "name": name, "swr_path": path}),
        )]);
        let facts = ask(&clouds, &cloud.url()).await.unwrap();
        assert_eq!(facts.upstream.name.as_deref(), Some(kept));
        assert_eq!(facts.swr_path, None, "half a path is another path");
    }
}

#[tokio::test]
async fn an_id_from_a_list_is_asked_for_by_nobody_who_does_not_check_it() {
    let cloud = FakeCloud::start().await;
    let clouds = clouds(network(&cloud.url()));
    let credential = huawei(defaults::HUAWEI_SK);
    for id in [
        "group",
        "../../v3/projects",
        "a?b",
        "%2e%2e%2f%2e%2e%2fv3%2fprojects%2fa-b",
    ] {
        let image = json!({"id": id, "name": "n", "type": "DEDICATED"});
        let body = json!({"data": [image], "total": 1});
        cloud.set_faults(vec![answer(&body).on(Operation::ListImage)]);
        let list = target(&cloud.url(), notebook_named("n"));
        let facts = clouds
            .look(&list, &credential, None, PATIENCE)
            .await
            .unwrap();
        let before = cloud.log().len();
        let get = target(&cloud.url(), Query::NotebookId(facts.image_id.clone()));
        let failure = clouds
            .look(&get, &credential, None, PATIENCE)
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::InvalidSpec, "{id}");
        assert_eq!(cloud.log().len(), before, "{id}");
    }
}
