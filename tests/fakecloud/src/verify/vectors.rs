//! Owns the run of both verifiers over the signature vectors: each must be accepted, and a change of
//! any one byte must be refused. Must not be known here: any single vector's content.
//!
//! `IMAGEREF_VECTORS` names another folder of vectors.

use super::{Secret, WireRequest, acs3, huawei};
use serde_json::Value;
use std::path::PathBuf;

/// A request that owns its parts, so that one can be changed.
#[derive(Clone)]
struct Sample {
    algorithm: String,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    now: jiff::Timestamp,
    access_key: String,
    secret: Secret,
}

impl Sample {
    fn read(vector: &Value) -> Self {
        let text = |pointer: &str| {
            vector
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap()
                .to_owned()
        };
        let algorithm = text("/algorithm");
        let (layout, format) = if algorithm.starts_with("ACS3") {
            ("0000-00-00T00:00:00Z", "%Y-%m-%dT%H:%M:%SZ")
        } else {
            ("00000000T000000Z", "%Y%m%dT%H%M%SZ")
        };
        let headers = vector
            .pointer("/expected/request_headers")
            .and_then(Value::as_array)
            .unwrap();
        Sample {
            method: text("/request/method"),
            path: text("/request/wire_path"),
            query: text("/request/wire_query"),
            headers: headers
                .iter()
                .map(|pair| {
                    (
                        pair[0].as_str().unwrap().to_owned(),
                        pair[1].as_str().unwrap().to_owned(),
                    )
                })
                .collect(),
            body: text("/request/body").into_bytes(),
            now: super::strict_instant(&text("/datetime"), layout, format).unwrap(),
            access_key: text("/credentials/ak"),
            secret: Secret {
                secret: text("/credentials/sk"),
                security_token: vector
                    .pointer("/credentials/security_token")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
            },
            algorithm,
        }
    }

    fn accepted(&self) -> Result<(), String> {
        let request = WireRequest {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: &self.body,
        };
        let lookup = |key: &str| (key == self.access_key).then(|| self.secret.clone());
        if self.algorithm.starts_with("ACS3") {
            acs3::verify(&request, self.now, lookup)
                .map(drop)
                .map_err(|refusal| format!("{refusal:?}"))
        } else {
            huawei::verify(&request, self.now, lookup)
                .map(drop)
                .map_err(|refusal| format!("{refusal:?}"))
        }
    }

    fn header(&self, name: &str) -> &str {
        let found = self
            .headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    }

    fn signed_headers(&self) -> Vec<String> {
        let list = self
            .header("authorization")
            .split("SignedHeaders=")
            .nth(1)
            .unwrap();
        list.split(',')
            .next()
            .unwrap()
            .split(';')
            .map(str::to_owned)
            .collect()
    }
}

/// Every text that differs from the given one in the lowest bit of one byte, where that is a text.
fn one_byte_changes(text: &str) -> Vec<String> {
    (0..text.len())
        .filter_map(|index| {
            let mut bytes = text.as_bytes().to_vec();
            bytes[index] ^= 1;
            String::from_utf8(bytes).ok()
        })
        .collect()
}

/// Each changed sample with a word on what was changed.
fn changes(sample: &Sample) -> Vec<(String, Sample)> {
    let mut changed = Vec::new();
    let mut push = |what: &str, edit: &dyn Fn(&mut Sample)| {
        let mut copy = sample.clone();
        edit(&mut copy);
        changed.push((what.to_owned(), copy));
    };
    for method in one_byte_changes(&sample.method) {
        push("method", &|copy| copy.method.clone_from(&method));
    }
    for path in one_byte_changes(&sample.path) {
        push("path", &|copy| copy.path.clone_from(&path));
    }
    for query in one_byte_changes(&sample.query) {
        push("query", &|copy| copy.query.clone_from(&query));
    }
    push("query, one more parameter", &|copy| {
        copy.query = if copy.query.is_empty() {
            "a=b".into()
        } else {
            format!("{}&a=b", copy.query)
        };
    });
    let signed = sample.signed_headers();
    for (index, (name, value)) in sample.headers.iter().enumerate() {
        if signed.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            for value in one_byte_changes(value.trim()) {
                push(&format!("header {name}"), &|copy| {
                    copy.headers[index].1.clone_from(&value);
                });
            }
        } else if name.eq_ignore_ascii_case("authorization") {
            for value in one_byte_changes(value) {
                push("authorization", &|copy| {
                    copy.headers[index].1.clone_from(&value);
                });
            }
        }
    }
    if sample.header("x-sdk-content-sha256") != "UNSIGNED-PAYLOAD" {
        for index in 0..sample.body.len() {
            push("body", &|copy| copy.body[index] ^= 1);
        }
        push("body, one more byte", &|copy| copy.body.push(b'x'));
    }
    push("clock", &|copy| {
        copy.now += jiff::SignedDuration::from_secs(901);
    });
    push("secret", &|copy| copy.secret.secret.push('x'));
    changed
}

fn run(file: &str) {
    let folder = std::env::var_os("IMAGEREF_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/vectors")),
        PathBuf::from,
    );
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let document: Value = serde_json::from_str(&text).unwrap();
    let vectors = document["vectors"].as_array().unwrap();
    assert!(!vectors.is_empty());
    for vector in vectors {
        let sample = Sample::read(vector);
        let name = &vector["name"];
        assert_eq!(sample.accepted(), Ok(()), "{name}");
        for (what, changed) in changes(&sample) {
            assert!(
                changed.accepted().is_err(),
                "{name}: accepted after a change of {what}"
            );
        }
    }
}

#[test]
fn huawei_vectors_are_accepted_and_their_changes_refused() {
    run("huawei-sdk-hmac-sha256.json");
}

#[test]
fn huawei_vectors_with_a_derived_key_are_accepted_and_their_changes_refused() {
    run("huawei-v11-hmac-sha256.json");
}

#[test]
fn acs3_vectors_are_accepted_and_their_changes_refused() {
    run("acs3-hmac-sha256.json");
}
