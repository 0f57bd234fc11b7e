//! Owns the way of a request from the socket to the cloud it is for, and back: routes, counting, the
//! log, faults. Must not be known here: what any cloud answers.

use crate::answer::{Answer, Call};
use crate::calls::{LoggedRequest, Operation};
use crate::connection::Cut;
use crate::faults::FaultKind;
use crate::images::ImageApi;
use crate::state::State;
use crate::verify::{WireRequest, decode};
use crate::{admin, delivery, gateway, iam, modelarts, pai};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State as Shared};
use axum::http::Request;
use axum::response::Response;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The gateways take no larger body in a signed request.
const BODY_LIMIT: usize = 12 * 1024 * 1024;

/// The state as the server and its owner share it.
pub(crate) type SharedState = Arc<Mutex<State>>;

/// Locks the state. A panic under the lock leaves nothing half done that matters to a test.
pub(crate) fn lock(state: &SharedState) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Route {
    ModelArts {
        project: String,
        target: modelarts::Target,
    },
    Iam(iam::Target),
    Pai(pai::Target),
    /// Nowhere at PAI.
    NoPai,
    /// Nowhere at Huawei Cloud.
    NoHuawei,
}

impl Route {
    fn of(wire: &WireRequest<'_>) -> Self {
        let decoded = |segment: &str| String::from_utf8_lossy(&decode(segment)).into_owned();
        // The path is split before it is decoded: an encoded slash is part of an id here, whatever the
        // gateway's canonical request makes of it.
        let path = wire.path.strip_suffix('/').unwrap_or(wire.path);
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let notebook = |id: &str| modelarts::Target::Image(ImageApi::Notebook, decoded(id));
        let server = |id: &str| modelarts::Target::Image(ImageApi::LiteServer, decoded(id));
        let modelarts = |project: &str, target| Route::ModelArts {
            project: decoded(project),
            target,
        };
        match (wire.method, segments.as_slice()) {
            ("GET", ["v1", project, "images"]) => modelarts(project, modelarts::Target::Images),
            ("GET", ["v1", project, "images", "group"]) => {
                modelarts(project, modelarts::Target::Groups)
            }
            ("GET", ["v1", project, "images", id]) => modelarts(project, notebook(id)),
            ("GET", ["v1", project, "dev-servers", "images"]) => {
                modelarts(project, modelarts::Target::ServerImages)
            }
            ("GET", ["v1", project, "dev-servers", "images", id]) => modelarts(project, server(id)),
            ("POST", ["v3", "auth", "tokens"]) => Route::Iam(iam::Target::Token),
            ("GET", ["v3", "projects"]) => Route::Iam(iam::Target::Projects),
            ("GET", ["api", "v1", "images"]) => Route::Pai(pai::Target::Images),
            ("GET", ["api", "v1", "images", id]) => Route::Pai(pai::Target::Image(decoded(id))),
            (_, ["api", ..]) => Route::NoPai,
            _ if wire.header("x-acs-action").is_some() => Route::NoPai,
            _ => Route::NoHuawei,
        }
    }

    fn operation(&self) -> Option<Operation> {
        match self {
            Route::ModelArts { target, .. } => Some(target.operation()),
            Route::Iam(target) => Some(target.operation()),
            Route::Pai(target) => Some(target.operation()),
            Route::NoPai | Route::NoHuawei => None,
        }
    }

    fn is_alibaba(&self) -> bool {
        matches!(self, Route::Pai(_) | Route::NoPai)
    }

    fn answer(&self, state: &mut State, call: &mut Call<'_>) -> Answer {
        match self {
            Route::ModelArts { project, target } => modelarts::handle(state, call, project, target),
            Route::Iam(target) => iam::handle(state, call, *target),
            Route::Pai(target) => pai::handle(state, call, target),
            Route::NoPai => pai::no_such_api(state, call),
            Route::NoHuawei => gateway::no_such_api(call),
        }
    }
}

pub(crate) fn router(state: SharedState) -> Router {
    Router::new().fallback(serve).with_state(state)
}

async fn serve(
    Shared(state): Shared<SharedState>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request<Body>,
) -> Response {
    let (parts, body) = request.into_parts();
    let headers: Vec<(String, String)> = parts
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let body = to_bytes(body, BODY_LIMIT).await;
    let too_large = body.is_err();
    let body = body.unwrap_or_default();
    let wire = WireRequest {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &headers,
        body: &body,
    };
    if let Some(path) = wire.path.strip_prefix("/_fake/") {
        return delivery::deliver(admin::handle(&state, &wire, path), None);
    }

    let route = Route::of(&wire);
    let operation = route.operation();
    let hit = {
        let mut state = lock(&state);
        if let Some(operation) = operation {
            state.calls.count(operation);
        }
        state.faults.hit(operation)
    };
    if !hit.delay.is_zero() {
        tokio::time::sleep(hit.delay).await;
    }

    let mut state = lock(&state);
    let mut call = Call {
        wire: &wire,
        now: state.now(),
        id: uuid::Uuid::new_v4(),
        principal: None,
    };
    let instead = hit
        .kind
        .as_ref()
        .and_then(|kind| delivery::answer_instead(&state, &call, operation, kind));
    let answer = match instead {
        Some(answer) => answer,
        None if too_large => {
            gateway::error(&call, 413, "APIGW.0201", "The request body is too large")
        }
        None => route.answer(&mut state, &mut call),
    };
    let answer = if route.is_alibaba() {
        answer.with("x-acs-request-id", call.alibaba_request_id())
    } else {
        answer
            .with("server", "api-gateway")
            .with("x-request-id", call.huawei_request_id())
    };
    let is_cut = match hit.kind {
        Some(FaultKind::ConnectionReset) => {
            cut.reset();
            true
        }
        Some(FaultKind::ConnectionClose) => {
            cut.close();
            true
        }
        _ => false,
    };
    state.log.push(LoggedRequest {
        method: wire.method.to_owned(),
        path: wire.path.to_owned(),
        query: wire.query.to_owned(),
        operation,
        status: (!is_cut).then_some(answer.status),
        principal: call.principal,
    });
    drop(state);
    delivery::deliver(answer, hit.kind.as_ref())
}
