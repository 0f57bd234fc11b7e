//! What the holder of the lease may rely on, and the client that relies on it.
//!
//! Owns the moment at which a claim ends. Must not know how a lease is written. The invariant that
//! would break first: a request to the API server begins only while the claim holds, also in a
//! process that was frozen and does not know yet that another has taken over.

use futures::future::BoxFuture;
use hyper::{Request, Response};
use kube::client::Body;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;
use tower::{BoxError, Layer, Service};

/// Whether this process may write; shared by all who ask.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// `None`: there is no claim. A process without a lease has one that never ends.
    until: Arc<Mutex<Option<Until>>>,
}

#[derive(Clone, Copy, Debug)]
enum Until {
    Always,
    At(Instant),
}

/// The claim has ended.
#[derive(Debug, thiserror::Error)]
#[error("this process does not hold the lease any more: another may write now")]
pub struct NotHeld;

impl Claim {
    /// One that never ends, for a process without a lease.
    pub fn always() -> Self {
        let claim = Self::default();
        claim.set(Some(Until::Always));
        claim
    }

    /// Whether the claim holds.
    pub fn holds(&self, now: Instant) -> bool {
        match *self.until.lock().unwrap_or_else(PoisonError::into_inner) {
            None => false,
            Some(Until::Always) => true,
            Some(Until::At(deadline)) => now < deadline,
        }
    }

    /// It holds until then.
    pub(super) fn extend(&self, deadline: Instant) {
        self.set(Some(Until::At(deadline)));
    }

    /// It ends now.
    pub(super) fn end(&self) {
        self.set(None);
    }

    fn set(&self, until: Option<Until>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// Refuses requests once the claim has ended.
impl<S> Layer<S> for Claim {
    type Service = Claimed<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Claimed {
            claim: self.clone(),
            inner,
        }
    }
}

/// A service behind a [`Claim`].
#[derive(Clone, Debug)]
pub struct Claimed<S> {
    claim: Claim,
    inner: S,
}

impl<S, B> Service<Request<Body>> for Claimed<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if !self.claim.holds(tokio::time::Instant::now().into_std()) {
            return Box::pin(async { Err(NotHeld.into()) });
        }
        let answer = self.inner.call(request);
        Box::pin(async { answer.await.map_err(Into::into) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::time::Duration;
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn a_request_begins_only_while_the_claim_holds() {
        let claim = Claim::default();
        let echo =
            tower::service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(())) });
        let guarded = claim.layer(echo);
        let request = || Request::new(Body::empty());
        let ask = || guarded.clone().oneshot(request());
        assert!(ask().await.unwrap_err().is::<NotHeld>());
        claim.extend(Instant::now() + Duration::from_secs(60));
        ask().await.unwrap();
        claim.extend(Instant::now());
        ask().await.unwrap_err();
        claim.set(Some(Until::Always));
        ask().await.unwrap();
        claim.end();
        ask().await.unwrap_err();
    }
}
