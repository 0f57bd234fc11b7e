//! The classes of failure: which of them an outage shows as, and their names.

use imageref::facts::FailureKind;
use std::collections::BTreeSet;

const KINDS: [FailureKind; 14] = [
    FailureKind::Unreachable,
    FailureKind::ProviderError,
    FailureKind::ResponseInvalid,
    FailureKind::Throttled,
    FailureKind::AuthenticationFailed,
    FailureKind::PermissionDenied,
    FailureKind::NotFound,
    FailureKind::Ambiguous,
    FailureKind::BadRequest,
    FailureKind::MassDisappearance,
    FailureKind::ProviderNotFound,
    FailureKind::ProviderNotReady,
    FailureKind::ProviderNotAllowed,
    FailureKind::InvalidSpec,
];

#[test]
fn an_outage_is_told_from_what_credentials_and_questions_cause() {
    let passing: Vec<_> = KINDS.into_iter().filter(|kind| kind.is_passing()).collect();
    assert_eq!(passing, KINDS[..3]);
}

#[test]
fn each_class_has_a_name_of_its_own_that_is_its_variants() {
    let names: BTreeSet<_> = KINDS.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(names.len(), KINDS.len());
    for kind in KINDS {
        let joined = kind.as_str().replace('_', "");
        assert_eq!(joined, format!("{kind:?}").to_lowercase());
    }
}
