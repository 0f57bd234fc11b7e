//! The metadata services' modes.

use super::Bench;
use fakecloud::{EcsMetadata, MetadataToken, Operation, defaults};
use imageref::cloud::identity::{Exchanger, Source};
use imageref::facts::FailureKind;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

#[tokio::test]
async fn huaweis_service_is_asked_with_a_token_where_it_has_one() {
    for (mode, tokens) in [
        (MetadataToken::Required, 1),
        (MetadataToken::Optional, 1),
        (MetadataToken::Off404, 1),
        (MetadataToken::Off405, 1),
        (MetadataToken::Off503, 1),
    ] {
        let bench = Bench::new().await;
        bench
            .fake
            .configure(|options| options.metadata_token = mode);
        bench.exchange(Source::HuaweiMetadata).await.unwrap();
        let calls = bench.fake.calls();
        assert_eq!(calls.of(Operation::MetadataToken), tokens, "{mode:?}");
        assert_eq!(calls.of(Operation::MetadataSecurityKey), 1, "{mode:?}");
    }
}

#[tokio::test]
async fn a_service_without_tokens_is_looked_at_again_after_a_day() {
    let bench = Bench::new().await;
    let shift = Arc::new(AtomicI64::new(0));
    let own = shift.clone();
    let exchanger = Exchanger::new(
        crate::cloud::network(&bench.fake.url()),
        super::endpoints(&bench.fake.url()),
    )
    .unwrap();
    let exchanger = exchanger.with_clock(Arc::new(move || {
        Timestamp::now() + SignedDuration::from_hours(own.load(Ordering::Relaxed))
    }));
    let identity = super::identity(Source::HuaweiMetadata);
    let tokens = || bench.fake.calls().of(Operation::MetadataToken);
    bench
        .fake
        .configure(|options| options.metadata_token = MetadataToken::Off404);
    for (hours, expected) in [(0, 1), (1, 1), (23, 1), (25, 2), (26, 2)] {
        shift.store(hours, Ordering::Relaxed);
        exchanger.exchange(&identity).await.unwrap();
        assert_eq!(tokens(), expected, "after {hours} h");
    }
    // It asks for tokens from now on: the refusal is the sign.
    bench
        .fake
        .configure(|options| options.metadata_token = MetadataToken::Required);
    exchanger.exchange(&identity).await.unwrap();
    assert_eq!(tokens(), 3);
    // A clock that was set back a week does not keep the service without tokens for a week.
    bench
        .fake
        .configure(|options| options.metadata_token = MetadataToken::Off404);
    exchanger.exchange(&identity).await.unwrap();
    shift.store(-24 * 7, Ordering::Relaxed);
    exchanger.exchange(&identity).await.unwrap();
    assert_eq!(tokens(), 5);
}

#[tokio::test]
async fn a_node_without_an_agency_is_asked_once() {
    let bench = Bench::new().await;
    bench
        .fake
        .configure(|options| options.metadata_agency = false);
    let failure = bench.exchange(Source::HuaweiMetadata).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::AuthenticationFailed);
    assert!(failure.message.contains("no agency"), "{failure}");
    assert_eq!(bench.fake.calls().of(Operation::MetadataSecurityKey), 1);
}

#[tokio::test]
async fn ecs_gives_keys_in_every_mode_but_hardened_means_hardened() {
    for hardened in [false, true] {
        for mode in [
            EcsMetadata::Hardened,
            EcsMetadata::V1Allowed,
            EcsMetadata::V1Only,
        ] {
            for role in [None, Some(defaults::ALIBABA_ROLE.to_owned())] {
                let bench = Bench::with(|own| own.alibaba_metadata_hardened = hardened).await;
                bench.fake.configure(|options| options.ecs_metadata = mode);
                let named = u64::from(role.is_none());
                let got = bench.exchange(Source::AlibabaMetadata { role }).await;
                let expected = !(hardened && mode == EcsMetadata::V1Only);
                assert_eq!(got.is_ok(), expected, "{hardened} {mode:?}: {got:?}");
                if expected {
                    assert_eq!(bench.fake.calls().of(Operation::EcsMetadataRole), named);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_node_without_a_role_or_with_an_odd_one_is_refused() {
    let bench = Bench::new().await;
    for role in ["", "..", "a/../b", "<html>"] {
        bench
            .fake
            .configure(|options| role.clone_into(&mut options.ecs_role));
        let failure = bench
            .exchange(Source::AlibabaMetadata { role: None })
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::AuthenticationFailed, "{role}");
    }
    assert_eq!(bench.fake.calls().of(Operation::EcsMetadataKeys), 0);
}
