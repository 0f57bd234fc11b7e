//! The example answers and words of the documents, as a person reads them.
//!
//! Owns the expected facts. Must not derive them from the code under test. The invariant that
//! would break first: the facts of a get and of a list agree.

use super::answers::{facts_of, seed, seed_text};
use imageref::api::{ImageRefStatus, Upstream};
use imageref::facts::lite_server::LiteServerPage;
use imageref::facts::notebook::{NotebookImage, NotebookPage};
use imageref::facts::pai::PaiPage;
use imageref::facts::vocabulary::normalize_accelerators;
use imageref::facts::{Api, Arch, Facts, ImageStatus, text};
use serde_json::json;

const SHOWN: &str = "278e88d1-5b71-4766-8502-b3ba72e824d9";

fn shown() -> Facts {
    let path = "swr.xxx.com/atelier/pytorch_1_8:pytorch_1.8.0-cuda_10.2-py_3.7-ubuntu_18.04-x86_64-20220926104358-041ba2e";
    let tag = path.rsplit_once(':').unwrap().1;
    Facts {
        image_id: SHOWN.to_owned(),
        arch: Some(Arch::Amd64),
        status: ImageStatus::Active,
        swr_path: Some(path.to_owned()),
        image: Some(path.to_owned()),
        accelerators: vec!["CPU".to_owned(), "GPU".to_owned()],
        size: None,
        created: Some("2021-11-30T01:08:24.492Z".to_owned()),
        updated: Some("2021-11-30T01:08:24.492Z".to_owned()),
        upstream: Upstream {
            api: "notebook".to_owned(),
            name: Some("pytorch1.8-cuda10.2-cudnn7-ubuntu18.04".to_owned()),
            tag: Some(tag.to_owned()),
            workspace_id: Some("0".to_owned()),
            type_: Some("BUILD_IN".to_owned()),
            arch: Some("x86_64".to_owned()),
            status: Some("ACTIVE".to_owned()),
            service_type: Some("COMMON".to_owned()),
            dev_services: vec!["NOTEBOOK".to_owned(), "SSH".to_owned()],
            request_id: Some("call-1".to_owned()),
            ..Upstream::default()
        },
    }
}

#[test]
fn the_example_of_show_image_reads_as_a_person_reads_it() {
    let answer = seed("notebook-show-image.json");
    let facts = facts_of(Api::Notebook, &answer, Some(SHOWN), Some(" call-1 "));
    assert_eq!(facts, Some(shown()));
}

#[test]
fn the_entry_of_a_list_yields_the_facts_of_the_get() {
    let page: NotebookPage = serde_json::from_str(&seed_text("notebook-list-images.json")).unwrap();
    assert_eq!((page.received, page.total), (2, Some(107)));
    let mut entries = page.data.into_iter();

    let modelbox = entries.next().unwrap().into_facts(None, None).unwrap();
    assert_eq!(modelbox.accelerators, ["GPU"]);
    assert_eq!(modelbox.upstream.dev_services, ["AI_FLOW", "SSH"]);
    assert_eq!(modelbox.upstream.service_type.as_deref(), Some("TRAIN"));

    let pytorch = entries.next().unwrap();
    assert_eq!(pytorch.id(), Some(SHOWN));
    let listed = pytorch.into_facts(None, None).unwrap();
    // The documents themselves disagree about the creation, and each call has its own id.
    assert_eq!(listed.created.as_deref(), Some("2021-12-07T01:50:05.439Z"));
    let mut shown = shown();
    shown.created.clone_from(&listed.created);
    shown.upstream.request_id = None;
    assert_eq!(listed, shown);
}

#[test]
fn the_example_of_pai_loses_its_line_feeds() {
    let answer = seed("pai-get-image.json");
    let facts = facts_of(Api::Pai, &answer, Some("image-4c62asked53uor"), None);
    let expected = Facts {
        image_id: "image-4c62asked53uor".to_owned(),
        arch: None,
        status: ImageStatus::Active,
        swr_path: None,
        image: Some("registry.cn-hangzhou.aliyuncs.******ession/nlp:gpu".to_owned()),
        accelerators: vec!["GPU".to_owned()],
        size: Some(10),
        created: Some("2021-01-21T17:12:35.232Z".to_owned()),
        updated: Some("2021-01-21T17:12:35.232Z".to_owned()),
        upstream: Upstream {
            api: "pai".to_owned(),
            name: Some("nlp-compression".to_owned()),
            workspace_id: Some("15945".to_owned()),
            visibility: Some("PUBLIC".to_owned()),
            labels: [("system.chipType".to_owned(), "GPU".to_owned())].into(),
            request_id: Some("5A14FA81-DD4E-******-6343FE44B941".to_owned()),
            ..Upstream::default()
        },
    };
    assert_eq!(facts, Some(expected));
}

#[test]
fn pai_keeps_the_id_of_a_list_and_prefers_the_callers_request_id() {
    let page = json!({"TotalCount": "2", "RequestId": "page", "Images": [
        {"ImageId": "image-a", "name": "lower", "Labels": [
            {"key": "system.chipType", "value": "gpu, PPU"}, {"Key": " ", "Value": "lost"},
            {"Key": "bare"}, {"Key": "twice", "Value": "b"}, {"Key": "twice\n", "Value": "a"}]},
        null,
    ]});
    let page: PaiPage = serde_json::from_value(page).unwrap();
    assert_eq!((page.received, page.images.len()), (2, 1));
    assert_eq!(page.total_count, Some(2));
    assert_eq!(page.request_id.as_deref(), Some("page"));
    let image = page.images[0].clone();
    assert_eq!(image.id(), Some("image-a"));
    let facts = image.into_facts(Some("other"), Some("header")).unwrap();
    assert_eq!(facts.image_id, "image-a");
    assert_eq!(facts.upstream.name.as_deref(), Some("lower"));
    assert_eq!(facts.upstream.request_id.as_deref(), Some("header"));
    assert_eq!(facts.accelerators, ["GPU", "PPU"]);
    let labels: Vec<_> = facts.upstream.labels.iter().collect();
    assert_eq!(
        format!("{labels:?}"),
        r#"[("bare", ""), ("system.chipType", "gpu, PPU"), ("twice", "a")]"#
    );
}

#[test]
fn a_lite_server_image_never_has_a_path() {
    let mut answer = seed("lite-server-image.json");
    let example = facts_of(Api::LiteServer, &answer, None, None).unwrap();
    assert_eq!(example.arch, Some(Arch::Arm64));
    assert_eq!(example.status, ImageStatus::Active);
    assert_eq!(example.upstream.server_type.as_deref(), Some("BMS"));
    for field in ["swr_path", "tag", "ImageUri", "size", "id"] {
        answer[field] = json!("registry/of/another:api");
    }
    assert_eq!(
        facts_of(Api::LiteServer, &answer, None, None),
        Some(example)
    );
    let page = json!({"data": [answer], "total": 1, "current": 0, "pages": null, "size": "x"});
    let page: LiteServerPage = serde_json::from_value(page).unwrap();
    assert_eq!(
        (page.data.len(), page.received, page.total),
        (1, 1, Some(1))
    );
}

#[test]
fn an_answer_about_no_image_is_no_facts() {
    for api in [Api::Notebook, Api::LiteServer, Api::Pai] {
        for answer in [
            json!({}),
            json!({"error_code": "ModelArts.6404", "error_msg": "gone"}),
            json!({"RequestId": "5A14", "name": " ", "Name": null}),
        ] {
            assert_eq!(facts_of(api, &answer, Some("asked"), Some("call")), None);
        }
        let nameless = json!({"Name": "n", "name": "n"});
        assert_eq!(facts_of(api, &nameless, Some(" "), None), None);
        assert_eq!(facts_of(api, &nameless, None, None), None);
    }
    assert!(serde_json::from_str::<NotebookImage>("[]").is_err());
}

#[test]
fn architectures_of_every_vocabulary_become_the_node_label() {
    for word in ["X86_64", "x86_64", "X86", "x86", "amd64", " AMD64\n"] {
        assert_eq!(Arch::parse(word), Some(Arch::Amd64), "{word}");
    }
    for word in ["AARCH64", "aarch64", "ARM", "arm64", "\tArm\u{a0}"] {
        assert_eq!(Arch::parse(word), Some(Arch::Arm64), "{word}");
    }
    for word in ["", " ", "riscv64", "x86-64", "arm32", "x86_64,aarch64"] {
        assert_eq!(Arch::parse(word), None, "{word}");
    }
}

#[test]
fn unknown_words_are_kept_and_never_guessed() {
    let answer = json!({"arch": "LoongArch", "status": "HIBERNATING", "type": "SHARED",
        "resource_categories": ["npu", "GPU"], "service_type": 7});
    let facts = facts_of(Api::Notebook, &answer, Some("i"), None).unwrap();
    assert_eq!((facts.arch, facts.status), (None, ImageStatus::Unknown));
    assert_eq!(facts.accelerators, ["GPU", "NPU"]);
    let upstream = facts.upstream;
    assert_eq!(upstream.arch.as_deref(), Some("LoongArch"));
    assert_eq!(upstream.status.as_deref(), Some("HIBERNATING"));
    assert_eq!(upstream.type_.as_deref(), Some("SHARED"));
    assert_eq!(upstream.service_type.as_deref(), Some("7"));
    assert_eq!(
        ImageStatus::parse(Some(" create_failed ")),
        ImageStatus::CreateFailed
    );
    assert_eq!(ImageStatus::parse(None), ImageStatus::Unknown);
    assert_eq!(
        normalize_accelerators(["gpu,CPU", "Gpu ", ","]),
        ["CPU", "GPU"]
    );
}

#[test]
fn times_and_numbers_come_in_many_forms() {
    for (wire, expected) in [
        (
            json!(1_638_234_504_492_i64),
            Some("2021-11-30T01:08:24.492Z"),
        ),
        (json!("1638234504492"), Some("2021-11-30T01:08:24.492Z")),
        (json!(1_638_234_504_000.0), Some("2021-11-30T01:08:24.000Z")),
        (json!(-1), Some("1969-12-31T23:59:59.999Z")),
        (
            json!("2021-01-21T17:12:35Z\n"),
            Some("2021-01-21T17:12:35.000Z"),
        ),
        (
            json!("2021-01-21T17:12:35"),
            Some("2021-01-21T17:12:35.000Z"),
        ),
        (
            json!("2021-01-21T17:12:35.232999Z"),
            Some("2021-01-21T17:12:35.232Z"),
        ),
        (
            json!("2021-01-21T17:12:35.2+08:00"),
            Some("2021-01-21T09:12:35.200Z"),
        ),
        (json!("2021-01-21T17:12Z"), Some("2021-01-21T17:12:00.000Z")),
        (json!("2021-01-21T17:12:35+08:00[Asia/Shanghai]"), None),
        (json!("yesterday"), None),
        (json!(""), None),
        (json!(true), None),
        (json!(i64::MAX), None),
        (json!(-99_999_999_999_999_i64), None),
    ] {
        assert_eq!(text::time(&wire).as_deref(), expected, "{wire}");
    }
    for (wire, expected) in [
        (json!(3_803_970_629_i64), Some(3_803_970_629)),
        (json!(10.0), Some(10)),
        (json!(" 10 "), Some(10)),
        (json!("1e3"), Some(1000)),
        (json!(10.5), None),
        (json!(0), Some(0)),
        (json!(-1), None),
        (json!(u64::MAX), None),
        (json!(9_223_372_036_854_775_808.0), None),
        (json!("NaN"), None),
        (json!([10]), None),
    ] {
        assert_eq!(text::natural(&wire), expected, "{wire}");
    }
    for (wire, expected) in [
        (json!(i64::MIN), Some(i64::MIN)),
        (json!(-9_223_372_036_854_775_808.0), Some(i64::MIN)),
        (json!(-9_223_372_036_854_777_856.0), None),
        (json!("-1.0"), Some(-1)),
        (json!("-1.5"), None),
    ] {
        assert_eq!(text::integer(&wire), expected, "{wire}");
    }
}

#[test]
fn writing_facts_takes_out_what_is_no_longer_stated_and_nothing_else() {
    let mut status = ImageRefStatus {
        observed_generation: Some(4),
        resolved_for: Some("9c1d".to_owned()),
        ..ImageRefStatus::default()
    };
    shown().write_to(&mut status);
    let mut bare = facts_of(Api::Pai, &json!({"Name": "n"}), Some("i"), None).unwrap();
    bare.upstream.name = None;
    bare.write_to(&mut status);
    assert_eq!(
        serde_json::to_value(status).unwrap(),
        json!({"observedGeneration": 4, "resolvedFor": "9c1d", "imageID": "i",
            "status": "ACTIVE", "upstream": {"api": "pai"}})
    );
}
