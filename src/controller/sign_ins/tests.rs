//! Signing in beside an API server that is late, away or refuses.

use super::*;
use crate::api::ImageProvider;
use crate::cloud::Network;
use crate::cloud::identity::IdentityEndpoints;
use crate::controller::stub::{Stub, failed};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

#[test]
fn no_failure_of_an_exchange_says_that_a_references_spec_or_image_is_wrong() {
    for kind in [
        FailureKind::BadRequest,
        FailureKind::InvalidSpec,
        FailureKind::NotFound,
    ] {
        let refused = NotSignedIn::from(Failure::new(kind, "no"));
        assert_eq!(refused.reason, Some(Reason::ProviderError), "{kind:?}");
        assert_eq!(refused.failure.kind, FailureKind::ProviderNotReady);
    }
    let refused = NotSignedIn::from(Failure::new(FailureKind::PermissionDenied, "no"));
    assert_eq!(refused.failure.kind, FailureKind::PermissionDenied);
}

fn sign_ins(stub: &Stub) -> SignIns {
    let exchanger = Exchanger::new(Network::default(), IdentityEndpoints::default()).unwrap();
    let own = OperatorIdentities::default();
    let exchanger = Arc::new(exchanger);
    SignIns::new(
        stub.client.clone(),
        "system",
        own,
        exchanger,
        CacheOptions::default(),
    )
}

fn provider(auth: &Value) -> Provider {
    let object = json!({
        "apiVersion": "imageref.dev/v1alpha1", "kind": "ImageProvider",
        "metadata": {"name": "p", "namespace": "team", "uid": "1", "generation": 1},
        "spec": {"modelArts": {"region": "cn-north-4", "projectId": "a"}, "auth": auth},
    });
    let object: ImageProvider = serde_json::from_value(object).unwrap();
    Provider::Namespaced(Arc::new(object))
}

#[tokio::test]
async fn a_read_anew_does_not_join_one_that_began_before_the_change() {
    let secret = |token: &str| {
        use base64::Engine as _;
        let token = base64::engine::general_purpose::STANDARD.encode(token);
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "team"},
            "data": {"authToken": token},
        })
    };
    let answer = move |number, _: &str| match number {
        0 => (200, secret("before")),
        _ => (200, secret("after")),
    };
    let stub = Stub::new(true, answer).await;
    let sign_ins = Arc::new(sign_ins(&stub));
    let provider = provider(&json!({"secretRef": {"name": "s"}}));
    let early = {
        let (sign_ins, provider) = (sign_ins.clone(), provider.clone());
        tokio::spawn(async move { sign_ins.of(&provider).await })
    };
    stub.arrived.notified().await;
    let anew = sign_ins.anew(&provider).await.unwrap();
    stub.go.notify_one();
    let early = early.await.unwrap().unwrap();
    assert_ne!(anew.identity.proof(), early.identity.proof());
    assert_eq!(stub.seen.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn an_api_server_that_gives_no_token_leaves_the_provider_as_it_is_and_a_refusal_does_not() {
    let rows = [
        (failed(503, "ServiceUnavailable"), None),
        (failed(429, "TooManyRequests"), None),
        (failed(500, "InternalError"), None),
        (failed(403, "Forbidden"), Some(Reason::IdentityUnavailable)),
        (failed(404, "NotFound"), Some(Reason::IdentityUnavailable)),
    ];
    // At once: the client repeats some of these calls by itself.
    let all = rows.into_iter().map(async |(refusal, expected)| {
        let code = refusal.0;
        let answer = move |_, request: &str| {
            if request.starts_with("post") {
                return refusal.clone();
            }
            let account = json!({
                "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
                "metadata": {
                    "name": "reader", "namespace": "team", "uid": "u1",
                    "annotations": {"imageref.dev/allow-provider": "p"},
                },
            });
            (200, account)
        };
        let sign_ins = sign_ins(&Stub::new(false, answer).await);
        let sts = json!({"providerUrn": "iam::1:oidc-provider:c", "agencyUrn": "iam::1:agency:a"});
        let provider = provider(&json!({"workloadIdentity": {
            "serviceAccountRef": {"name": "reader"}, "exchange": {"huaweiSts": sts},
        }}));
        // Read anew, while the failed exchange is remembered: the same again.
        for _ in 0..2 {
            let refused = sign_ins.anew(&provider).await.err().unwrap();
            assert_eq!(refused.reason, expected, "{code}: {}", refused.failure);
            assert_eq!(refused.failure.kind, FailureKind::ProviderNotReady);
        }
    });
    futures::future::join_all(all).await;
}
