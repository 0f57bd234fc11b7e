//! Verdicts on what is stored, where no look is due: which stand, and which an edit takes back.

use super::case::*;
use imageref::api::Reason;
use imageref::api::condition::Truth;
use imageref::facts::{Facts, FailureKind, ImageStatus};
use imageref::plan::Look;

#[test]
fn what_the_platform_refused_stays_refused_whatever_is_stored() {
    for (kind, reason) in [
        (FailureKind::Ambiguous, Reason::AmbiguousMatch),
        (FailureKind::InvalidSpec, Reason::InvalidSpec),
    ] {
        let mut case = Case::resolved();
        case.step(fail(kind));
        case.assert_ready(Truth::False, reason);
        case.edit(|spec| spec.history_limit = 7);
        case.step(Look::NotDue);
        case.assert_ready(Truth::False, reason);
    }
}

#[test]
fn after_a_suspension_a_good_verdict_comes_back_by_itself_and_another_needs_a_look() {
    let inactive = Facts {
        status: ImageStatus::Inactive,
        ..facts()
    };
    let mut refused = Case::new();
    refused.step(found(inactive));
    for (mut case, truth, reason) in [
        (Case::resolved(), Truth::True, Reason::Resolved),
        (refused, Truth::False, Reason::Suspended),
    ] {
        case.edit(|spec| spec.suspend = true);
        case.step(Look::NotDue);
        case.assert_ready(truth, Reason::Suspended);
        case.edit(|spec| spec.suspend = false);
        case.step(Look::NotDue);
        case.assert_ready(truth, reason);
    }
}

#[test]
fn an_expectation_that_is_met_again_in_an_outage_has_the_words_of_its_image() {
    let mut case = Case::resolved();
    case.step(fail(FailureKind::Unreachable));
    case.edit(|spec| spec.expect = Some(expecting_arch("amd64")));
    case.step(Look::NotDue);
    case.assert_ready(Truth::False, Reason::ExpectationFailed);
    case.edit(|spec| spec.expect = Some(expecting_arch("arm64")));
    case.step(Look::NotDue);
    case.assert_ready(Truth::True, Reason::ServingStale);
    assert_eq!(case.message(), format!("{PATH} (arm64)"));
    // What it says then, it keeps.
    case.step(fail(FailureKind::Unreachable));
    let said = case.message().to_owned();
    case.edit(|spec| spec.history_limit = 7);
    case.step(Look::NotDue);
    assert_eq!(case.message(), said);
}

#[test]
fn a_provider_that_is_not_ready_is_told_at_once_where_nothing_is_known() {
    let mut case = Case::new();
    case.provided = unavailable(FailureKind::ProviderNotReady);
    case.step(Look::NotDue);
    assert_eq!(case.ready().0, Truth::Unknown.as_str());
}
