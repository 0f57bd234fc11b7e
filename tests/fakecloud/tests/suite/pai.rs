//! Owns the tests of PAI: single images, lists, error shapes.

use crate::client::Ask;
use fakecloud::{FakeCloud, ImageApi, ListLie, Operation, defaults};
use serde_json::{Value, json};

fn image(id: &str, query: &str) -> Ask {
    Ask::get(&format!("/api/v1/images/{id}{query}"))
}

async fn list(cloud: &FakeCloud, query: &str) -> Value {
    Ask::get(&format!("/api/v1/images{query}"))
        .alibaba(cloud, "ListImages")
        .reply(cloud)
        .await
        .json()
}

fn ids(page: &Value) -> Vec<&str> {
    page["Images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| image["ImageId"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn the_seed_is_served_byte_for_byte_when_verbose() {
    let cloud = FakeCloud::start().await;
    for verbose in ["true", "True"] {
        let ask = image(defaults::SEED_PAI_ID, &format!("?Verbose={verbose}"))
            .alibaba(&cloud, "GetImage");
        let reply = ask.reply(&cloud).await;
        assert_eq!(
            reply.body,
            include_bytes!("../../../fixtures/seeds/pai-get-image.json")
        );
        assert!(reply.header("x-acs-request-id").is_some());
    }
    let brief = image(defaults::SEED_PAI_ID, "")
        .alibaba(&cloud, "GetImage")
        .reply(&cloud)
        .await
        .json();
    assert!(brief.get("Labels").is_none());
    assert_eq!(brief["Name"], "nlp-compression\n");
    assert_eq!(cloud.calls().of(Operation::PaiGetImage), 3);
}

#[tokio::test]
async fn an_official_image_has_no_workspace_and_no_image_echoes_its_id() {
    let cloud = FakeCloud::start().await;
    let ask = |cloud: &FakeCloud| {
        image(defaults::OFFICIAL_PAI_ID, "?Verbose=true").alibaba(cloud, "GetImage")
    };
    let official = ask(&cloud).reply(&cloud).await.json();
    assert!(official.get("WorkspaceId").is_none());
    assert!(official.get("ImageId").is_none());
    assert_eq!(official["RequestId"].as_str().map(str::len), Some(36));
    assert!(!official["Name"].as_str().unwrap().ends_with('\n'));

    cloud.configure(|options| {
        options.pai_echo_image_id = true;
        options.pai_line_feeds = true;
        options.unknown_fields = true;
    });
    let official = ask(&cloud).reply(&cloud).await.json();
    assert_eq!(official["ImageId"], defaults::OFFICIAL_PAI_ID);
    assert_eq!(official["Description"], "TorchEasyRec\n");
    assert_eq!(
        official["Labels"][0],
        json!({"Key": "system.official\n", "Value": "true"})
    );
    assert!(official.get("NotInAnyDocument").is_some());
}

#[tokio::test]
async fn a_missing_image_answers_as_configured() {
    let cloud = FakeCloud::start().await;
    let ask = |cloud: &FakeCloud| image("image-000000000000000000", "").alibaba(cloud, "GetImage");
    assert_eq!(
        ask(&cloud).reply(&cloud).await.error(),
        (404, "100800404".into())
    );
    cloud.configure(|options| {
        options.pai_not_found_status = 400;
        options.pai_not_found_code = "ImageNotExist".into();
    });
    assert_eq!(
        ask(&cloud).reply(&cloud).await.error(),
        (400, "ImageNotExist".into())
    );
}

#[tokio::test]
async fn errors_come_in_three_shapes() {
    let cloud = FakeCloud::start().await;
    let ask = |cloud: &FakeCloud| image("image-none", "").alibaba(cloud, "GetImage");
    let reply = ask(&cloud).reply(&cloud).await;
    for member in ["RequestId", "HostId", "Code", "Message"] {
        assert!(reply.json()[member].is_string(), "{member}");
    }
    cloud.configure(|options| options.pai_lower_case_errors = true);
    assert_eq!(ask(&cloud).reply(&cloud).await.json()["code"], "100800404");
    cloud.configure(|options| options.pai_xml_errors = true);
    let reply = ask(&cloud).reply(&cloud).await;
    assert_eq!(reply.header("content-type"), Some("text/xml;charset=utf-8"));
    assert!(reply.text().contains("<Error><RequestId>"));
    assert!(reply.text().contains("<Code>100800404</Code>"));
}

#[tokio::test]
async fn lists_filter_page_and_sort() {
    let cloud = FakeCloud::start().await;
    let seed = defaults::SEED_PAI_ID;
    let (official, own) = (defaults::OFFICIAL_PAI_ID, defaults::WORKSPACE_PAI_ID);
    let all = list(&cloud, "").await;
    assert_eq!(ids(&all), [seed, official, own]);
    assert_eq!(all["TotalCount"], 3);
    assert!(all["RequestId"].is_string());
    assert!(all["Images"][0].get("RequestId").is_none());
    assert!(all["Images"][0].get("Labels").is_none());

    let verbose = list(&cloud, "?Verbose=true&Order=DESC&SortBy=GmtCreateTime").await;
    assert_eq!(ids(&verbose), [own, official, seed]);
    assert!(verbose["Images"][0]["Labels"].is_array());

    assert_eq!(ids(&list(&cloud, "?WorkspaceId=0").await), [official]);
    assert_eq!(ids(&list(&cloud, "?WorkspaceId=15945").await), [seed, own]);
    assert_eq!(ids(&list(&cloud, "?Name=train").await), [own]);
    assert_eq!(ids(&list(&cloud, "?Query=TorchEasy").await), [official]);
    assert_eq!(ids(&list(&cloud, "?Accessibility=PRIVATE").await), [own]);
    assert_eq!(
        ids(&list(&cloud, "?Labels=system.chipType%3DGPU").await),
        [seed, own]
    );
    assert_eq!(
        ids(&list(&cloud, "?Labels=system.chipType%3DGPU%2Cteam%3Dnlp").await),
        [own]
    );

    let second = list(&cloud, "?PageNumber=2&PageSize=2").await;
    assert_eq!(
        (ids(&second), &second["TotalCount"]),
        (vec![own], &json!(3))
    );
    cloud.configure(|options| options.max_page_size = Some(1));
    assert_eq!(
        ids(&list(&cloud, "?PageNumber=2&PageSize=50").await),
        [official]
    );
    cloud.configure(|options| options.list_lie = ListLie::RepeatPage);
    assert_eq!(ids(&list(&cloud, "?PageNumber=9").await), [seed]);
    assert_eq!(cloud.calls().of(Operation::PaiListImages), 12);
    cloud.configure(|options| options.list_lie = ListLie::Endless);
    let ninth = list(&cloud, "?PageNumber=9").await;
    assert_eq!(
        (ids(&ninth), &ninth["TotalCount"]),
        (vec!["image-000000000000000008"], &json!(10))
    );
}

#[tokio::test]
async fn a_page_without_a_size_has_twenty_items() {
    let cloud = FakeCloud::start().await;
    for number in 0..30 {
        cloud.put_pai_image(json!({"Name": format!("image {number}")}));
    }
    assert_eq!(ids(&list(&cloud, "").await).len(), 20);
    assert!(
        cloud
            .images(ImageApi::Pai)
            .iter()
            .all(|image| image["ImageId"].as_str().unwrap().len() == 24)
    );
}

#[tokio::test]
async fn lists_refuse_what_they_do_not_know() {
    let cloud = FakeCloud::start().await;
    for query in ["PageNumber=0", "PageSize=x", "SortBy=Name", "Order=UP"] {
        let ask = Ask::get(&format!("/api/v1/images?{query}")).alibaba(&cloud, "ListImages");
        assert_eq!(
            ask.reply(&cloud).await.error(),
            (400, "InvalidParameter".into()),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_missing_permission_is_told_in_detail() {
    let cloud = FakeCloud::start().await;
    cloud.configure(|options| options.denied = [Operation::PaiGetImage].into());
    let reply = image(defaults::SEED_PAI_ID, "")
        .alibaba(&cloud, "GetImage")
        .reply(&cloud)
        .await;
    assert_eq!(reply.error(), (403, "Forbidden.RAM".into()));
    assert_eq!(
        reply.json()["AccessDeniedDetail"]["AuthAction"],
        "paiimage:GetImage"
    );
    assert_eq!(list(&cloud, "").await["TotalCount"], 3);
}

#[tokio::test]
async fn what_is_not_there_is_a_404_of_its_own_kind() {
    let cloud = FakeCloud::start().await;
    let not_found = (404, "InvalidApi.NotFound".to_owned());
    for ask in [
        Ask::get("/api/v1/nothing"),
        Ask::new("DELETE", "/api/v1/images/image-x"),
        Ask::get("/nothing").header("x-acs-action", "GetImage"),
        image(defaults::SEED_PAI_ID, "").alibaba(&cloud, "ListImages"),
    ] {
        assert_eq!(ask.reply(&cloud).await.error(), not_found);
    }
}

#[tokio::test]
async fn a_plus_sign_on_the_wire_is_a_space() {
    let cloud = FakeCloud::start().await;
    cloud.put_pai_image(json!({"ImageId": "image-spaced", "Name": "two words"}));
    // The official Python SDK signs `%20` and sends `+`.
    let mut ask = Ask::get("/api/v1/images?Name=two%20words").alibaba(&cloud, "ListImages");
    ask.query = "Name=two+words".to_owned();
    let reply = ask.reply(&cloud).await;
    assert_eq!(reply.json()["TotalCount"], 1, "{}", reply.text());
}
