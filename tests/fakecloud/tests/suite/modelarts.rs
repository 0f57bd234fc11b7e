//! Owns the tests of `ModelArts`: single images, lists, paging, permissions.

use crate::client::Ask;
use fakecloud::{
    ArchCase, FakeCloud, ImageApi, ListLie, ModelArtsNotFound, Operation, PageBase, PageSizeField,
    defaults,
};
use serde_json::{Value, json};

fn ids(page: &Value) -> Vec<&str> {
    page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| image["id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn the_seeds_are_served_byte_for_byte_until_they_are_changed() {
    let cloud = FakeCloud::start().await;
    let notebook = Ask::project(&format!("images/{}", defaults::SEED_NOTEBOOK_ID)).token();
    let reply = notebook.reply(&cloud).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.body,
        include_bytes!("../../../fixtures/seeds/notebook-show-image.json")
    );
    assert_eq!(reply.header("server"), Some("api-gateway"));
    assert!(reply.header("x-request-id").is_some());

    let server = Ask::project(&format!(
        "dev-servers/images/{}",
        defaults::SEED_LITE_SERVER_ID
    ))
    .token();
    let reply = server.reply(&cloud).await;
    assert_eq!(
        reply.body,
        include_bytes!("../../../fixtures/seeds/lite-server-image.json")
    );

    assert!(
        cloud.update(ImageApi::Notebook, defaults::SEED_NOTEBOOK_ID, |image| {
            image["status"] = json!("DELETED");
        })
    );
    assert_eq!(notebook.reply(&cloud).await.json()["status"], "DELETED");
    assert_eq!(cloud.calls().of(Operation::ShowImage), 2);
    assert_eq!(cloud.calls().of(Operation::GetDevServerImage), 1);
}

#[tokio::test]
async fn a_missing_image_is_a_bad_request_or_a_404() {
    let cloud = FakeCloud::start().await;
    let id = "00000000-0000-4000-8000-000000000000";
    for path in [format!("images/{id}"), format!("dev-servers/images/{id}")] {
        let ask = Ask::project(&path).token();
        cloud.configure(|options| options.modelarts_not_found = ModelArtsNotFound::BadRequest);
        assert_eq!(
            ask.reply(&cloud).await.error(),
            (400, "ModelArts.6404".into())
        );
        cloud.configure(|options| options.modelarts_not_found = ModelArtsNotFound::NotFound);
        assert_eq!(
            ask.reply(&cloud).await.error(),
            (404, "ModelArts.6404".into())
        );
    }
}

#[tokio::test]
async fn a_malformed_id_is_refused() {
    let cloud = FakeCloud::start().await;
    let upper = defaults::MODELBOX_NOTEBOOK_ID.to_uppercase();
    for id in ["x", "a%2Fb", &upper, "278e88d1-5b71-6766-8502-b3ba72e824d9"] {
        let reply = Ask::project(&format!("images/{id}"))
            .token()
            .reply(&cloud)
            .await;
        assert_eq!(reply.error(), (400, "ModelArts.6400".into()), "{id}");
    }
}

#[tokio::test]
async fn the_id_group_is_another_api() {
    let cloud = FakeCloud::start().await;
    let page = Ask::project("images/group?type=DEDICATED")
        .token()
        .reply(&cloud)
        .await
        .json();
    assert_eq!(page["total"], 3);
    assert!(page.get("id").is_none());
    let two = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|group| group["name"] == "llm-serving");
    assert_eq!(two.unwrap()["image_count"], 2);
    assert_eq!(cloud.calls().of(Operation::ListImageGroup), 1);
    assert_eq!(cloud.calls().of(Operation::ShowImage), 0);
}

#[tokio::test]
async fn a_list_shows_presets_unless_private_images_are_asked_for() {
    let cloud = FakeCloud::start().await;
    let presets = Ask::project("images").token().reply(&cloud).await.json();
    assert_eq!(
        ids(&presets),
        [defaults::MODELBOX_NOTEBOOK_ID, defaults::SEED_NOTEBOOK_ID]
    );
    assert_eq!(presets["size"], 200);
    assert_eq!(presets["current"], 0);
    assert_eq!(presets["pages"], 1);

    let own = Ask::project("images?type=DEDICATED")
        .token()
        .reply(&cloud)
        .await
        .json();
    assert_eq!(own["total"], 4);
    assert!(own["data"][0].get("support_res_categories").is_none());
    let shown = Ask::project(&format!("images/{}", defaults::ASCEND_NOTEBOOK_ID)).token();
    let shown = shown.reply(&cloud).await.json();
    assert_eq!(shown["support_res_categories"], json!(["ASCEND", "CPU"]));
    assert_eq!(shown["arch"], "aarch64");
}

#[tokio::test]
async fn lists_filter_and_sort() {
    let cloud = FakeCloud::start().await;
    let list = async |query: &str| {
        let ask = Ask::project(&format!("images?type=DEDICATED&{query}")).token();
        let page = ask.reply(&cloud).await.json();
        ids(&page)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(list("name=serving").await.len(), 2);
    assert_eq!(list("name=serving&name_fuzzy_match=false").await.len(), 0);
    assert_eq!(
        list("name=llm-serving&name_fuzzy_match=false").await.len(),
        2
    );
    assert_eq!(list("namespace=ai-team").await.len(), 4);
    assert_eq!(list("namespace=others").await.len(), 0);
    assert_eq!(
        list("service_type=TRAIN").await,
        [defaults::ASCEND_NOTEBOOK_ID]
    );
    assert_eq!(list("service_type=UNKNOWN").await.len(), 4);
    assert_eq!(list("workspace_id=0").await.len(), 4);
    assert_eq!(list("workspace_id=0123").await.len(), 0);
    let newest = defaults::TWO_TAGS_SECOND_NOTEBOOK_ID;
    assert_eq!(list("sort_key=create_at").await[0], newest);
    assert_eq!(list("sort_key=create_at&sort_dir=ASC").await[3], newest);
    assert_eq!(
        list("sort_key=name,create_at&sort_dir=ASC").await[1],
        newest
    );
}

#[tokio::test]
async fn lists_refuse_what_they_do_not_know() {
    let cloud = FakeCloud::start().await;
    for (query, code) in [
        ("sort_key=updateTime", "ModelArts.6303"),
        ("sort_dir=down", "ModelArts.6400"),
        ("limit=0", "ModelArts.6400"),
        ("limit=many", "ModelArts.6400"),
        ("offset=-1", "ModelArts.6400"),
        ("type=ALL", "ModelArts.6400"),
        ("service_type=ANY", "ModelArts.6400"),
        ("name_fuzzy_match=maybe", "ModelArts.6400"),
    ] {
        let reply = Ask::project(&format!("images?{query}"))
            .token()
            .reply(&cloud)
            .await;
        assert_eq!(reply.error(), (400, code.into()), "{query}");
    }
}

#[tokio::test]
async fn pages_count_records_and_can_be_capped_and_numbered_from_one() {
    let cloud = FakeCloud::start().await;
    let ask = Ask::project("images?type=DEDICATED&limit=3&offset=3").token();
    let page = ask.reply(&cloud).await.json();
    assert_eq!(
        (
            &page["current"],
            &page["pages"],
            &page["size"],
            &page["total"]
        ),
        (&json!(1), &json!(2), &json!(3), &json!(4))
    );
    assert_eq!(ids(&page).len(), 1);
    cloud.configure(|options| {
        options.current_base = PageBase::One;
        options.page_size_field = PageSizeField::Returned;
    });
    let page = ask.reply(&cloud).await.json();
    assert_eq!((&page["current"], &page["size"]), (&json!(2), &json!(1)));
    cloud.configure(|options| options.max_page_size = Some(2));
    let page = Ask::project("images?type=DEDICATED&limit=200")
        .token()
        .reply(&cloud)
        .await
        .json();
    assert_eq!(ids(&page).len(), 2);
    assert_eq!(page["total"], 4);
}

#[tokio::test]
async fn lists_lie_when_told_to() {
    let cloud = FakeCloud::start().await;
    let ask = Ask::project("images?type=DEDICATED&limit=2&offset=2").token();
    let honest = ask.reply(&cloud).await.json();
    cloud.configure(|options| options.list_lie = ListLie::Shrink);
    let shrunk = ask.reply(&cloud).await.json();
    assert_eq!(ids(&shrunk), [ids(&honest)[1]]);
    cloud.configure(|options| options.list_lie = ListLie::RepeatPage);
    assert_eq!(ask.reply(&cloud).await.json()["total"], 6);
    cloud.configure(|options| options.list_lie = ListLie::TotalTooLarge);
    assert_eq!(ask.reply(&cloud).await.json()["total"], 1040);
    cloud.configure(|options| options.list_lie = ListLie::Endless);
    let first = ask.reply(&cloud).await.json();
    assert_eq!((ids(&first), &first["total"]), (ids(&honest), &json!(6)));
    let made_up = Ask::project("images?type=DEDICATED&limit=2&offset=4").token();
    let made_up = made_up.reply(&cloud).await.json();
    assert_eq!((ids(&made_up).len(), &made_up["total"]), (2, &json!(8)));
    for image in made_up["data"].as_array().unwrap() {
        let id = image["id"].as_str().unwrap();
        assert_eq!(cloud.image(ImageApi::Notebook, id), None, "{id}");
    }
}

#[tokio::test]
async fn lite_server_images_are_listed_by_server_type() {
    let cloud = FakeCloud::start().await;
    let all = Ask::project("dev-servers/images")
        .token()
        .reply(&cloud)
        .await
        .json();
    assert_eq!(all["total"], 2);
    let ask = Ask::project("dev-servers/images?server_type=ECS&flavor_name=x&limit=1").token();
    let page = ask.reply(&cloud).await.json();
    assert_eq!(
        page["data"][0]["image_id"],
        defaults::INACTIVE_LITE_SERVER_ID
    );
    assert_eq!(page["data"][0]["status"], "INACTIVE");
    let second = Ask::project("dev-servers/images?limit=1&offset=1")
        .token()
        .reply(&cloud)
        .await
        .json();
    assert_eq!(second["data"].as_array().unwrap().len(), 1);
    let refused = Ask::project("dev-servers/images?server_type=VM")
        .token()
        .reply(&cloud)
        .await;
    assert_eq!(refused.error(), (400, "ModelArts.6400".into()));
    assert_eq!(cloud.calls().of(Operation::ListDevServerImages), 4);
}

#[tokio::test]
async fn options_change_how_images_look() {
    let cloud = FakeCloud::start().await;
    cloud.configure(|options| {
        options.arch = ArchCase::Upper;
        options.unknown_fields = true;
    });
    let ask = Ask::project(&format!("images/{}", defaults::SEED_NOTEBOOK_ID)).token();
    let image = ask.reply(&cloud).await.json();
    assert_eq!(image["arch"], "X86_64");
    assert!(image.get("not_in_any_document").is_some());
}

#[tokio::test]
async fn projects_and_permissions_are_checked() {
    let cloud = FakeCloud::start().await;
    let other = Ask::get("/v1/anotherproject/images")
        .token()
        .reply(&cloud)
        .await;
    assert_eq!(other.error(), (403, "ModelArts.0210".into()));
    cloud.add_token("global", None);
    let global = Ask::project("images")
        .header("x-auth-token", "global")
        .reply(&cloud)
        .await;
    assert_eq!(global.error(), (401, "ModelArts.0204".into()));
    cloud.configure(|options| options.denied = [Operation::ListImage].into());
    let denied = Ask::project("images").token().reply(&cloud).await;
    assert_eq!(denied.error(), (403, "ModelArts.0108".into()));
    let other = Ask::project("dev-servers/images")
        .token()
        .reply(&cloud)
        .await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_the_gateways() {
    let cloud = FakeCloud::start().await;
    for ask in [
        Ask::get("/"),
        Ask::get("/v1/x/y"),
        Ask::new("POST", "/v1/p/images"),
        Ask::get("/v2/p/images"),
    ] {
        let reply = ask.reply(&cloud).await;
        assert_eq!(reply.error(), (404, "APIGW.0101".into()));
        assert!(reply.json()["request_id"].is_string());
    }
    assert_eq!(cloud.calls().total(), 0);
    assert_eq!(cloud.log().len(), 4);
}

#[tokio::test]
async fn images_come_and_go() {
    let cloud = FakeCloud::start().await;
    let id = cloud.put_notebook_image(json!({"name": "new", "type": "DEDICATED"}));
    let ask = Ask::project(&format!("images/{id}")).token();
    assert_eq!(ask.reply(&cloud).await.json()["name"], "new");
    assert!(cloud.remove(ImageApi::Notebook, &id));
    assert!(!cloud.remove(ImageApi::Notebook, &id));
    assert_eq!(ask.reply(&cloud).await.status, 400);
    assert!(!cloud.update(ImageApi::Notebook, &id, |_| panic!(
        "there is nothing to change"
    )));
    let id = cloud.put_lite_server_image(json!({"name": "bmc"}));
    assert!(cloud.image(ImageApi::LiteServer, &id).is_some());
    cloud.clear_images(ImageApi::LiteServer);
    assert!(cloud.images(ImageApi::LiteServer).is_empty());
}
