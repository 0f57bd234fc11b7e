//! What API servers and operators send: reviews, objects, the configuration.
//!
//! Owns what must hold of `admission`. Inputs are JSON and YAML as they are. The invariant that
//! would break first: verdicts are made in a world in which every kind of reference is declared.

use crate::input::assert_line;
use imageref::admission::configuration::File;
use imageref::admission::review::{
    Endpoint, Outcome, Request, Surroundings, judge, judged, malformed,
};
use imageref::admission::workload::{MOST_IMAGES, MOST_PODS};
use imageref::admission::{
    Configuration, Context, Decision, Known, KnownRef, Mode, Operation, PatchOperation, Unusable,
    extract, verdict,
};
use imageref::api::ProviderKind;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

static CONFIGURATION: LazyLock<Configuration> = LazyLock::new(|| {
    let text = "{mirrors: [{from: mirror.example, to: swr.cn-north-4.myhuaweicloud.com}], \
        exempt: [docker.io/library/busybox], defaultArchitectures: [amd64], \
        pools: [{labels: {pool: arm}, architectures: [arm64]}]}";
    Configuration::read(text).expect("a good one")
});

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let mut known = Known::new(CONFIGURATION.mirrors());
    let image = |rest: &str| Some(format!("swr.cn-north-4.myhuaweicloud.com/ai/torch{rest}"));
    let digest = format!("sha256:{}", "a".repeat(64));
    let usable = KnownRef {
        namespace: "team-a".into(),
        name: "torch".into(),
        provider: Some(ProviderKind::Cluster),
        image: image(&format!(":1@{digest}")),
        arch: Some("arm64".into()),
        platforms: vec!["linux/arm64".into()],
        accelerators: vec!["ASCEND".into()],
        ..KnownRef::default()
    };
    known.insert(KnownRef {
        name: "moving".into(),
        image: image(":2"),
        digest: Some(digest),
        follows_tag: true,
        ..usable.clone()
    });
    known.insert(KnownRef {
        name: "gone".into(),
        image: image(":3"),
        unusable: Some(Unusable {
            reason: "ImageNotFound".into(),
            message: "the image is gone".into(),
            stale: None,
        }),
        ..usable.clone()
    });
    known.insert(KnownRef {
        name: "own".into(),
        image: Some("harbor.example.com/own/app:1".into()),
        provider: Some(ProviderKind::Namespaced),
        ..usable.clone()
    });
    known.insert(usable);
    known
});

fn around(labels: Option<&BTreeMap<String, String>>) -> Surroundings<'_> {
    Surroundings {
        labels,
        own_namespace: "imageref-system",
        known: &KNOWN,
        configuration: &CONFIGURATION,
    }
}

/// The body of a request to the webhook.
pub(crate) fn admission_review(bytes: &[u8]) {
    let request = match Request::read(bytes) {
        Ok(request) => request,
        Err(wrong) => {
            assert_line(&wrong.problem, 200);
            let review: Option<Value> = serde_json::from_slice(bytes).ok();
            let uid = review
                .as_ref()
                .and_then(|review| review["request"]["uid"].as_str());
            let uid = uid.filter(|uid| (1..=256).contains(&uid.len()));
            assert_eq!(wrong.uid.as_deref(), uid);
            if let Some(answer) = malformed(&wrong) {
                let response = response(&answer);
                assert_eq!(response["uid"].as_str(), uid);
                assert_eq!(response["allowed"], false);
            }
            return;
        }
    };
    let none = BTreeMap::new();
    for (_, endpoint) in Endpoint::ALL {
        let outcome = judge(&request, endpoint, &around(Some(&none)));
        let in_the_dark = judge(&request, endpoint, &around(None));
        assert!(in_the_dark.verdict.decision >= outcome.verdict.decision);
        match endpoint {
            Endpoint::Validate(mode) => {
                let strictest = match mode {
                    Mode::Enforce => Decision::Deny,
                    Mode::Warn => Decision::Warn,
                    Mode::Audit => Decision::Allow,
                };
                assert!(outcome.verdict.decision <= strictest);
                assert!(outcome.patch.is_empty());
            }
            Endpoint::Mutate => mutated(&request, &outcome),
        }
        for outcome in [outcome, in_the_dark] {
            told(&request, &outcome);
        }
    }
}

/// What is changed can be, and once is enough.
fn mutated(request: &Request, outcome: &Outcome) {
    if outcome.patch.is_empty() {
        return;
    }
    let mut after = request.clone();
    for operation in &outcome.patch {
        match operation {
            PatchOperation::Replace { path, value } => {
                *after.object.pointer_mut(path).expect("it is there") = value.clone();
            }
            PatchOperation::Add { path, value } => {
                let (parent, key) = path.rsplit_once('/').expect("a pointer");
                let parent = after.object.pointer_mut(parent).expect("it is there");
                let key = key.replace("~1", "/").replace("~0", "~");
                parent
                    .as_object_mut()
                    .expect("a map")
                    .insert(key, value.clone());
            }
        }
    }
    let again = judge(&after, Endpoint::Mutate, &around(Some(&BTreeMap::new())));
    assert!(again.patch.is_empty() && again.verdict.decision == Decision::Allow);
}

/// The answer is one that an API server takes whole.
fn told(request: &Request, outcome: &Outcome) {
    let answer = judged(request, outcome, Some("a reason\nin two lines"));
    let response = response(&answer);
    let denies = outcome.verdict.decision == Decision::Deny;
    assert_eq!(response["uid"], request.uid);
    assert_eq!(response["allowed"], !denies);
    assert_eq!(response.get("status").is_some(), denies);
    let warnings = response["warnings"].as_array().into_iter().flatten();
    let mut length = 0;
    for warning in warnings.filter_map(Value::as_str) {
        assert!(warning.len() <= 350 && !warning.contains(char::is_control));
        length += warning.len();
    }
    assert!(length < 4096, "the API server cuts them");
    let message = response["status"]["message"].as_str().unwrap_or_default();
    assert!(message.len() <= 11 * 1001);
    assert!(message.lines().all(|line| !line.contains(char::is_control)));
    assert!(!denies || !message.is_empty());
}

fn response(answer: &str) -> Value {
    let review: Value = serde_json::from_str(answer).expect("JSON");
    assert_eq!(review["apiVersion"], "admission.k8s.io/v1");
    review["response"].clone()
}

/// A JSON object: a pod, or what makes pods.
pub(crate) fn workload(bytes: &[u8]) {
    let Ok(object) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let Some(workload) = extract(&object, &CONFIGURATION) else {
        return;
    };
    let images: usize = workload
        .pods
        .iter()
        .map(|pod| pod.spec.containers.len())
        .sum();
    assert!(workload.pods.len() <= MOST_PODS && images <= MOST_IMAGES);
    let labels = BTreeMap::from([
        ("imageref.dev/admission".to_owned(), "enforce".to_owned()),
        (
            "imageref.dev/admission-templates".to_owned(),
            "enforce".to_owned(),
        ),
    ]);
    let context = Context::of_namespace("team-a", &labels);
    let first = verdict(&workload, None, &context, &KNOWN, &CONFIGURATION);
    for finding in &first.findings {
        assert!(!finding.problem.is_empty() && !finding.fix.is_empty());
        if let Some((namespace, _)) = &finding.image_ref {
            assert!(!namespace.is_empty());
        }
    }
    let denies = first.findings.iter().any(|finding| finding.denies);
    assert_eq!(first.decision == Decision::Deny, denies);
    assert_eq!(first.decision == Decision::Allow, first.findings.is_empty());
    let update = Context {
        operation: Operation::Update,
        ..context
    };
    let second = verdict(&workload, Some(&workload), &update, &KNOWN, &CONFIGURATION);
    assert!(second.findings.is_empty() || workload.too_large);
    // What is asked for in a request and what a file says are judged alike.
    let review = json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {"uid": "1", "operation": "CREATE", "namespace": "team-a", "object": object}});
    let Ok(request) = Request::read(review.to_string().as_bytes()) else {
        return;
    };
    let outcome = judge(
        &request,
        Endpoint::Validate(Mode::Enforce),
        &around(Some(&labels)),
    );
    if workload.subject == imageref::admission::Subject::Pod && !outcome.in_the_dark {
        assert_eq!(outcome.verdict.decision, first.decision);
    }
}

/// A YAML or JSON text.
pub(crate) fn admission_configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Configuration::read(text) {
        Ok(read) => {
            // Nothing but white space is the default.
            let file: File = serde_saphyr::from_str(text).unwrap_or_default();
            let written = serde_json::to_string(&file).expect("it is JSON");
            // JSON has characters raw that YAML takes as escapes alone.
            if !written.bytes().all(|b| (b' '..=b'~').contains(&b)) {
                return;
            }
            let again = Configuration::read(&written).expect("the same in JSON");
            assert_eq!(format!("{again:?}"), format!("{read:?}"));
        }
        Err(mistake) => {
            assert!(!mistake.message.is_empty());
            assert!(!mistake.message.contains('\n'), "{:?}", mistake.message);
            assert!(mistake.line != Some(0));
        }
    }
}
