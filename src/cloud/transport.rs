//! The wire: one request as it was signed, one answer within bounds.
//!
//! Owns a request's form and every bound on an answer except its time, which belongs to a whole look.
//! Must not know any platform, and sends no second request: not after a redirect, not after a
//! failure. The invariant that would break first: **what is sent is what was signed**, to the
//! origin of the account and nowhere else.

use super::guard::Refused;
use super::network::{CONNECT_TIMEOUT, Routes};
use super::refusal::{cut, request_id};
use crate::facts::{Failure, FailureKind};
use jiff::Timestamp;
use reqwest::header::{DATE, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use std::error::Error;
use std::time::Duration;
use tracing::field::Empty;
use url::Url;

/// Bound on an answer's body, in bytes. The largest page asked for has some 200 KiB.
pub const LARGEST_BODY: usize = 4 * 1024 * 1024;
/// Bound on the pause that a platform can ask for.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// Bound on a cause as the operating system or TLS words it, in characters.
const LONGEST_CAUSE: usize = 160;

/// What is done to a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Put,
}

impl Method {
    fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// A request that is ready to go. Has no `Debug`: its headers are a proof of identity.
pub(crate) struct Request<'a> {
    pub(super) method: Method,
    /// Origin of the account.
    pub(super) origin: &'a str,
    /// Path as signed.
    pub(crate) path: &'a str,
    /// Query as signed, without the question mark; empty for none.
    pub(crate) query: &'a str,
    /// All headers as signed. `Host` among them is what the origin must give.
    pub(crate) headers: &'a [(String, SecretString)],
    /// Empty for none.
    pub(super) body: &'a [u8],
}

impl<'a> Request<'a> {
    /// A question to a platform.
    pub(super) const fn get(
        origin: &'a str,
        path: &'a str,
        query: &'a str,
        headers: &'a [(String, SecretString)],
    ) -> Self {
        Self {
            method: Method::Get,
            origin,
            path,
            query,
            headers,
            body: b"",
        }
    }
}

/// An answer, whatever its status; redirects never get here. Has no `Debug`: errors echo requests.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The platform's id of the call, from a header.
    pub(crate) request_id: Option<String>,
    /// The pause that the platform asks for, more than none and at most [`LONGEST_PAUSE`].
    pub(crate) retry_after: Option<Duration>,
    /// The token that IAM gives in a header.
    pub(crate) subject_token: Option<SecretString>,
    /// When a login of SWR ends, as it gives it in a header.
    pub(crate) expires: Option<String>,
    /// The other side's time.
    pub(crate) date: Option<Timestamp>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// What status and headers say; the body is still to come.
    pub(super) fn head(status: u16, headers: &HeaderMap, now: Timestamp) -> Self {
        Self {
            status,
            request_id: header(headers, "x-request-id")
                .or_else(|| header(headers, "x-acs-request-id"))
                .and_then(request_id),
            retry_after: pause(headers, now),
            subject_token: header(headers, "x-subject-token").map(SecretString::from),
            expires: header(headers, "x-swr-expireat").map(str::to_owned),
            date: header(headers, DATE.as_str()).and_then(date),
            body: Vec::new(),
        }
    }
}

/// What answers requests in process, for tests with a time of their own.
#[cfg(test)]
pub(crate) type StandIn = std::sync::Arc<
    dyn Fn(&Request<'_>) -> futures::future::BoxFuture<'static, Result<Answer, Failure>>
        + Send
        + Sync,
>;

/// The way that a request takes.
#[derive(Clone, Copy)]
pub(super) enum Way<'a> {
    /// To a platform: by the rules of the operator's network.
    Far(&'a Routes),
    /// To a service on this node or its link, which the operator named.
    Near(&'a reqwest::Client),
}

/// The host of an origin as a signature holds it: with the port if that is not the scheme's own.
pub(super) fn host(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_, host)| host)
}

/// Sends a request and reads the answer. The caller bounds the time; `now` turns a date in `Retry-After`
/// into a pause.
///
/// Its span has neither path nor query, which hold tokens in some exchanges.
#[tracing::instrument(name = "cloud request", level = "debug", skip_all, fields(
    server.address = host(request.origin),
    http.request.method = request.method.as_str(),
    http.response.status_code = Empty,
    error.type = Empty,
    request_id = Empty,
))]
pub(super) async fn send(
    way: Way<'_>,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Answer, Failure> {
    let answered = exchange(way, request, now).await;
    let span = tracing::Span::current();
    let id = match &answered {
        Ok(answer) => {
            // As a number: unsigned ones are sent as text.
            span.record("http.response.status_code", i64::from(answer.status));
            answer.request_id.as_deref()
        }
        Err(failure) => {
            span.record("error.type", failure.kind.as_str());
            failure.request_id.as_deref()
        }
    };
    span.record("request_id", id);
    answered
}

async fn exchange(way: Way<'_>, request: &Request<'_>, now: Timestamp) -> Result<Answer, Failure> {
    let host = host(request.origin);
    let url = url(request, matches!(way, Way::Near(_)))?;
    let (client, is_proxied) = match way {
        Way::Far(routes) => {
            let route = routes
                .to(request.origin, &url)
                .map_err(|refused| refusal(host, &refused))?;
            (route.client, route.is_proxied)
        }
        Way::Near(client) => (client, false),
    };
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers {
        let name: HeaderName = name.parse().map_err(|_| unsendable("a header's name"))?;
        if name == HOST {
            // The client derives it from the URL, as the one field HTTP/1.1 and HTTP/2 name apart.
            if value.expose_secret() != host {
                return Err(unsendable("the signed host"));
            }
            continue;
        }
        let mut value = HeaderValue::from_bytes(value.expose_secret().as_bytes())
            .map_err(|_| unsendable("a header's value"))?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
    };
    let mut call = client.request(method, url).headers(headers);
    if !request.body.is_empty() {
        call = call.body(request.body.to_vec());
    }
    let sent = call.send().await;
    let mut response = sent.map_err(|error| unreachable(host, is_proxied, &error))?;
    let status = response.status();
    let answer = Answer::head(status.as_u16(), response.headers(), now);
    let failure = |kind, message: String| Failure {
        kind,
        message,
        retry_after: answer.retry_after,
        request_id: answer.request_id.clone(),
    };
    if status.is_redirection() {
        let message = format!("{host} answered with a redirect, which is not followed");
        return Err(failure(FailureKind::ProviderError, message));
    }
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > LARGEST_BODY => {
                let message = format!(
                    "the answer of {host} is larger than {} MiB",
                    LARGEST_BODY >> 20
                );
                return Err(failure(FailureKind::ResponseInvalid, message));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(Answer { body, ..answer }),
            // The platform was there and began to speak, so this is about the answer.
            Err(error) => {
                let message = format!("the answer of {host} broke off ({})", cause(&error));
                return Err(failure(FailureKind::ResponseInvalid, message));
            }
        }
    }
}

/// The URL of a request, if parsing leaves everything as it was signed. A parser resolves `..`,
/// rewrites backslashes and lower-cases hosts; each of these would send something else.
fn url(request: &Request<'_>, near: bool) -> Result<Url, Failure> {
    let Request {
        origin,
        path,
        query,
        ..
    } = *request;
    let mark = if query.is_empty() { "" } else { "?" };
    let url: Url = format!("{origin}{path}{mark}{query}")
        .parse()
        .map_err(|_| unsendable("the endpoint"))?;
    let plain = |host| is_loopback(host) || (near && is_near(host));
    let plain = url.host_str().is_some_and(plain);
    let same = url.path() == path
        && url.query().unwrap_or_default() == query
        && url.origin().ascii_serialization() == origin
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
        && (url.scheme() == "https" || (url.scheme() == "http" && plain));
    if same {
        Ok(url)
    } else {
        Err(unsendable("the URL"))
    }
}

/// Whether a host is this machine, so that plain HTTP shows nothing to a network.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|ip: std::net::Ipv4Addr| ip.is_loopback())
}

/// Whether a host is on this node or its link, where the clouds have their metadata services.
pub(super) fn is_near(host: &str) -> bool {
    let own = |ip: std::net::Ipv4Addr| ip.is_link_local() || ip.octets() == [100, 100, 100, 200];
    is_loopback(host) || host.parse().is_ok_and(own)
}

fn unsendable(part: &str) -> Failure {
    Failure::new(
        FailureKind::InvalidSpec,
        format!("{part} would not reach the platform as it was signed"),
    )
}

/// A host that is not connected to. Passing, like a host that is away: names and proxies are mended
/// outside of the cluster.
pub(crate) fn refusal(host: &str, refused: &Refused) -> Failure {
    let message = format!("{host} is not connected to: {refused}");
    Failure::new(FailureKind::Unreachable, message)
}

pub(crate) fn unreachable(host: &str, is_proxied: bool, error: &reqwest::Error) -> Failure {
    let mut causes = std::iter::successors(error.source(), |error| (*error).source());
    if let Some(refused) = causes.find_map(<dyn Error>::downcast_ref) {
        return refusal(host, refused);
    }
    let through = if is_proxied {
        " through the operator's proxy"
    } else {
        ""
    };
    let what = if error.is_timeout() {
        format!(
            "{host} cannot be reached{through}: no connection within {} s",
            CONNECT_TIMEOUT.as_secs()
        )
    } else if error.is_connect() {
        let cause = cause(error);
        // The one of these that the operator's owner can mend.
        let hint = if cause.ends_with("UnknownIssuer") {
            ", signed by nobody who is trusted here: --ca-file adds an authority"
        } else {
            ""
        };
        format!("{host} cannot be reached{through}: {cause}{hint}")
    } else {
        format!("the connection to {host}{through} broke: {}", cause(error))
    };
    Failure::new(FailureKind::Unreachable, what)
}

/// The innermost cause: the system's or the TLS library's words. The outer ones hold the URL.
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut inner: Option<&dyn Error> = error.source();
    while let Some(next) = inner.and_then(Error::source) {
        inner = Some(next);
    }
    let text = inner.map_or_else(|| "no cause is known".to_owned(), ToString::to_string);
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    cut(line.trim(), LONGEST_CAUSE)
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn date(text: &str) -> Option<Timestamp> {
    Some(jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp())
}

/// `x-acs-retry-after` in milliseconds, else `Retry-After` in seconds or as a date. What cannot be
/// read, and a pause that is over, is no hint.
pub(crate) fn pause(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let whole = |text: &str| text.trim().parse::<u64>().ok();
    let acs = header(headers, "x-acs-retry-after")
        .and_then(whole)
        .map(Duration::from_millis);
    let standard = || {
        let text = header(headers, RETRY_AFTER.as_str())?;
        whole(text)
            .map(Duration::from_secs)
            .or_else(|| date(text)?.duration_since(now).try_into().ok())
    };
    acs.or_else(standard)
        .filter(|pause| !pause.is_zero())
        .map(|pause| pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests;
