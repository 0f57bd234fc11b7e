//! A list says what a get says.

use super::{Bench, facts, ids, in_workspace, notebook};
use crate::cloud::notebook_named;
use fakecloud::{ArchCase, ImageApi, Operation, defaults};
use imageref::cloud::snapshot::By;
use imageref::facts::FailureKind;
use imageref::plan::target::Query;
use serde_json::json;

type ById = fn(&str) -> Query;

#[tokio::test]
async fn the_facts_of_every_image_are_the_same_in_a_list_and_in_a_get() {
    let [modelarts, pai] = [Bench::new().await, Bench::of_pai().await];
    let apis: [(&Bench, ImageApi, ById, usize); 3] = [
        (&modelarts, ImageApi::Notebook, notebook, 6),
        (
            &modelarts,
            ImageApi::LiteServer,
            |id| Query::LiteServerId(id.into()),
            2,
        ),
        (&pai, ImageApi::Pai, |id| Query::PaiId(id.into()), 3),
    ];
    for odd in [false, true] {
        for (bench, api, by_id, count) in apis {
            bench.fake.configure(|options| {
                options.unknown_fields = odd;
                options.pai_line_feeds = odd;
                options.pai_echo_image_id = odd;
                options.arch = if odd {
                    ArchCase::Upper
                } else {
                    ArchCase::Stored
                };
                options.max_page_size = odd.then_some(1);
            });
            let ids = ids(&bench.fake, api);
            assert_eq!(ids.len(), count);
            let listing = bench.list(by_id(&ids[0])).await.unwrap();
            assert!(listing.whole && listing.cut.is_none());
            assert_eq!(listing.images().count(), count);
            for id in ids {
                let target = bench.target(by_id(&id));
                let asker = &bench.asker;
                let look = asker
                    .clouds
                    .look(&target, &asker.credential, None, super::PATIENCE);
                let listed = listing.get(&id).unwrap().as_ref().clone();
                assert_eq!(facts(listed), facts(look.await.unwrap()));
            }
        }
    }
}

/// Questions about names, what they are bound to, and whether a list alone answers: the others need
/// a look of their own.
fn names() -> Vec<(Query, Option<&'static str>, bool)> {
    let [first, second] = [
        defaults::TWO_TAGS_FIRST_NOTEBOOK_ID,
        defaults::TWO_TAGS_SECOND_NOTEBOOK_ID,
    ];
    let text = |text: Option<&str>| text.map(str::to_owned);
    let notebook =
        |name: &str, [tag, organization, type_]: [Option<&str>; 3]| Query::NotebookName {
            name: name.into(),
            tag: text(tag),
            organization: text(organization),
            type_: text(type_),
            workspace_id: "0".into(),
        };
    let lite = |server_type| Query::LiteServerName {
        name: "EulerOS-2.10-Arm64-for-Snt9B-BareMetal".into(),
        server_type: text(server_type),
    };
    let pai = |name: &str, workspace| Query::PaiName {
        name: name.into(),
        workspace_id: text(workspace),
    };
    let (one, two) = ("mindspore-train", "llm-serving");
    let any = [None; 3];
    vec![
        (notebook(one, any), None, true),
        (notebook(one, [None, None, Some("DEDICATED")]), None, true),
        (notebook(one, [None, None, Some("BUILD_IN")]), None, false),
        (notebook(one, any), Some("gone"), false),
        (notebook(two, any), None, true),
        (
            notebook(two, [Some("v1.1"), Some("ai-team"), None]),
            None,
            true,
        ),
        (notebook(two, [Some("v1"), None, None]), None, false),
        (notebook(two, [None, Some("other"), None]), None, false),
        (notebook(two, any), Some(first), true),
        (notebook(two, any), Some(second), true),
        (notebook(two, any), Some("gone"), false),
        (notebook("llm", any), None, false),
        (lite(None), None, true),
        (lite(Some("BMS")), None, true),
        (lite(Some("ECS")), None, false),
        (pai("own-train", None), None, true),
        (pai("own-train", Some("15945")), None, true),
        (pai("own-train", Some("7")), None, false),
        (pai("own", None), None, false),
        (pai("nlp-compression", None), None, true),
    ]
}

#[tokio::test]
async fn every_name_means_the_same_in_a_list_and_in_a_look_of_its_own() {
    let [modelarts, alibaba] = [Bench::new().await, Bench::of_pai().await];
    for (query, bound, listed) in names() {
        let bench = match query {
            Query::PaiName { .. } => &alibaba,
            _ => &modelarts,
        };
        let target = bench.target(query.clone());
        let asker = &bench.asker;
        let look = asker
            .clouds
            .look(&target, &asker.credential, bound, super::PATIENCE);
        let looked = look.await.map(facts);
        let looked = looked.map_err(|failure| (failure.kind, failure.message));
        let what = format!("{query} bound to {bound:?}");
        bench.look_bound(query.clone(), bound).await.ok();
        bench.fake.reset_calls();
        let answer = bench.look_bound(query, bound).await;
        assert_eq!(bench.fake.calls().total(), 0, "remembered: {what}");
        if let Ok(answer) = &answer {
            assert_eq!(answer.by == By::List, listed, "{what}");
        }
        let answer = answer.map(|answer| facts(answer.facts.as_ref().clone()));
        let answer = answer.map_err(|failure| (failure.kind, failure.message));
        assert_eq!(answer, looked, "{what}");
    }
}

#[tokio::test]
async fn an_image_of_another_workspace_is_found_by_its_id_all_the_same() {
    let bench = Bench::of_pai().await;
    for (workspace, by) in [("15945", By::List), ("7", By::Get)] {
        let query = Query::PaiId(defaults::WORKSPACE_PAI_ID.into());
        let target = in_workspace(bench.target(query), workspace);
        let question = bench.question(&target);
        let answer = bench.snapshots.look(&question, &bench.asker).await.unwrap();
        assert_eq!(answer.unwrap().by, by);
    }
}

#[tokio::test]
async fn an_image_that_does_not_repeat_its_type_is_of_the_type_of_its_list() {
    let bench = Bench::new().await;
    let page = |images: serde_json::Value| fakecloud::FaultKind::Body {
        status: 200,
        content_type: "application/json".into(),
        body: json!({"total": 1, "data": images}).to_string(),
    };
    let untyped = json!([{"id": "a", "name": "mine", "workspace_id": "7"}]);
    let fault = fakecloud::Fault::always(page(untyped));
    bench.fake.add_fault(fault.on(Operation::ListImage));
    // Listed as an own image of another workspace, and as a preset, which is of every workspace.
    let answer = bench.look(notebook_named("mine")).await.unwrap();
    assert_eq!((answer.by, answer.facts.image_id.as_str()), (By::List, "a"));
    let own = Query::NotebookName {
        name: "mine".into(),
        tag: None,
        organization: None,
        type_: Some("DEDICATED".into()),
        workspace_id: "0".into(),
    };
    assert_eq!(
        bench.look(own).await.unwrap_err().kind,
        FailureKind::NotFound
    );
}
