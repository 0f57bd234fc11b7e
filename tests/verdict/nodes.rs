//! Which architectures a pod's node selection allows.

use super::world::{TORCH, World, declared, pod_with};
use imageref::admission::KnownRef;
use serde_json::{Value, json};

const POOLS: &str = "
defaultArchitectures: [amd64]
pools:
- {labels: {pool: kunpeng}, architectures: [arm64]}
- {labels: {pool: ascend}, architectures: [arm64]}
- {labels: {pool: mixed}, architectures: [amd64, arm64]}
- {labels: {vendor: huawei, size: big}, architectures: [arm64]}
";

/// Which of amd64 and arm64 images pass under these fields.
fn allowed(configuration: &str, fields: &Value) -> Vec<&'static str> {
    let image = format!("{TORCH}:1");
    let passes = |arch: &&str| {
        let known = KnownRef {
            arch: Some((*arch).into()),
            ..declared("torch", &image)
        };
        let world = World::of([known]).configured(configuration);
        world.says(&pod_with(&image, fields.clone())) == "Allow"
    };
    ["amd64", "arm64"].into_iter().filter(passes).collect()
}

fn affinity(terms: &Value) -> Value {
    json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": terms}}}})
}

/// One term of one expression.
fn expression(key: &str, operator: &str, values: &[&str]) -> Value {
    affinity(&json!([{"matchExpressions": [{"key": key, "operator": operator, "values": values}]}]))
}

const BOTH: &[&str] = &["amd64", "arm64"];
const AMD: &[&str] = &["amd64"];
const ARM: &[&str] = &["arm64"];
const NONE: &[&str] = &[];

#[test]
fn every_operator_means_what_the_scheduler_means() {
    const ARCH: &str = "kubernetes.io/arch";
    for (operator, values, expected) in [
        ("In", &["arm64"][..], ARM),
        ("In", &["amd64", "arm64"], BOTH),
        ("In", &["ppc64le"], NONE),
        ("In", &[], NONE),
        ("NotIn", &["arm64"], AMD),
        ("NotIn", &["ppc64le"], BOTH),
        ("NotIn", &["amd64", "arm64"], NONE),
        ("Exists", &[], BOTH),
        ("DoesNotExist", &[], NONE),
        ("Gt", &["1"], NONE),
        ("Lt", &["1"], NONE),
    ] {
        for key in [ARCH, "beta.kubernetes.io/arch"] {
            let fields = expression(key, operator, values);
            assert_eq!(
                allowed("{}", &fields),
                expected,
                "{key} {operator} {values:?}"
            );
        }
        // Of another label nothing is known, so that nothing is ruled out.
        let other = expression("rack", operator, values);
        assert_eq!(allowed("{}", &other), BOTH, "{operator} {values:?}");
    }
}

#[test]
fn terms_are_alternatives_and_expressions_are_not() {
    let is = |arch: &str| json!({"key": "kubernetes.io/arch", "operator": "In", "values": [arch]});
    for (terms, expected) in [
        (
            json!([{"matchExpressions": [is("arm64")]}, {"matchExpressions": [is("amd64")]}]),
            BOTH,
        ),
        (
            json!([{"matchExpressions": [is("arm64"), is("amd64")]}]),
            NONE,
        ),
        (
            json!([{"matchExpressions": [is("arm64"), is("amd64")]}, {"matchExpressions": [is("arm64")]}]),
            ARM,
        ),
        (json!([{}, {"matchExpressions": [is("arm64")]}]), ARM),
        (json!([{}]), NONE),
        (json!([]), NONE),
        (
            json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]),
            BOTH,
        ),
    ] {
        assert_eq!(allowed("{}", &affinity(&terms)), expected, "{terms}");
    }
    let mut both = affinity(&json!([{"matchExpressions": [is("arm64")]}]));
    both["nodeSelector"] = json!({"kubernetes.io/arch": "amd64"});
    assert_eq!(allowed("{}", &both), NONE);
}

#[test]
fn preferences_rule_nothing_out() {
    let fields = json!({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 1, "preference": {"matchExpressions": [
            {"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]}]}}]}}});
    assert_eq!(allowed("{}", &fields), BOTH);
}

#[test]
fn the_default_pools_are_for_pods_that_select_nothing() {
    for (fields, expected) in [
        (json!({}), AMD),
        (json!({"nodeSelector": {"kubernetes.io/os": "linux"}}), AMD),
        (
            json!({"nodeSelector": {"kubernetes.io/arch": "arm64"}}),
            ARM,
        ),
        (json!({"nodeSelector": {"rack": "r1"}}), BOTH),
        (json!({"nodeName": "n1"}), BOTH),
        (affinity(&json!([{"matchFields": [{}]}])), BOTH),
        (expression("kubernetes.io/arch", "Exists", &[]), BOTH),
        (expression("kubernetes.io/os", "In", &["linux"]), AMD),
    ] {
        assert_eq!(allowed(POOLS, &fields), expected, "{fields}");
    }
}

#[test]
fn a_pool_that_the_pod_is_sure_to_land_in_decides() {
    for (fields, expected) in [
        (json!({"nodeSelector": {"pool": "kunpeng"}}), ARM),
        (json!({"nodeSelector": {"pool": "mixed"}}), BOTH),
        (json!({"nodeSelector": {"pool": "other"}}), BOTH),
        (
            json!({"nodeSelector": {"pool": "kunpeng", "kubernetes.io/arch": "amd64"}}),
            NONE,
        ),
        (json!({"nodeSelector": {"vendor": "huawei"}}), BOTH),
        (
            json!({"nodeSelector": {"vendor": "huawei", "size": "big"}}),
            ARM,
        ),
        (expression("pool", "In", &["kunpeng"]), ARM),
        (expression("pool", "In", &["kunpeng", "ascend"]), ARM),
        (expression("pool", "In", &["kunpeng", "mixed"]), BOTH),
        (expression("pool", "In", &["kunpeng", "other"]), BOTH),
        (expression("pool", "NotIn", &["kunpeng"]), BOTH),
        (expression("pool", "Exists", &[]), BOTH),
    ] {
        assert_eq!(allowed(POOLS, &fields), expected, "{fields}");
    }
}

#[test]
fn pods_of_a_daemon_set_are_for_each_node_and_know_no_default_pool() {
    let arm = KnownRef {
        arch: Some("arm64".into()),
        ..declared("torch", &format!("{TORCH}:1"))
    };
    let world = World::of([arm])
        .labelled("imageref.dev/admission-templates", "enforce")
        .configured(POOLS);
    let template = |kind: &str| {
        json!({"apiVersion": "apps/v1", "kind": kind, "spec": {"template": {
            "spec": {"containers": [{"name": "c", "image": format!("{TORCH}:1")}]}}}})
    };
    assert_eq!(world.says(&template("DaemonSet")), "Allow");
    assert!(world.says(&template("Deployment")).starts_with("Deny"));
}

#[test]
fn a_message_names_the_architectures_of_the_pod_and_not_all_there_are() {
    let known = KnownRef {
        arch: Some("arm64".into()),
        ..declared("torch", &format!("{TORCH}:1"))
    };
    let world = World::of([known]);
    let fields = affinity(&json!([{"matchExpressions": [
        {"key": "kubernetes.io/arch", "operator": "In", "values": ["s390x", "amd64"]},
        {"key": "rack", "operator": "In", "values": ["r1"]},
    ]}]));
    let problem = &world
        .judge(&pod_with(&format!("{TORCH}:1"), fields))
        .findings[0]
        .problem;
    assert!(
        problem.ends_with("the nodes that it selects are amd64, s390x"),
        "{problem}"
    );
    let fields = affinity(&json!([{"matchExpressions": [
        {"key": "kubernetes.io/arch", "operator": "NotIn", "values": ["arm64"]},
        {"key": "rack", "operator": "In", "values": ["r1"]},
    ]}]));
    let verdict = world.judge(&pod_with(&format!("{TORCH}:1"), fields));
    let problem = &verdict.findings[0].problem;
    assert!(
        problem.ends_with("the nodes that it selects are amd64"),
        "{problem}"
    );
}
