//! Owns the `ModelArts` APIs: notebook images, their groups, Lite Server images, and `ModelArts` errors.
//! Must not be known here: signatures, faults, other clouds.

use crate::answer::{Answer, Call};
use crate::calls::Operation;
use crate::gateway;
use crate::images::{Image, ImageApi};
use crate::options::{ArchCase, ModelArtsNotFound, PageBase, PageSizeField};
use crate::pages;
use crate::state::State;
use serde_json::{Map, Value, json};
use std::cmp::Ordering;
use std::collections::BTreeMap;

const SORT_FIELDS: [&str; 6] = ["create_at", "id", "name", "size", "status", "update_at"];

/// What of `ModelArts` is asked for, within a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Image(ImageApi, String),
    Images,
    Groups,
    ServerImages,
}

impl Target {
    pub(crate) fn operation(&self) -> Operation {
        match self {
            Target::Image(ImageApi::LiteServer, _) => Operation::GetDevServerImage,
            Target::Image(..) => Operation::ShowImage,
            Target::Images => Operation::ListImage,
            Target::Groups => Operation::ListImageGroup,
            Target::ServerImages => Operation::ListDevServerImages,
        }
    }
}

/// An error in `ModelArts`' shape.
pub(crate) fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"error_code": code, "error_msg": message}))
}

fn invalid(parameter: &str) -> Answer {
    error(
        400,
        "ModelArts.6400",
        &format!("Invalid parameter: {parameter}."),
    )
}

pub(crate) fn handle(
    state: &mut State,
    call: &mut Call<'_>,
    project: &str,
    target: &Target,
) -> Answer {
    let caller = match gateway::authenticate(state, call) {
        Ok(caller) => caller,
        Err(answer) => return answer,
    };
    match caller.project_id {
        Some(own) if own == project => {}
        // Which of the mismatch codes (0203, 0206, 0210 with 403; 2786) a wrong project gives is not
        // on record; 0210 is the one the error table has for the project itself.
        Some(_) => {
            return error(
                403,
                "ModelArts.0210",
                "The project ID in the URL is not that of the credentials.",
            );
        }
        None => {
            return error(
                401,
                "ModelArts.0204",
                "The token is not scoped to a project.",
            );
        }
    }
    if state.options.denied.contains(&target.operation()) {
        return error(
            403,
            "ModelArts.0108",
            "You do not have permission to perform this operation.",
        );
    }
    let answer = match target {
        Target::Image(api, id) => Ok(show(state, *api, id)),
        Target::Images => list_images(state, call),
        Target::Groups => list_groups(state, call),
        Target::ServerImages => list_server_images(state, call),
    };
    answer.unwrap_or_else(|refusal| refusal)
}

/// The pattern of the documents: versions 1 to 5, variants 8 to b, lower case.
fn is_uuid(id: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    id.len() == 36
        && id.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => (b'1'..=b'5').contains(&byte),
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            _ => digit(byte),
        })
}

fn show(state: &State, api: ImageApi, id: &str) -> Answer {
    if !is_uuid(id) {
        return invalid("id");
    }
    let Some(image) = state.images.get(api, id) else {
        let status = match state.options.modelarts_not_found {
            ModelArtsNotFound::BadRequest => 400,
            ModelArtsNotFound::NotFound => 404,
        };
        return error(
            status,
            "ModelArts.6404",
            &format!("Image '{id}' not found."),
        );
    };
    let as_stored = state.options.arch == ArchCase::Stored && !state.options.unknown_fields;
    match image.raw {
        Some(raw) if as_stored => Answer::new(200, "application/json", raw),
        _ => Answer::json(200, &rendered(state, api, image)),
    }
}

fn rendered(state: &State, api: ImageApi, image: &Image) -> Value {
    let mut value = image.value.clone();
    if api == ImageApi::Notebook
        && state.options.arch == ArchCase::Upper
        && let Some(Value::String(arch)) = value.get_mut("arch")
    {
        *arch = arch.to_uppercase();
    }
    if state.options.unknown_fields {
        value["not_in_any_document"] = json!({"nested": [1, {"deep": true}]});
    }
    value
}

/// A text member; empty if absent.
fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The notebook images that the shared filters of both lists let through.
fn selected(state: &State, call: &Call<'_>) -> Result<Vec<Value>, Answer> {
    let kind = call
        .parameter("type")
        .unwrap_or_else(|| "BUILD_IN".to_owned());
    if !["BUILD_IN", "DEDICATED"].contains(&kind.as_str()) {
        return Err(invalid("type"));
    }
    let fuzzy = match call.parameter("name_fuzzy_match").as_deref() {
        None | Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(invalid("name_fuzzy_match")),
    };
    let service = call
        .parameter("service_type")
        .unwrap_or_else(|| "UNKNOWN".to_owned());
    if !["COMMON", "INFERENCE", "TRAIN", "DEV", "UNKNOWN"].contains(&service.as_str()) {
        return Err(invalid("service_type"));
    }
    let name = call.parameter("name").unwrap_or_default();
    let namespace = call.parameter("namespace").unwrap_or_default();
    let workspace = call
        .parameter("workspace_id")
        .unwrap_or_else(|| "0".to_owned());

    let keep = |value: &Value| {
        let own_workspace = match text(value, "workspace_id") {
            "" => "0",
            other => other,
        };
        text(value, "type") == kind
            // The documented default cannot be a filter: the example shows other types without it.
            && (service == "UNKNOWN" || text(value, "service_type") == service)
            && (name.is_empty() || text(value, "name") == name || (fuzzy && text(value, "name").contains(&name)))
            && (namespace.is_empty() || text(value, "namespace") == namespace)
            && own_workspace == workspace
    };
    let images = state.images.all(ImageApi::Notebook);
    Ok(images
        .map(|image| rendered(state, ImageApi::Notebook, image))
        .filter(keep)
        .collect())
}

fn list_images(state: &State, call: &Call<'_>) -> Result<Answer, Answer> {
    let mut images = selected(state, call)?;
    for image in &mut images {
        if let Some(members) = image.as_object_mut() {
            members.remove("support_res_categories");
        }
    }
    sort(&mut images, call)?;
    page(state, call, images)
}

fn sort(images: &mut [Value], call: &Call<'_>) -> Result<(), Answer> {
    let keys = call
        .parameter("sort_key")
        .filter(|keys| !keys.is_empty())
        .unwrap_or_else(|| "create_at".to_owned());
    let keys: Vec<&str> = keys.split(',').collect();
    if let Some(key) = keys.iter().find(|key| !SORT_FIELDS.contains(key)) {
        return Err(error(
            400,
            "ModelArts.6303",
            &format!("The sort field '{key}' is not supported."),
        ));
    }
    let descending = match call.parameter("sort_dir").as_deref() {
        None | Some("DESC") => true,
        Some("ASC") => false,
        Some(_) => return Err(invalid("sort_dir")),
    };
    images.sort_by(|one, other| {
        let order = keys
            .iter()
            .chain(&["id"])
            .fold(Ordering::Equal, |order, key| {
                let number = |value: &Value| value.get(*key).and_then(Value::as_i64);
                order
                    .then_with(|| number(one).cmp(&number(other)))
                    .then_with(|| text(one, key).cmp(text(other, key)))
            });
        if descending { order.reverse() } else { order }
    });
    Ok(())
}

/// Images of one name and organisation are a group. An API of its own; its members are from public
/// code and matter only in that they are not an image's.
fn list_groups(state: &State, call: &Call<'_>) -> Result<Answer, Answer> {
    let mut groups: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
    for image in selected(state, call)? {
        let key = (
            text(&image, "namespace").to_owned(),
            text(&image, "name").to_owned(),
        );
        groups.entry(key).or_default().push(image);
    }
    let groups = groups
        .into_iter()
        .map(|((namespace, name), images)| {
            json!({"name": name, "namespace": namespace, "image_count": images.len()})
        })
        .collect();
    page(state, call, groups)
}

fn list_server_images(state: &State, call: &Call<'_>) -> Result<Answer, Answer> {
    let wanted = call
        .parameter("server_type")
        .filter(|wanted| !wanted.is_empty());
    if wanted
        .as_deref()
        .is_some_and(|wanted| !["BMS", "ECS", "HPS"].contains(&wanted))
    {
        return Err(invalid("server_type"));
    }
    let images = state
        .images
        .all(ImageApi::LiteServer)
        .map(|image| rendered(state, ImageApi::LiteServer, image))
        .filter(|image| {
            wanted
                .as_deref()
                .is_none_or(|wanted| text(image, "server_type") == wanted)
        })
        .collect();
    page(state, call, images)
}

fn page(state: &State, call: &Call<'_>, items: Vec<Value>) -> Result<Answer, Answer> {
    let options = &state.options;
    let asked = call.number("limit", 1).map_err(invalid)?.unwrap_or(200);
    let limit = options
        .max_page_size
        .map_or(asked, |most| asked.min(most.max(1)));
    let offset = call.number("offset", 0).map_err(invalid)?.unwrap_or(0);
    let page = pages::cut(items, offset, limit, options.list_lie);
    let base = match options.current_base {
        PageBase::Zero => 0,
        PageBase::One => 1,
    };
    let size = match options.page_size_field {
        PageSizeField::Requested => limit,
        PageSizeField::Returned => u64::try_from(page.items.len()).unwrap_or(u64::MAX),
    };
    let made_up = page.made_up();
    let data: Vec<Value> = page.items.into_iter().zip(made_up).map(own_name).collect();
    let members = [
        ("current", Value::from(offset / limit + base)),
        ("pages", Value::from(page.total.div_ceil(limit))),
        ("size", Value::from(size)),
        ("total", Value::from(page.total)),
        ("data", Value::from(data)),
    ];
    let object: Map<String, Value> = members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Ok(Answer::json(200, &Value::Object(object)))
}

/// A copy of an image gets a name and an id that no image has.
fn own_name((mut item, made_up): (Value, Option<u64>)) -> Value {
    let (Some(number), Some(members)) = (made_up, item.as_object_mut()) else {
        return item;
    };
    for (member, text) in [
        ("name", format!("made-up-{number}")),
        ("id", format!("ffffffff-0000-4000-8000-{number:012x}")),
        ("image_id", format!("ffffffff-0000-4000-8000-{number:012x}")),
    ] {
        if let Some(value) = members.get_mut(member) {
            *value = text.into();
        }
    }
    item
}
