//! Owns the way of a request from the socket to the cloud it is for, and back: origins, counting, the
//! log, faults. Must not be known here: what any cloud answers.

use crate::answer::Call;
use crate::calls::{Entry, LoggedRequest, Operation, Service};
use crate::connection::{self, Cut};
use crate::faults::FaultKind;
use crate::route::Route;
use crate::state::State;
use crate::verify::WireRequest;
use crate::{admin, delivery, gateway};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State as Shared};
use axum::http::Request;
use axum::response::Response;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The gateways take no larger body in a signed request.
const BODY_LIMIT: usize = 12 * 1024 * 1024;

/// The log remembers so much of a body.
const KEPT_BODY: usize = 64 * 1024;

/// The state as the server and its owner share it.
pub(crate) type SharedState = Arc<Mutex<State>>;

/// Locks the state. A panic under the lock leaves nothing half done that matters to a test.
pub(crate) fn lock(state: &SharedState) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An address the clouds are reached at, and what is there.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) state: SharedState,
    pub(crate) address: SocketAddr,
    /// The services that are there; empty for all.
    pub(crate) services: BTreeSet<Service>,
}

impl Origin {
    fn has(&self, operation: Operation) -> bool {
        self.services.is_empty() || self.services.contains(&operation.service())
    }
}

/// Binds an address and serves the clouds there until the sender is dropped.
pub(crate) async fn listen(
    state: SharedState,
    address: SocketAddr,
    services: BTreeSet<Service>,
) -> std::io::Result<(SocketAddr, oneshot::Sender<()>)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let origin = Origin {
        state,
        address,
        services,
    };
    let service = router(origin).into_make_service_with_connect_info::<Cut>();
    tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        let _ = axum::serve(connection::Listener(listener), service)
            .with_graceful_shutdown(stopped)
            .await;
    });
    Ok((address, stop))
}

fn router(origin: Origin) -> Router {
    Router::new().fallback(serve).with_state(origin)
}

async fn serve(
    Shared(origin): Shared<Origin>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request<Body>,
) -> Response {
    let state = &origin.state;
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
        return delivery::deliver(admin::handle(state, &wire, path), None);
    }

    let at = Timestamp::now();
    let (route, operation, hit) = {
        let mut state = lock(state);
        let route = Route::of(&wire, &state.options);
        let route = match route.operation() {
            Some(operation) if !origin.has(operation) => route.nowhere(),
            _ => route,
        };
        let operation = route.operation();
        if let Some(operation) = operation {
            state.calls.count(operation);
        }
        let seed = state.options.chance_seed;
        let hit = state.faults.hit(operation, seed);
        (route, operation, hit)
    };
    if !hit.delay.is_zero() {
        tokio::time::sleep(hit.delay).await;
    }

    let mut state = lock(state);
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
    let answer = route.dress(answer, &call);
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
    let host = parts.uri.authority().map(ToString::to_string);
    let host = host.or_else(|| wire.header("host").map(str::to_owned));
    let request = LoggedRequest {
        at,
        method: wire.method.to_owned(),
        origin: origin.address.to_string(),
        host: host.unwrap_or_default(),
        path: wire.path.to_owned(),
        query: wire.query.to_owned(),
        operation,
        status: (!is_cut).then_some(answer.status),
        principal: call.principal,
    };
    let kept = wire.body.len().min(KEPT_BODY);
    state.log.push(Entry {
        request,
        headers: wire.headers.to_vec(),
        body: wire.body[..kept].to_vec(),
    });
    drop(state);
    delivery::deliver(answer, hit.kind.as_ref())
}
