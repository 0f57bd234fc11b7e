//! From an answer to facts and to a status, for all tests of facts.
//!
//! Owns the way of an answer through the wire types, as text like from the network. Must not judge
//! the outcome. The invariant that would break first: every answer of the tests can be read.

use imageref::api::ImageRefStatus;
use imageref::facts::lite_server::LiteServerImage;
use imageref::facts::notebook::NotebookImage;
use imageref::facts::pai::PaiImage;
use imageref::facts::{Api, Facts};
use serde_json::Value;

pub(super) fn seed_text(file: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/seeds");
    std::fs::read_to_string(format!("{folder}/{file}")).unwrap()
}

pub(super) fn seed(file: &str) -> Value {
    serde_json::from_str(&seed_text(file)).unwrap()
}

pub(super) fn facts_of(
    api: Api,
    wire: &Value,
    asked_id: Option<&str>,
    request_id: Option<&str>,
) -> Option<Facts> {
    let wire = wire.to_string();
    match api {
        Api::Notebook => serde_json::from_str::<NotebookImage>(&wire)
            .unwrap()
            .into_facts(asked_id, request_id),
        Api::LiteServer => serde_json::from_str::<LiteServerImage>(&wire)
            .unwrap()
            .into_facts(asked_id, request_id),
        Api::Pai => serde_json::from_str::<PaiImage>(&wire)
            .unwrap()
            .into_facts(asked_id, request_id),
    }
}

/// The status after this answer.
pub(super) fn from_wire(
    api: Api,
    wire: &Value,
    asked_id: Option<&str>,
    request_id: Option<&str>,
) -> Option<Value> {
    let mut status = ImageRefStatus::default();
    facts_of(api, wire, asked_id, request_id)?.write_to(&mut status);
    Some(serde_json::to_value(status).unwrap())
}

pub(super) fn status_of(api: Api, wire: &Value) -> Value {
    from_wire(api, wire, Some("asked"), None).unwrap()
}
