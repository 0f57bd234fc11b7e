//! Owns the PAI `AIWorkSpace` APIs: who the caller is, images, and errors in Alibaba Cloud's shapes.
//! Must not be known here: how a signature is computed, faults, other clouds.

use crate::answer::{Answer, Call};
use crate::calls::Operation;
use crate::images::{Image, ImageApi};
use crate::pages;
use crate::state::State;
use crate::verify::acs3;
use serde_json::{Value, json};

const VERSION: &str = "2021-02-04";

/// What of PAI is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Image(String),
    Images,
}

impl Target {
    pub(crate) fn operation(&self) -> Operation {
        match self {
            Target::Image(_) => Operation::PaiGetImage,
            Target::Images => Operation::PaiListImages,
        }
    }

    /// The action that the caller must name.
    fn action(&self) -> &'static str {
        match self {
            Target::Image(_) => "GetImage",
            Target::Images => "ListImages",
        }
    }
}

/// An error in the shape that is switched on.
pub(crate) fn error(
    state: &State,
    call: &Call<'_>,
    status: u16,
    code: &str,
    message: &str,
) -> Answer {
    error_with(state, call, status, code, message, None)
}

fn error_with(
    state: &State,
    call: &Call<'_>,
    status: u16,
    code: &str,
    message: &str,
    denied: Option<Value>,
) -> Answer {
    let id = call.alibaba_request_id();
    let host = call.wire.header("host").unwrap_or_default();
    if state.options.pai_xml_errors {
        let escape = |text: &str| {
            text.replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
        };
        let body = format!(
            "<?xml version='1.0' encoding='UTF-8'?><Error><RequestId>{id}</RequestId><HostId>{}</HostId>\
             <Code>{}</Code><Message>{}</Message></Error>",
            escape(host),
            escape(code),
            escape(message),
        );
        return Answer::new(status, "text/xml;charset=utf-8", body);
    }
    let mut body = if state.options.pai_lower_case_errors {
        json!({"requestId": id, "hostId": host, "code": code, "message": message})
    } else {
        json!({"RequestId": id, "HostId": host, "Code": code, "Message": message})
    };
    if let Some(denied) = denied {
        let name = if state.options.pai_lower_case_errors {
            "accessDeniedDetail"
        } else {
            "AccessDeniedDetail"
        };
        body[name] = denied;
    }
    Answer::new(status, "application/json;charset=utf-8", body.to_string())
}

/// The answer where no API is.
pub(crate) fn no_such_api(state: &State, call: &Call<'_>) -> Answer {
    error(
        state,
        call,
        404,
        "InvalidApi.NotFound",
        "Specified api is not found, please check your url and method.",
    )
}

pub(crate) fn handle(state: &mut State, call: &mut Call<'_>, target: &Target) -> Answer {
    if let Err(answer) = authenticate(state, call, VERSION, target.action()) {
        return answer;
    }
    if state.options.denied.contains(&target.operation()) {
        let action = format!("paiimage:{}", target.action());
        let detail = json!({
            "AuthAction": action,
            "AuthPrincipalDisplayName": call.principal.as_deref().unwrap_or_default(),
            "AuthPrincipalType": "SubUser",
            "NoPermissionType": "ImplicitDeny",
            "PolicyType": "AccountLevelIdentityBasedPolicy",
        });
        let message = "User not authorized to operate on the specified resource.";
        return error_with(state, call, 403, "Forbidden.RAM", message, Some(detail));
    }
    match target {
        Target::Image(id) => get(state, call, id),
        Target::Images => list(state, call),
    }
}

/// Checks signature, version and action.
pub(crate) fn authenticate(
    state: &mut State,
    call: &mut Call<'_>,
    version: &str,
    action: &str,
) -> Result<(), Answer> {
    let accepted =
        acs3::verify(call.wire, call.now, |key| state.alibaba_secret(key)).map_err(|refusal| {
            let (status, code, message) = refusal.answer();
            error(state, call, status, &code, &message)
        })?;
    // The status of this code is not on record; what the common errors have is 400.
    if state.key_expired(&accepted.access_key, call.now) {
        return Err(error(
            state,
            call,
            400,
            "InvalidSecurityToken.Expired",
            "Specified SecurityToken is expired.",
        ));
    }
    if !state.first_use_of_nonce(&accepted.access_key, &accepted.nonce, call.now) {
        return Err(error(
            state,
            call,
            400,
            "SignatureNonceUsed",
            "Specified signature nonce was used already.",
        ));
    }
    if call.wire.header("x-acs-version") != Some(version) {
        return Err(error(
            state,
            call,
            400,
            "InvalidVersion",
            "Specified parameter Version is not valid.",
        ));
    }
    // What a wrong action on a right route gives is not on record: an action that this route does not
    // have is answered like a route that is not there.
    if call.wire.header("x-acs-action") != Some(action) {
        return Err(no_such_api(state, call));
    }
    call.principal = Some(format!("ak:{}", accepted.access_key));
    Ok(())
}

/// PAI's official client writes `True`.
fn is_verbose(call: &Call<'_>) -> bool {
    call.parameter("Verbose")
        .is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

fn get(state: &State, call: &Call<'_>, id: &str) -> Answer {
    let Some(image) = state.images.get(ImageApi::Pai, id) else {
        let options = &state.options;
        let message = format!("Image not found, ImageId: {id}.");
        return error(
            state,
            call,
            options.pai_not_found_status,
            &options.pai_not_found_code,
            &message,
        );
    };
    let options = &state.options;
    let verbose = is_verbose(call);
    if let Some(raw) = image.raw
        && verbose
        && !options.pai_line_feeds
        && !options.pai_echo_image_id
        && !options.unknown_fields
    {
        return Answer::new(200, "application/json", raw);
    }
    let mut value = rendered(state, image, verbose);
    if value.get("RequestId").is_none() {
        value["RequestId"] = Value::from(call.alibaba_request_id());
    }
    if let Some(members) = value.as_object_mut().filter(|_| !options.pai_echo_image_id) {
        members.remove("ImageId");
    }
    Answer::json(200, &value)
}

fn rendered(state: &State, image: &Image, verbose: bool) -> Value {
    let mut value = image.value.clone();
    if let Some(members) = value.as_object_mut().filter(|_| !verbose) {
        members.remove("Labels");
    }
    if state.options.unknown_fields {
        value["NotInAnyDocument"] = json!({"Nested": [1, {"Deep": true}]});
    }
    if state.options.pai_line_feeds {
        for member in ["Name", "Description", "ImageUri"] {
            end_in_line_feed(&mut value, member);
        }
        for label in value
            .get_mut("Labels")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            end_in_line_feed(label, "Key");
        }
    }
    value
}

fn end_in_line_feed(object: &mut Value, member: &str) {
    if let Some(Value::String(text)) = object.get_mut(member)
        && !text.ends_with('\n')
    {
        text.push('\n');
    }
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .trim()
}

fn has_label(value: &Value, key: &str, wanted: &str) -> bool {
    let labels = value
        .get("Labels")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    labels
        .into_iter()
        .any(|label| text(label, "Key") == key && text(label, "Value") == wanted)
}

fn list(state: &State, call: &Call<'_>) -> Answer {
    let invalid = |name: &str| {
        let message = format!("Specified parameter {name} is not valid.");
        error(state, call, 400, "InvalidParameter", &message)
    };
    let (number, size) = match (call.number("PageNumber", 1), call.number("PageSize", 1)) {
        (Ok(number), Ok(size)) => (number.unwrap_or(1), size.unwrap_or(20)),
        (Err(name), _) | (_, Err(name)) => return invalid(name),
    };
    let size = state
        .options
        .max_page_size
        .map_or(size, |most| size.min(most.max(1)));
    let descending = match call.parameter("Order").as_deref() {
        None | Some("ASC") => false,
        Some("DESC") => true,
        Some(_) => return invalid("Order"),
    };
    if call
        .parameter("SortBy")
        .is_some_and(|field| field != "GmtCreateTime")
    {
        return invalid("SortBy");
    }

    let filter = |name: &str| call.parameter(name).filter(|value| !value.is_empty());
    let (name, query, uri) = (filter("Name"), filter("Query"), filter("ImageUri"));
    let (workspace, accessibility, labels) = (
        filter("WorkspaceId"),
        filter("Accessibility"),
        filter("Labels"),
    );
    let keep = |image: &&Image| {
        let value = &image.value;
        name.as_ref().is_none_or(|part| text(value, "Name").contains(part.as_str()))
            && query.as_ref().is_none_or(|part| {
                ["Name", "Description"].iter().any(|member| text(value, member).contains(part.as_str()))
            })
            && uri.as_ref().is_none_or(|uri| text(value, "ImageUri") == uri)
            && accessibility.as_ref().is_none_or(|wanted| text(value, "Accessibility") == wanted)
            // The vendor's own tool asks for workspace 0 to see the official images.
            && workspace.as_ref().is_none_or(|wanted| match text(value, "WorkspaceId") {
                "" => wanted == "0",
                own => own == wanted,
            })
            && labels.as_ref().is_none_or(|wanted| {
                wanted.split(',').all(|pair| {
                    let (key, label) = pair.split_once('=').unwrap_or((pair, ""));
                    has_label(value, key, label)
                })
            })
    };
    let mut images: Vec<&Image> = state.images.all(ImageApi::Pai).filter(keep).collect();
    images.sort_by_key(|image| text(&image.value, "GmtCreateTime"));
    if descending {
        images.reverse();
    }
    let page = pages::cut(
        images,
        (number - 1).saturating_mul(size),
        size,
        state.options.list_lie,
    );
    let verbose = is_verbose(call);
    let made_up = page.made_up();
    let items: Vec<Value> = page
        .items
        .into_iter()
        .zip(made_up)
        .map(|(image, made_up)| {
            let mut value = rendered(state, image, verbose);
            if let Some(members) = value.as_object_mut() {
                members.remove("RequestId");
            }
            if let Some(number) = made_up {
                value["Name"] = format!("made-up-{number}").into();
                value["ImageId"] = format!("image-{number:018}").into();
            }
            value
        })
        .collect();
    Answer::json(
        200,
        &json!({"Images": items, "RequestId": call.alibaba_request_id(), "TotalCount": page.total}),
    )
}
