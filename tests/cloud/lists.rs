//! Names: which parameters are sent, how lists are read, and what they prove.

use super::{Bench, lite_named, notebook_named, notebook_narrowed, pai_named};
use fakecloud::{Fault, FaultKind, ListLie, Operation, defaults};
use imageref::facts::FailureKind;
use imageref::plan::target::Query;
use serde_json::{Value, json};

#[tokio::test]
async fn a_long_list_is_read_in_pages_of_whatever_size_the_platform_gives() {
    let bench = Bench::new().await;
    for at in 0..25 {
        bench
            .fake
            .put_lite_server_image(json!({"name": format!("image-{at}"), "arch": "ARM"}));
        bench
            .fake
            .put_pai_image(json!({"Name": format!("image-{at}")}));
    }
    for size in [1, 7, 200] {
        bench
            .fake
            .configure(|options| options.max_page_size = Some(size));
        bench.fake.reset_calls();
        for at in [0, 12, 24] {
            let name = format!("image-{at}");
            for query in [lite_named(&name, None), pai_named(&name, None)] {
                assert_eq!(
                    bench.look(query).await.unwrap().upstream.name.unwrap(),
                    name
                );
            }
        }
        assert_eq!(
            bench.kind(lite_named("image-25", None)).await,
            FailureKind::NotFound
        );
        assert_eq!(
            bench.fake.calls().of(Operation::ListDevServerImages),
            4 * 27_u64.div_ceil(size)
        );
    }
}

#[tokio::test]
async fn a_list_that_lies_costs_few_calls_and_proves_nothing_absent() {
    let bench = Bench::new().await;
    let names = ["EulerOS-2.10-Arm64-for-Snt9B-BareMetal", "missing"];
    let look = async |lie, at: usize, page| {
        bench.fake.configure(|options| {
            options.list_lie = lie;
            options.max_page_size = page;
        });
        bench.fake.reset_calls();
        let found = bench.look(lite_named(names[at], None)).await;
        assert!(bench.fake.calls().total() <= 4, "{lie:?}");
        found.map(|_| ()).map_err(|failure| failure.kind)
    };
    let invalid = Err(FailureKind::ResponseInvalid);
    assert_eq!(look(ListLie::RepeatPage, 0, None).await, invalid);
    assert_eq!(look(ListLie::TotalTooLarge, 0, None).await, Ok(()));
    assert_eq!(look(ListLie::TotalTooLarge, 1, None).await, invalid);
    assert_eq!(
        look(ListLie::Shrink, 0, Some(1)).await,
        Ok(()),
        "seen on the first page"
    );
    assert_eq!(
        look(ListLie::Shrink, 1, Some(1)).await,
        invalid,
        "perhaps on the page that moved up"
    );
    assert_eq!(
        look(ListLie::None, 1, Some(1)).await,
        Err(FailureKind::NotFound)
    );
}

#[tokio::test]
async fn the_parameters_are_the_documented_ones() {
    let bench = Bench::new().await;
    let _ = bench
        .look(notebook_narrowed(
            "a b&c",
            None,
            Some("o"),
            Some("BUILD_IN"),
        ))
        .await;
    let _ = bench.look(lite_named("n", Some("BMS"))).await;
    let _ = bench.look(pai_named("ä", Some("7"))).await;
    let _ = bench.look(Query::PaiId(defaults::SEED_PAI_ID.into())).await;
    let project = defaults::PROJECT_ID;
    let asked: Vec<_> = bench
        .fake
        .log()
        .iter()
        .map(|r| format!("{}?{} {:?}", r.path, r.query, r.status))
        .collect();
    assert_eq!(asked, [
        format!("/v1/{project}/images?limit=200&name=a%20b%26c&name_fuzzy_match=false&namespace=o&offset=0&type=BUILD_IN&workspace_id=0 Some(200)"),
        format!("/v1/{project}/dev-servers/images?limit=200&offset=0&server_type=BMS Some(200)"),
        "/api/v1/images?Name=%C3%A4&PageNumber=1&PageSize=100&Verbose=true&WorkspaceId=7 Some(200)".into(),
        format!("/api/v1/images/{}?Verbose=true Some(200)", defaults::SEED_PAI_ID),
    ]);
}

#[tokio::test]
async fn a_server_that_ignores_filters_is_filtered() {
    let bench = Bench::new().await;
    let page = |images: Value| FaultKind::Body {
        status: 200,
        content_type: "application/json".into(),
        body: json!({"total": 3, "data": images}).to_string(),
    };
    let image = |id: &str, name: &str, workspace: &str| json!({"id": id, "name": name, "workspace_id": workspace, "type": "DEDICATED"});
    let images = json!([
        image("a", "other", "0"),
        image("b", "mine", "0"),
        image("c", "mine", "1")
    ]);
    bench
        .fake
        .add_fault(Fault::always(page(images)).on(Operation::ListImage));
    assert_eq!(
        bench.look(notebook_named("mine")).await.unwrap().image_id,
        "b"
    );
    assert_eq!(
        bench
            .kind(notebook_narrowed("mine", None, None, Some("BUILD_IN")))
            .await,
        FailureKind::NotFound
    );
}
