//! From a source and an account to a question, whatever the schema let through, and its words.

use imageref::api::{ProviderKind, Source};
use imageref::plan::{Account, ProviderId, Query};
use serde_json::{Value, json};

fn model_arts() -> Account {
    Account::ModelArts {
        endpoint: "https://modelarts.cn-north-4.myhuaweicloud.com".into(),
        region: "cn-north-4".into(),
        project_id: "p1".into(),
        workspace_id: "0".into(),
    }
}

fn pai() -> Account {
    Account::Pai {
        endpoint: "https://aiworkspace.cn-shanghai.aliyuncs.com".into(),
        region: "cn-shanghai".into(),
        workspace_id: None,
    }
}

/// The words of the question, or why there is none.
fn asked(source: &Value, account: &Account) -> Result<String, String> {
    let source: Source = serde_json::from_value(source.clone()).unwrap();
    Query::new(&source, account).map(|query| query.to_string())
}

const UUID: &str = "278e88d1-5b71-4766-8502-b3ba72e824d9";

#[test]
fn a_question_names_what_is_asked_for_and_all_that_narrows_it() {
    for (source, account, words) in [
        (
            json!({"notebook": {"id": UUID}}),
            model_arts(),
            format!("notebook image {UUID}"),
        ),
        (
            json!({"notebook": {"name": "torch"}}),
            model_arts(),
            "notebook image named torch, workspace 0".into(),
        ),
        (
            json!({"notebook": {"name": "torch", "tag": "2.1", "organization": "ai", "type": "BUILD_IN", "workspaceId": "w"}}),
            model_arts(),
            "notebook image named torch, tag 2.1, organization ai, type BUILD_IN, workspace w"
                .into(),
        ),
        (
            json!({"liteServer": {"id": UUID}}),
            model_arts(),
            format!("Lite Server image {UUID}"),
        ),
        (
            json!({"liteServer": {"name": "os", "serverType": "BMS"}}),
            model_arts(),
            "Lite Server image named os, server type BMS".into(),
        ),
        (
            json!({"pai": {"id": "image-4c62o5yzoat3"}}),
            pai(),
            "PAI image image-4c62o5yzoat3".into(),
        ),
        (
            json!({"pai": {"name": "torch", "workspaceId": "7"}}),
            pai(),
            "PAI image named torch, workspace 7".into(),
        ),
    ] {
        assert_eq!(asked(&source, &account), Ok(words));
    }
}

#[test]
fn an_id_is_of_its_platforms_form_and_nothing_else_gets_into_a_path() {
    for id in [
        "",
        "..",
        &UUID.to_uppercase(),
        &UUID.replace('-', "0"),
        &UUID.replace("8e88", "8e-8"),
        &UUID[..35],
        &format!("{UUID}0"),
        &UUID.replace('d', "g"),
        &UUID.replacen('2', "/", 1),
        "--------------------------------------",
        "------------------------------------",
        "278e88d175b71747667850277b3ba72e824d9",
        "278e88d1a5b71a4766a8502ab3ba72e824d9",
    ] {
        for kind in ["notebook", "liteServer"] {
            let refused = asked(&json!({kind: {"id": id}}), &model_arts());
            let why = format!("source.{kind}.id must be a lower-case UUID");
            assert_eq!(refused, Err(why), "{id}");
        }
    }
    let longest = format!("image-{}", "a".repeat(64));
    assert!(asked(&json!({"pai": {"id": longest}}), &pai()).is_ok());
    let longer = longest + "a";
    for id in [
        "",
        "image-",
        "image-a/b",
        "image-a-b",
        "images-a",
        "a",
        &longer,
    ] {
        let why = "source.pai.id must be image- followed by letters and digits";
        let refused = asked(&json!({"pai": {"id": id}}), &pai());
        assert_eq!(refused, Err(why.into()), "{id}");
    }
}

#[test]
fn texts_that_narrow_a_list_are_bounded_and_without_control_characters() {
    let longest = "é".repeat(512);
    let fits = json!({"notebook": {"name": longest}});
    assert!(asked(&fits, &model_arts()).is_ok());
    let longer = longest + "a";
    for (kind, field, account) in [
        ("notebook", "name", model_arts()),
        ("notebook", "tag", model_arts()),
        ("notebook", "organization", model_arts()),
        ("notebook", "type", model_arts()),
        ("notebook", "workspaceId", model_arts()),
        ("liteServer", "name", model_arts()),
        ("liteServer", "serverType", model_arts()),
        ("pai", "name", pai()),
        ("pai", "workspaceId", pai()),
    ] {
        for bad in ["", "a\nb", "a\u{7f}", &longer] {
            let mut source = json!({kind: {"name": "torch"}});
            source[kind][field] = bad.into();
            let why = format!(
                "source.{kind}.{field} must have 1 to 512 characters and no control characters"
            );
            assert_eq!(asked(&source, &account), Err(why), "{bad:?}");
        }
    }
}

#[test]
fn a_provider_is_named_by_its_kind_and_where_it_has_one_by_its_namespace() {
    let named = |kind, namespace: Option<&str>| {
        let namespace = namespace.map(Into::into);
        let name = "default".into();
        ProviderId {
            kind,
            namespace,
            name,
        }
        .to_string()
    };
    assert_eq!(
        named(ProviderKind::Cluster, None),
        "ClusterImageProvider default"
    );
    assert_eq!(
        named(ProviderKind::Namespaced, Some("team-a")),
        "ImageProvider team-a/default"
    );
}
