//! What is read of a review (Kubernetes, "Dynamic Admission Control", `AdmissionReview` v1).
//!
//! Owns which fields those are and which may be absent. Must not judge. The invariant that would
//! break first: a uid that can be read is never lost, however broken the rest of the review is.

use crate::admission::Operation;
use serde_json::{Map, Value};

/// The longest uid that is answered to, in bytes. Those of API servers have 36.
const LONGEST_UID: usize = 256;

/// A review that cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Malformed {
    /// The uid to answer to, if there is one.
    pub uid: Option<String>,
    /// What is wrong, as half a sentence.
    pub problem: String,
}

/// The request of a review.
#[derive(Clone, Debug)]
pub struct Request {
    /// What the answer must carry.
    pub uid: String,
    /// What is done.
    pub operation: Operation,
    /// The object's namespace; empty if it has none.
    pub namespace: String,
    /// The object's name, or what its name will begin with, followed by `*`.
    pub name: String,
    /// The kind of the object.
    pub kind: String,
    /// The part of the object that is written, such as `ephemeralcontainers`; empty for the whole.
    pub subresource: String,
    /// The name of the user who asks.
    pub user: String,
    /// The object as it will be; null for a deletion.
    pub object: Value,
    /// The object before an update, else null.
    pub old: Value,
}

impl Request {
    /// Reads a review.
    ///
    /// # Errors
    /// What is wrong with it, and the uid if it has one.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let refuse = |uid: Option<&str>, problem: &str| Malformed {
            uid: uid.map(str::to_owned),
            problem: problem.to_owned(),
        };
        let mut review: Value = serde_json::from_slice(bytes).map_err(|error| {
            // The text of the error may quote the object.
            let (line, column) = (error.line(), error.column());
            refuse(None, &format!("it is no JSON at {line}:{column}"))
        })?;
        let request = review.get_mut("request").map(Value::take);
        let Some(Value::Object(mut request)) = request else {
            return Err(refuse(None, "it has no request"));
        };
        let uid = text(&request, "uid");
        if uid.is_empty() || uid.len() > LONGEST_UID {
            return Err(refuse(None, "its request has no uid"));
        }
        let uid = uid.to_owned();
        let refuse = |problem| refuse(Some(&uid), problem);
        let is = |field, wanted| review.get(field).and_then(Value::as_str) == Some(wanted);
        if !is("kind", "AdmissionReview") || !is("apiVersion", "admission.k8s.io/v1") {
            return Err(refuse("it is no AdmissionReview of admission.k8s.io/v1"));
        }
        let operation = text(&request, "operation");
        if operation.is_empty() {
            return Err(refuse("its request has no operation"));
        }
        let operation = Operation::from_request(operation);
        let mut object = request.get_mut("object").map_or(Value::Null, Value::take);
        match (&mut object, operation) {
            (Value::Object(object), _) => complete(object, request.get("kind")),
            (_, Operation::Create | Operation::Update) => {
                return Err(refuse("its request has no object"));
            }
            (_, Operation::Other) => {}
        }
        let mut old = request
            .get_mut("oldObject")
            .map_or(Value::Null, Value::take);
        if let Value::Object(old) = &mut old {
            complete(old, request.get("kind"));
        }
        let user = request
            .get("userInfo")
            .and_then(|user| user.get("username"));
        Ok(Self {
            operation,
            namespace: text(&request, "namespace").to_owned(),
            name: name(&request, &object),
            kind: object
                .get("kind")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            subresource: text(&request, "subResource").to_owned(),
            user: user.and_then(Value::as_str).unwrap_or_default().to_owned(),
            object,
            old,
            uid,
        })
    }
}

fn text<'a>(object: &'a Map<String, Value>, field: &str) -> &'a str {
    object
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Gives an object that does not say what it is the kind that the request has for it: one that
/// nobody recognises would pass.
fn complete(object: &mut Map<String, Value>, kind: Option<&Value>) {
    let of = |field| {
        let text = kind
            .and_then(|kind| kind.get(field))
            .and_then(Value::as_str);
        text.unwrap_or_default()
    };
    if text(object, "kind").is_empty() {
        let version = match (of("group"), of("version")) {
            ("", version) => version.to_owned(),
            (group, version) => format!("{group}/{version}"),
        };
        object.insert("kind".into(), of("kind").into());
        object.insert("apiVersion".into(), version.into());
    }
}

/// The request has no name where the API server is to choose one.
fn name(request: &Map<String, Value>, object: &Value) -> String {
    let given = text(request, "name");
    if !given.is_empty() {
        return given.to_owned();
    }
    let of = |field| {
        let text = object.get("metadata").and_then(|meta| meta.get(field));
        text.and_then(Value::as_str).unwrap_or_default()
    };
    match (of("name"), of("generateName")) {
        ("", "") => String::new(),
        ("", prefix) => format!("{prefix}*"),
        (name, _) => name.to_owned(),
    }
}
