//! Owns how an answer gets onto the wire: whole, or harmed by a fault.
//! Must not be known here: which calls a fault hits.

use crate::answer::{Answer, Call};
use crate::calls::{Operation, Service};
use crate::faults::FaultKind;
use crate::state::State;
use crate::{gateway, iam, modelarts, pai, swr};
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::stream;
use std::io;
use std::time::Duration;

const HUGE_CHUNK: usize = 64 * 1024;

/// The answer of a fault that answers in the cloud's place; none if the cloud answers.
pub(crate) fn answer_instead(
    state: &State,
    call: &Call<'_>,
    operation: Option<Operation>,
    kind: &FaultKind,
) -> Option<Answer> {
    let json = |body: String| Answer::new(200, "application/json", body);
    let answer = match kind {
        FaultKind::Status {
            status,
            error_code,
            error_message,
            retry_after,
        } => {
            let answer = cloud_error(state, call, operation, *status, error_code, error_message);
            with_retry_after(answer, retry_after.clone())
        }
        FaultKind::Body {
            status,
            content_type,
            body,
        } => Answer::new(*status, content_type, body.as_bytes()),
        FaultKind::Echo { status } => Answer::new(*status, "application/json", echo(call)),
        FaultKind::ThrottledModelArts { retry_after_s } => with_retry_after(
            modelarts::error(429, "ModelArts.6101", "Too many requests. Try again later."),
            retry_after_s.map(|seconds| seconds.to_string()),
        ),
        FaultKind::ThrottledGateway { retry_after_s } => with_retry_after(
            gateway::error(
                call,
                429,
                "APIGW.0308",
                "The throttling threshold has been reached",
            ),
            retry_after_s.map(|seconds| seconds.to_string()),
        ),
        FaultKind::ThrottledPai { retry_after_ms } => {
            let message = "Request was denied due to user flow control.";
            let status = state.options.pai_throttle_status;
            let answer = pai::error(state, call, status, "Throttling.User", message);
            match retry_after_ms {
                Some(ms) => answer.with("x-acs-retry-after", ms.to_string()),
                None => answer,
            }
        }
        FaultKind::Internal500 => {
            let code = match operation.map(Operation::service) {
                Some(Service::Pai | Service::AlibabaSts | Service::Acr) => "InternalError",
                Some(Service::Swr) => "SVCSTG.SWR.5000000",
                Some(Service::Iam | Service::HuaweiSts) => "IAM.0006",
                _ => "ModelArts.5039",
            };
            cloud_error(state, call, operation, 500, code, "Internal error.")
        }
        FaultKind::Malformed => json("{\"arch\" : \"x86_64\", ".to_owned()),
        FaultKind::DeepNesting { levels } => json(format!(
            "{{\"data\":{}{}}}",
            "[".repeat(*levels),
            "]".repeat(*levels)
        )),
        FaultKind::Redirect { to } => {
            Answer::new(302, "text/plain", "").with("location", to.clone())
        }
        // The body of a huge answer is made while it is sent; a cut connection sends nothing.
        FaultKind::Huge { .. } | FaultKind::ConnectionReset | FaultKind::ConnectionClose => {
            json(String::new())
        }
        FaultKind::Latency { .. }
        | FaultKind::Truncated
        | FaultKind::SlowDrip { .. }
        | FaultKind::WrongContentType => return None,
    };
    Some(answer)
}

/// An error of every cloud's shape at once, whose words are what came in.
fn echo(call: &Call<'_>) -> String {
    let wire = call.wire;
    let headers = wire.headers.iter();
    let mut words: Vec<_> = headers
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    words.push(wire.query.to_owned());
    words.push(String::from_utf8_lossy(wire.body).into_owned());
    let text = words.join(" ");
    serde_json::json!({
        "error_code": text, "error_msg": text, "request_id": text,
        "Code": text, "Message": text, "RequestId": text,
        "error": {"code": text, "message": text, "title": text},
    })
    .to_string()
}

fn with_retry_after(answer: Answer, value: Option<String>) -> Answer {
    match value {
        Some(value) => answer.with("retry-after", value),
        None => answer,
    }
}

fn cloud_error(
    state: &State,
    call: &Call<'_>,
    operation: Option<Operation>,
    status: u16,
    code: &str,
    message: &str,
) -> Answer {
    match operation.map(Operation::service) {
        Some(Service::Pai | Service::AlibabaSts | Service::Acr) => {
            pai::error(state, call, status, code, message)
        }
        _ if code.starts_with("APIG") => gateway::error(call, status, code, message),
        Some(Service::Iam | Service::HuaweiSts) => iam::error(state, status, code, message),
        // Metadata services answer in plain words.
        Some(
            Service::HuaweiMetadata
            | Service::PodIdentity
            | Service::EcsMetadata
            | Service::CredentialsUri,
        ) => Answer::new(status, "text/plain", message),
        Some(Service::Swr) => swr::error(status, code, message),
        Some(Service::ModelArts) | None => modelarts::error(status, code, message),
    }
}

/// Puts an answer onto the wire, harmed by a fault if there is one.
pub(crate) fn deliver(mut answer: Answer, fault: Option<&FaultKind>) -> Response {
    let length = answer.body.len();
    if fault == Some(&FaultKind::WrongContentType) {
        answer.content_type = String::from("text/html");
    }
    let bytes = std::mem::take(&mut answer.body);
    let body = match fault {
        Some(FaultKind::Truncated) => truncated(bytes),
        Some(FaultKind::SlowDrip { ms }) => dripping(bytes, Duration::from_millis(*ms)),
        Some(FaultKind::Huge { bytes }) => huge(*bytes),
        _ => Body::from(bytes),
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let mut put = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    put(header::CONTENT_TYPE.as_str(), &answer.content_type);
    for (name, value) in &answer.headers {
        put(name, value);
    }
    if matches!(
        fault,
        Some(FaultKind::Truncated | FaultKind::SlowDrip { .. })
    ) {
        put(header::CONTENT_LENGTH.as_str(), &length.to_string());
    }
    response
}

/// Half of the bytes, then an error, which makes the server drop the connection.
fn truncated(mut bytes: Vec<u8>) -> Body {
    bytes.truncate(bytes.len() / 2);
    Body::from_stream(stream::unfold(Some(bytes), |first| async {
        if first.is_none() {
            // The server must have flushed the first half before it sees the error.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let part = first.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionAborted));
        Some((part, None))
    }))
}

fn dripping(bytes: Vec<u8>, pause: Duration) -> Body {
    Body::from_stream(stream::unfold(
        bytes.into_iter(),
        move |mut rest| async move {
            let byte = rest.next()?;
            tokio::time::sleep(pause).await;
            Some((Ok::<_, io::Error>(vec![byte]), rest))
        },
    ))
}

/// `{"filler":"xxx…"}` of so many bytes.
fn huge(bytes: u64) -> Body {
    const HEAD: &str = "{\"filler\":\"";
    const TAIL: &str = "\"}";
    let filler = bytes.saturating_sub((HEAD.len() + TAIL.len()) as u64);
    let head = stream::iter([Ok::<_, io::Error>(HEAD.as_bytes().to_vec())]);
    let filler = stream::unfold(filler, |left| async move {
        if left == 0 {
            return None;
        }
        let size = usize::try_from(left).unwrap_or(HUGE_CHUNK).min(HUGE_CHUNK);
        Some((Ok(vec![b'x'; size]), left - size as u64))
    });
    let tail = stream::iter([Ok(TAIL.as_bytes().to_vec())]);
    Body::from_stream(futures::StreamExt::chain(
        futures::StreamExt::chain(head, filler),
        tail,
    ))
}
