//! Owns the admin API under `/_fake/`: the same switches as the Rust API, for a shell.
//! Must not be known here: what the clouds do with what is switched.

mod accounts;

use crate::answer::Answer;
use crate::calls::{Calls, Log};
use crate::faults::Fault;
use crate::images::{ImageApi, merge};
use crate::seen;
use crate::server::{SharedState, lock};
use crate::state::State;
use crate::verify::{WireRequest, decode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Answers an admin request; `path` is what follows `/_fake/`.
pub(crate) fn handle(state: &SharedState, wire: &WireRequest<'_>, path: &str) -> Answer {
    let path = String::from_utf8_lossy(&decode(path)).into_owned();
    let segments: Vec<&str> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    let mut state = lock(state);
    answer(&mut state, wire, &segments).unwrap_or_else(|refusal| refusal)
}

fn problem(status: u16, message: impl std::fmt::Display) -> Answer {
    Answer::json(status, &json!({"error": message.to_string()}))
}

fn done() -> Answer {
    Answer::json(200, &json!({"ok": true}))
}

fn found(found: bool) -> Answer {
    if found {
        done()
    } else {
        problem(404, "no such thing")
    }
}

fn body<T: DeserializeOwned>(wire: &WireRequest<'_>) -> Result<T, Answer> {
    serde_json::from_slice(wire.body).map_err(|error| problem(400, error))
}

fn shown(value: impl serde::Serialize) -> Result<Answer, Answer> {
    serde_json::to_value(value)
        .map(|value| Answer::json(200, &value))
        .map_err(|error| problem(500, error))
}

fn answer(state: &mut State, wire: &WireRequest<'_>, segments: &[&str]) -> Result<Answer, Answer> {
    match (wire.method, segments) {
        ("GET", ["health"]) => Ok(done()),
        ("POST", ["reset"]) => {
            *state = State::default();
            Ok(done())
        }
        ("GET", ["calls"]) => shown(&state.calls),
        ("DELETE", ["calls"]) => {
            state.calls = Calls::default();
            Ok(done())
        }
        ("GET", ["log"]) => shown(state.log.all()),
        ("GET", ["faults"]) => shown(state.faults.all()),
        ("PUT", ["faults"]) => {
            let faults: Vec<Fault> = body(wire)?;
            state.faults.set(faults);
            Ok(done())
        }
        ("POST", ["faults"]) => {
            state.faults.add(body(wire)?);
            Ok(done())
        }
        ("DELETE", ["faults"]) => {
            state.faults.set(Vec::new());
            Ok(done())
        }
        ("GET", ["options"]) => shown(&state.options),
        ("PUT", ["options"]) => {
            state.options = body(wire)?;
            shown(&state.options)
        }
        ("PATCH", ["options"]) => {
            let mut options =
                serde_json::to_value(&state.options).map_err(|error| problem(500, error))?;
            // Null is a value of some options, not a request to fall back to the default.
            if let (Some(members), Value::Object(patch)) = (options.as_object_mut(), body(wire)?) {
                members.extend(patch);
            }
            state.options = serde_json::from_value(options).map_err(|error| problem(400, error))?;
            shown(&state.options)
        }
        (_, ["images", api, rest @ ..]) => {
            let api = ImageApi::from_segment(api)
                .ok_or_else(|| problem(404, "the APIs are notebook, lite-server and pai"))?;
            images(state, wire, api, rest)
        }
        ("GET", ["seen"]) => {
            let seen: Vec<_> = state.log.entries().flat_map(seen::tokens).collect();
            shown(seen)
        }
        ("POST", ["sightings"]) => {
            let document: Value = body(wire)?;
            let text = document["text"]
                .as_str()
                .ok_or_else(|| problem(400, "no text"))?;
            let held = state.log.entries().filter(|entry| seen::holds(entry, text));
            shown(held.map(|entry| &entry.request).collect::<Vec<_>>())
        }
        ("DELETE", ["log"]) => {
            state.log = Log::default();
            Ok(done())
        }
        _ => accounts::answer(state, wire, segments),
    }
}

fn images(
    state: &mut State,
    wire: &WireRequest<'_>,
    api: ImageApi,
    rest: &[&str],
) -> Result<Answer, Answer> {
    match (wire.method, rest) {
        ("GET", []) => {
            let images: Vec<Value> = state
                .images
                .all(api)
                .map(|image| image.value.clone())
                .collect();
            Ok(Answer::json(200, &Value::from(images)))
        }
        ("DELETE", []) => {
            state.images.clear(api);
            Ok(done())
        }
        ("POST", []) => {
            let id = state.images.put_by_member(api, body(wire)?);
            Ok(Answer::json(201, &json!({"id": id})))
        }
        ("GET", [id]) => match state.images.get(api, id) {
            Some(image) => Ok(Answer::json(200, &image.value)),
            None => Ok(found(false)),
        },
        ("PUT", [id]) => {
            let value: Value = body(wire)?;
            if !value.is_object() {
                return Err(problem(400, "an image is a JSON object"));
            }
            state.images.put(api, id, value);
            Ok(done())
        }
        ("PATCH", [id]) => {
            let patch: Value = body(wire)?;
            Ok(found(
                state.images.update(api, id, |value| merge(value, &patch)),
            ))
        }
        ("DELETE", [id]) => Ok(found(state.images.remove(api, id))),
        _ => Err(problem(405, "no such method here")),
    }
}
