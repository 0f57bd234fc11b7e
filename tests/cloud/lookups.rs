//! One image by id and by name: the same facts, the right one, or none.

use super::{
    Bench, lite_named, notebook, notebook_named, notebook_narrowed, pai_named, without_request_id,
};
use fakecloud::{Fault, FaultKind, ImageApi, ModelArtsNotFound, Operation, defaults};
use imageref::facts::FailureKind;
use imageref::plan::target::Query;
use serde_json::json;

#[tokio::test]
async fn facts_by_id_equal_facts_by_name() {
    let bench = Bench::new().await;
    for odd in [false, true] {
        bench.fake.configure(|options| {
            options.unknown_fields = odd;
            options.pai_line_feeds = odd;
            options.pai_echo_image_id = odd;
        });
        let notebooks = [
            defaults::SEED_NOTEBOOK_ID,
            defaults::MODELBOX_NOTEBOOK_ID,
            defaults::ASCEND_NOTEBOOK_ID,
            defaults::CREATING_NOTEBOOK_ID,
        ];
        let servers = [
            defaults::SEED_LITE_SERVER_ID,
            defaults::INACTIVE_LITE_SERVER_ID,
        ];
        let pai = [
            defaults::SEED_PAI_ID,
            defaults::OFFICIAL_PAI_ID,
            defaults::WORKSPACE_PAI_ID,
        ];
        let questions = notebooks
            .map(notebook)
            .into_iter()
            .chain(servers.map(|id| Query::LiteServerId(id.into())))
            .chain(pai.map(|id| Query::PaiId(id.into())));
        for question in questions {
            let by_id = bench.look(question.clone()).await.unwrap();
            let name = by_id.upstream.name.clone().unwrap();
            let by_name = match question {
                Query::LiteServerId(_) => lite_named(&name, None),
                Query::PaiId(_) => pai_named(&name, None),
                _ => notebook_named(&name),
            };
            let by_name = bench.look(by_name).await.unwrap();
            assert_eq!(without_request_id(by_name), without_request_id(by_id));
        }
    }
}

#[tokio::test]
async fn a_name_of_two_images_is_ambiguous_until_it_is_narrowed_or_bound() {
    let bench = Bench::new().await;
    let [first, second] = [
        defaults::TWO_TAGS_FIRST_NOTEBOOK_ID,
        defaults::TWO_TAGS_SECOND_NOTEBOOK_ID,
    ];
    let failure = bench.look(notebook_named("llm-serving")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Ambiguous);
    let candidates = format!(
        "{first} (tag v1.0, organization ai-team); {second} (tag v1.1, organization ai-team)"
    );
    assert!(
        failure.message.ends_with(&candidates),
        "{}",
        failure.message
    );
    let narrowed = notebook_narrowed(
        "llm-serving",
        Some("v1.1"),
        Some("ai-team"),
        Some("DEDICATED"),
    );
    assert_eq!(bench.look(narrowed).await.unwrap().image_id, second);
    for narrowed in [
        notebook_narrowed("llm-serving", Some("v1"), None, None),
        notebook_narrowed("llm-serving", None, Some("other"), None),
        notebook_narrowed("llm-serving", None, None, Some("BUILD_IN")),
    ] {
        assert_eq!(bench.kind(narrowed).await, FailureKind::NotFound);
    }
    for bound in [first, second] {
        let facts = bench
            .look_bound(notebook_named("llm-serving"), Some(bound))
            .await
            .unwrap();
        assert_eq!(facts.image_id, bound);
    }
    bench.fake.remove(ImageApi::Notebook, first);
    let facts = bench
        .look_bound(notebook_named("llm-serving"), Some(first))
        .await
        .unwrap();
    assert_eq!(
        facts.image_id, second,
        "the only one left, and another than it was"
    );

    bench.fake.put_lite_server_image(
        json!({"name": "Ubuntu-22.04-x86-for-Vnt1-ECS", "server_type": "BMS"}),
    );
    let lite = |server_type| lite_named("Ubuntu-22.04-x86-for-Vnt1-ECS", server_type);
    assert_eq!(bench.kind(lite(None)).await, FailureKind::Ambiguous);
    assert_eq!(
        bench.look(lite(Some("ECS"))).await.unwrap().image_id,
        defaults::INACTIVE_LITE_SERVER_ID
    );
    bench
        .fake
        .put_pai_image(json!({"Name": "own-train", "WorkspaceId": "7"}));
    assert_eq!(
        bench.kind(pai_named("own-train", None)).await,
        FailureKind::Ambiguous
    );
    assert_eq!(
        bench
            .look(pai_named("own-train", Some("15945")))
            .await
            .unwrap()
            .image_id,
        defaults::WORKSPACE_PAI_ID
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_found_in_every_form() {
    let bench = Bench::new().await;
    let missing = "00000000-0000-4000-8000-000000000000";
    for form in [ModelArtsNotFound::BadRequest, ModelArtsNotFound::NotFound] {
        bench
            .fake
            .configure(|options| options.modelarts_not_found = form);
        let failure = bench.look(notebook(missing)).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::NotFound);
        assert!(
            failure.message.contains("ModelArts.6404") && failure.request_id.is_some(),
            "{failure:?}"
        );
        assert_eq!(
            bench.kind(Query::LiteServerId(missing.into())).await,
            FailureKind::NotFound
        );
    }
    for (status, xml, lower) in [(404, false, false), (400, false, true), (404, true, false)] {
        bench.fake.configure(|options| {
            options.pai_not_found_status = status;
            options.pai_xml_errors = xml;
            options.pai_lower_case_errors = lower;
        });
        assert_eq!(
            bench.kind(Query::PaiId("image-missing".into())).await,
            FailureKind::NotFound
        );
    }
    // A part of a name is no match, though both platforms' filters are fuzzy.
    for query in [
        notebook_named("llm"),
        lite_named("Ubuntu", None),
        pai_named("own", None),
    ] {
        assert_eq!(bench.kind(query).await, FailureKind::NotFound);
    }
    // A list that does not exist is no word on an image.
    let code = FaultKind::Status {
        status: 400,
        error_code: "ModelArts.6404".into(),
        error_message: "gone".into(),
        retry_after: None,
    };
    bench
        .fake
        .add_fault(Fault::always(code).on(Operation::ListImage));
    assert_eq!(
        bench.kind(notebook_named("llm-serving")).await,
        FailureKind::ProviderError
    );
}

#[tokio::test]
async fn no_id_leaves_its_place_in_the_path() {
    let bench = Bench::new().await;
    for id in [
        "group",
        "",
        "..",
        "../group",
        "a/b",
        "a%2Fb",
        "a?b",
        "a#b",
        "é",
        "image-/../x",
        "image-%2e%2e",
        &"a".repeat(36).replace('a', "."),
    ] {
        let lite = Query::LiteServerId(id.into());
        for query in [notebook(id), lite, Query::PaiId(id.into())] {
            assert_eq!(bench.kind(query).await, FailureKind::InvalidSpec, "{id}");
        }
    }
    assert!(bench.fake.log().is_empty(), "nothing was asked");
}
