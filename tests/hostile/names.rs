//! Names that look like more than a name: each is one value of one parameter, and nothing else.

use super::PATIENCE;
use crate::cloud::{alibaba, huawei, network, target};
use fakecloud::{FakeCloud, LoggedRequest, defaults};
use imageref::api::{Source, validation};
use imageref::cloud::{Clouds, Credential};
use imageref::facts::FailureKind;
use imageref::plan::target::{Account, Query};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

/// All legal as names of PAI and Lite Server images.
const NAMES: [&str; 26] = [
    "x&limit=1",
    "x&Name=y",
    "&",
    "=",
    "a=b",
    "100%",
    "%26limit%3D1",
    "%2e%2e%2f",
    "%00",
    "%",
    "a#b",
    "a?b",
    "../../projects",
    "images/group",
    "name_fuzzy_match=true",
    "x&name_fuzzy_match=true",
    "x&Verbose=false&PageSize=1",
    "a+b",
    "a b",
    "a;b",
    "*",
    "~a-b_c.d",
    "'\"<script>`$(id)`",
    "\u{1f680}\u{200d}\u{1f4a5}",
    "\u{202e}gpj.exe\u{202c}",
    "e\u{301}",
];

fn decoded(request: &LoggedRequest) -> Vec<(String, String)> {
    let text = |raw| percent_decode_str(raw).decode_utf8().unwrap().into_owned();
    let pairs = request
        .query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap());
    let mut pairs: Vec<_> = pairs
        .map(|(name, value)| (text(name), text(value)))
        .collect();
    pairs.sort();
    pairs
}

fn expected(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    pairs.sort();
    pairs
}

fn source(json: &Value) -> Source {
    serde_json::from_value(json.clone()).unwrap()
}

struct Bench {
    cloud: FakeCloud,
    clouds: Clouds,
}

impl Bench {
    async fn new() -> Self {
        let cloud = FakeCloud::start().await;
        cloud.add_token("token", Some(defaults::PROJECT_ID));
        let clouds = Clouds::new(network(&cloud.url())).unwrap();
        Self { cloud, clouds }
    }

    /// Asks, and gives what reached the cloud and the name of the image that was found.
    async fn ask(&self, json: &Value, credential: &Credential) -> (LoggedRequest, Option<String>) {
        let like = match json.get("pai") {
            Some(_) => Query::PaiId(String::new()),
            None => Query::NotebookId(String::new()),
        };
        let mut target = target(&self.cloud.url(), like);
        target.query = Query::new(&source(json), &target.account).unwrap();
        let before = self.cloud.log().len();
        let found = self.clouds.look(&target, credential, None, PATIENCE).await;
        let mut log = self.cloud.log().split_off(before);
        assert_eq!(log.len(), 1, "{json}: {log:?}");
        assert!(
            log[0].principal.is_some(),
            "the signature held: {json}: {log:?}"
        );
        let name = match found {
            Ok(facts) => facts.upstream.name,
            Err(failure) => {
                // The platform knows no such type, and says so.
                let fine = [FailureKind::NotFound, FailureKind::BadRequest];
                assert!(fine.contains(&failure.kind), "{json}: {failure:?}");
                None
            }
        };
        (log.remove(0), name)
    }
}

fn huaweis() -> [Credential; 2] {
    [
        huawei(defaults::HUAWEI_SK),
        Credential::HuaweiToken("token".into()),
    ]
}

#[tokio::test]
async fn a_hostile_name_is_one_parameter_with_that_value() {
    let bench = Bench::new().await;
    let long = "\u{1f680}".repeat(256);
    for name in NAMES.into_iter().chain([long.as_str()]) {
        let pai = json!({"pai": {"name": name}});
        let lite = json!({"liteServer": {"name": name}});
        for source in [&pai, &lite] {
            let mut object = json!({"kind": "ImageRef", "spec": {"source": source}});
            let found = validation::validate("ImageRef", &mut object);
            assert!(found.is_empty(), "{name}: {found:?}");
        }
        let (request, _) = bench.ask(&pai, &alibaba(defaults::ALIBABA_SECRET)).await;
        assert_eq!(request.path, "/api/v1/images");
        let pairs = [
            ("Name", name),
            ("PageNumber", "1"),
            ("PageSize", "100"),
            ("Verbose", "true"),
        ];
        assert_eq!(decoded(&request), expected(&pairs), "{name}");

        for credential in huaweis() {
            let (request, _) = bench.ask(&lite, &credential).await;
            assert!(request.path.ends_with("/dev-servers/images"));
            let pairs = [("limit", "200"), ("offset", "0")];
            assert_eq!(decoded(&request), expected(&pairs), "{name}");

            // The CRD refuses nearly all of these; an older one might not.
            let notebook = json!({"notebook": {"name": name, "type": "DEDICATED"}});
            let (request, _) = bench.ask(&notebook, &credential).await;
            assert_eq!(request.path, format!("/v1/{}/images", defaults::PROJECT_ID));
            assert_eq!(
                decoded(&request),
                notebook_pairs(name, "DEDICATED", "0", None),
                "{name}"
            );
        }
    }
}

fn notebook_pairs(
    name: &str,
    type_: &str,
    workspace: &str,
    organization: Option<&str>,
) -> Vec<(String, String)> {
    let mut pairs = vec![
        ("limit", "200"),
        ("name", name),
        ("name_fuzzy_match", "false"),
        ("offset", "0"),
        ("type", type_),
        ("workspace_id", workspace),
    ];
    pairs.extend(organization.map(|organization| ("namespace", organization)));
    expected(&pairs)
}

#[tokio::test]
async fn what_narrows_a_name_is_one_parameter_too() {
    let bench = Bench::new().await;
    for text in NAMES {
        for credential in huaweis() {
            let notebook = json!({"notebook": {"name": "n", "tag": text, "organization": text,
                "type": text, "workspaceId": text}});
            let (request, _) = bench.ask(&notebook, &credential).await;
            assert_eq!(
                decoded(&request),
                notebook_pairs("n", text, text, Some(text)),
                "{text}"
            );
            let lite = json!({"liteServer": {"name": "n", "serverType": text}});
            let (request, _) = bench.ask(&lite, &credential).await;
            let pairs = [("limit", "200"), ("offset", "0"), ("server_type", text)];
            assert_eq!(decoded(&request), expected(&pairs), "{text}");
        }
        let pai = json!({"pai": {"name": "n", "workspaceId": text}});
        let (request, _) = bench.ask(&pai, &alibaba(defaults::ALIBABA_SECRET)).await;
        let workspace = ("WorkspaceId".to_owned(), text.to_owned());
        let pairs = decoded(&request);
        assert!(
            pairs.len() == 5 && pairs.contains(&workspace),
            "{text}: {pairs:?}"
        );
    }
}

#[tokio::test]
async fn an_image_of_a_hostile_name_is_found_by_it() {
    let bench = Bench::new().await;
    for name in NAMES {
        bench
            .cloud
            .put_pai_image(json!({"Name": name, "ImageUri": "h.example/a:1"}));
        let id = bench
            .cloud
            .put_lite_server_image(json!({"name": name, "server_type": "BMS"}));
        assert!(!id.is_empty());
    }
    for name in NAMES {
        let pai = json!({"pai": {"name": name}});
        let (_, found) = bench.ask(&pai, &alibaba(defaults::ALIBABA_SECRET)).await;
        assert_eq!(found.as_deref(), Some(name));
        let lite = json!({"liteServer": {"name": name}});
        let (_, found) = bench.ask(&lite, &huawei(defaults::HUAWEI_SK)).await;
        assert_eq!(found.as_deref(), Some(name));
    }
}

#[test]
fn every_account_checks_its_sources() {
    // No platform lets a text through that another one refuses.
    let modelarts = target("https://h.example", Query::NotebookId(String::new())).account;
    let pai = target("https://h.example", Query::PaiId(String::new())).account;
    let refused = |json: Value, account: &Account| Query::new(&source(&json), account).is_err();
    for text in ["", "a\u{7f}", "a\u{85}b", "\u{0}", &"a".repeat(513)] {
        assert!(
            refused(json!({"notebook": {"name": text}}), &modelarts),
            "{text:?}"
        );
        assert!(
            refused(json!({"liteServer": {"name": text}}), &modelarts),
            "{text:?}"
        );
        assert!(refused(json!({"pai": {"name": text}}), &pai), "{text:?}");
        let narrowed = json!({"liteServer": {"name": "n", "serverType": text}});
        assert!(refused(narrowed, &modelarts), "{text:?}");
    }
}
