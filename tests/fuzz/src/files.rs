//! What people and pipelines write: manifests, lock files, providers' addresses.
//!
//! Owns what must hold of `cli::input`, `lock` and `api::validation`. Inputs are files as they are.
//! The invariant that would break first: a Secret in a stream stands alone, so that what is shown
//! cannot be another object's.

use crate::input::{SEEN, assert_line, assert_unseen, split};
use imageref::api::provider::{ModelArts, Pai};
use imageref::api::validation::validate;
use imageref::api::{ClusterImageProvider, ImageProvider, ImageRef};
use imageref::cli::fuzzing::{Checked, check};
use imageref::cloud::identity::{NearUri, Region};
use imageref::cloud::{AllowedEndpoints, modelarts, pai};
use imageref::lock::{Form, Lock};
use imageref::plan::Account;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A file.
pub(crate) fn lock_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Lock::read(text) {
        Ok(lock) => {
            for form in [Form::Yaml, Form::Json] {
                let written = lock.to_text(form).expect("it is no larger than it was");
                assert_eq!(Lock::read(&written).as_ref(), Ok(&lock), "{written}");
            }
            assert!(lock.entries().is_sorted_by_key(|e| (&e.namespace, &e.name)));
        }
        Err(wrong) => {
            assert!(!wrong.message.is_empty() && !wrong.message.contains('\n'));
            assert!(wrong.line != Some(0));
        }
    }
}

/// A file.
pub(crate) fn manifest_stream(bytes: &[u8]) {
    let is_secret = is_one_secret(bytes);
    for asks in [false, true] {
        let Some(Checked {
            problems,
            texts,
            workloads,
            ..
        }) = check(bytes, asks)
        else {
            return;
        };
        for problem in &problems {
            assert!(!problem.contains(char::is_control), "{problem:?}");
            if is_secret {
                assert_unseen(problem);
            }
        }
        if workloads == 0 {
            continue;
        }
        // A table, JSON, SARIF, annotations.
        let [table, json, sarif, _] = texts.as_slice() else {
            panic!("a report in four forms");
        };
        for text in [json, sarif] {
            serde_json::from_str::<Value>(text).expect("JSON");
        }
        assert!(table.lines().count() >= workloads);
        assert!(
            !table.replace('\n', "").contains(char::is_control),
            "{table:?}"
        );
    }
}

/// Whether the stream is a Secret and says `kind` once, so that all of it is the Secret's.
fn is_one_secret(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    text.contains(SEEN) && text.matches("kind").count() == 1 && text.contains("kind: Secret\n")
}

/// A kind in a line, and a JSON object.
pub(crate) fn custom_resource(bytes: &[u8]) {
    let (kind, json) = split(bytes, b"\n");
    let (Ok(kind), Ok(mut object)) = (
        std::str::from_utf8(kind),
        serde_json::from_slice::<Value>(json),
    ) else {
        return;
    };
    let violations = validate(kind, &mut object);
    for violation in &violations {
        assert!(!violation.message.is_empty());
    }
    if !violations.is_empty() {
        return;
    }
    let defaulted = object.clone();
    assert_eq!(validate(kind, &mut object), []);
    assert_eq!(object, defaulted);
    match kind {
        "ImageRef" => is_read::<ImageRef>(object),
        "ImageProvider" => is_read::<ImageProvider>(object),
        "ClusterImageProvider" => is_read::<ClusterImageProvider>(object),
        _ => {}
    }
}

fn is_read<T: DeserializeOwned>(mut object: Value) {
    if let Some(object) = object.as_object_mut() {
        // The API server checks the one, and the operator alone writes the other.
        object.insert("metadata".into(), serde_json::json!({"name": "a"}));
        object.remove("status");
    }
    if let Err(error) = serde_json::from_value::<T>(object) {
        panic!("{error}");
    }
}

/// Region, endpoint, project, workspace and an address, a line each; an empty one is absent.
pub(crate) fn endpoint(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut lines = text.split('\n');
    let mut next = || {
        lines
            .next()
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
    };
    let region = next().unwrap_or_default();
    let (endpoint, project_id, workspace_id, address) = (next(), next(), next(), next());
    let allowed = AllowedEndpoints::default();
    let huawei = ModelArts {
        region: region.clone(),
        project_id,
        workspace_id: workspace_id.clone(),
        endpoint: endpoint.clone(),
    };
    let alibaba = Pai {
        region: region.clone(),
        workspace_id,
        endpoint,
    };
    let accounts = [
        modelarts::endpoint::account(&huawei, None, &allowed),
        pai::endpoint::account(&alibaba, &allowed),
    ];
    for account in accounts {
        match account {
            Ok(Account::ModelArts {
                endpoint,
                project_id,
                ..
            }) => {
                assert_eq!(Some(endpoint), modelarts::endpoint::origin(&region));
                assert!(
                    project_id
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-')
                );
            }
            Ok(Account::Pai { endpoint, .. }) => {
                assert!(pai::endpoint::origins(&region).contains(&endpoint));
                let host = endpoint.strip_prefix("https://").expect("over TLS");
                let plain = |b: u8| {
                    b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-')
                };
                assert!(host.ends_with(".aliyuncs.com") && host.bytes().all(plain));
            }
            Err(why) => assert!(!why.contains(char::is_control), "{why:?}"),
        }
    }
    if let Ok(region) = Region::new(&region) {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        assert!(region.as_str().bytes().all(plain));
    }
    if let Some(address) = address {
        match NearUri::new(&address) {
            Ok(uri) => {
                let shown = format!("{uri:?}");
                assert_line(&shown, shown.len());
                assert!(shown.starts_with("NearUri(http"));
            }
            Err(why) => assert_unseen(&why),
        }
    }
}
