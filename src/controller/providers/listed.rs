//! Whether a provider's lists can be read whole.
//!
//! Owns the condition Listed. Pure. The invariant that would break first: what is not known changes
//! nothing, so that neither an outage nor a restart writes.

use crate::api::Reason;
use crate::api::condition::{self, ConditionType, Truth};
use crate::cloud::snapshot::{Listed, Scope};
use crate::facts::{Api, FailureKind};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// Lists that a message names; a tenant may ask for names in many workspaces.
const MOST_NAMED: usize = 3;

/// Sets or removes the condition. `lists` is `None` if the provider cannot ask at all; `young`: what is
/// not in it may have been known before a restart.
pub(super) fn set(
    conditions: &mut Vec<Condition>,
    lists: Option<Vec<(Scope, Listed)>>,
    young: bool,
    generation: i64,
    now: Timestamp,
) {
    let type_ = ConditionType::Listed;
    let before = condition::find(conditions, type_);
    let outdated = before.is_some_and(|c| c.observed_generation != Some(generation));
    let unused = !young && lists.as_ref().is_some_and(Vec::is_empty);
    match say(lists.unwrap_or_default()) {
        Some((truth, reason, message)) => {
            condition::set(conditions, type_, truth, reason, &message, generation, now);
        }
        None if outdated || unused => condition::remove(conditions, type_),
        None => {}
    }
}

/// What there is to say of lists; `None` if nothing is known of them.
fn say(lists: Vec<(Scope, Listed)>) -> Option<(Truth, Reason, String)> {
    let mut whole = false;
    let mut troubles: Vec<(Reason, String)> = Vec::new();
    for (scope, listed) in lists {
        match listed {
            Listed::Unclear => {}
            Listed::Whole => whole = true,
            Listed::Cut { cut, images } => {
                let message = format!("{}: {cut}, {images} images", name(&scope));
                troubles.push((Reason::ListTooLong, message));
            }
            Listed::Refused(failure) => {
                let reason = match failure.kind {
                    FailureKind::PermissionDenied => Reason::ListDenied,
                    _ => Reason::ListFailed,
                };
                troubles.push((reason, format!("{}: {}", name(&scope), failure.message)));
            }
        }
    }
    // The order of the reasons is the order in which somebody can mend them.
    let rank = |reason: &Reason| {
        let order = [Reason::ListDenied, Reason::ListFailed, Reason::ListTooLong];
        order.iter().position(|each| each == reason)
    };
    troubles.sort_by(|a, b| (rank(&a.0), &a.1).cmp(&(rank(&b.0), &b.1)));
    let Some((reason, _)) = troubles.first() else {
        let message = "the lists were read whole".to_owned();
        return whole.then_some((Truth::True, Reason::ListComplete, message));
    };
    let named = troubles.iter().take(MOST_NAMED);
    let mut named: Vec<_> = named.map(|(_, message)| message.clone()).collect();
    if let more @ 1.. = troubles.len().saturating_sub(MOST_NAMED) {
        named.push(format!("and {more} more lists"));
    }
    let message = format!(
        "{}: images that no list shows are asked for one by one",
        named.join("; ")
    );
    Some((Truth::False, *reason, message))
}

fn name(scope: &Scope) -> String {
    let images = match scope.api() {
        Api::Notebook => "notebook images",
        Api::LiteServer => return "Lite Server images".into(),
        Api::Pai => "PAI images",
    };
    match scope.workspace_id() {
        Some(workspace) => format!("{images} of workspace {workspace}"),
        None => images.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ProviderKind;
    use crate::cloud::Cut;
    use crate::facts::Failure;
    use crate::plan::{Account, ProviderId, Query, Target};

    fn scope(workspace: &str) -> Scope {
        let target = Target {
            provider: ProviderId {
                kind: ProviderKind::Cluster,
                namespace: None,
                name: "p".into(),
            },
            account: Account::Pai {
                endpoint: "https://e".into(),
                region: "r".into(),
                workspace_id: Some(workspace.into()),
            },
            query: Query::PaiId("image-1".into()),
        };
        Scope::of(&target).unwrap()
    }

    fn cut() -> Listed {
        let (cut, images) = (Cut::Pages, 10_000);
        Listed::Cut { cut, images }
    }

    fn refused(kind: FailureKind) -> Listed {
        Listed::Refused(Failure::new(kind, "it says no"))
    }

    /// Status and reason after these rounds, each some seconds after the one before.
    fn after(rounds: &[(Option<Vec<Listed>>, bool, i64)]) -> Option<(String, String, i64)> {
        let mut conditions = Vec::new();
        for (second, (lists, young, generation)) in (0..).zip(rounds) {
            let lists = lists.clone().map(|lists| {
                let numbered = lists.into_iter().enumerate();
                numbered
                    .map(|(n, listed)| (scope(&n.to_string()), listed))
                    .collect()
            });
            let now = Timestamp::from_second(second).unwrap();
            set(&mut conditions, lists, *young, *generation, now);
        }
        let found = condition::find(&conditions, ConditionType::Listed)?;
        let since = found.last_transition_time.0.as_second();
        Some((found.status.clone(), found.reason.clone(), since))
    }

    fn is(truth: &str, reason: &str, since: i64) -> (String, String, i64) {
        (truth.into(), reason.into(), since)
    }

    #[test]
    fn a_provider_says_which_list_is_not_whole_and_takes_it_back_when_it_is() {
        let known = |listed| (Some(vec![listed]), true, 1);
        assert_eq!(
            after(&[known(Listed::Unclear)]),
            None,
            "no list was read to its end"
        );
        let too_long = [known(cut()), known(cut())];
        assert_eq!(after(&too_long), Some(is("False", "ListTooLong", 0)));
        let mended = [known(cut()), known(Listed::Whole)];
        assert_eq!(after(&mended), Some(is("True", "ListComplete", 1)));
        let denied = [known(refused(FailureKind::PermissionDenied))];
        assert_eq!(after(&denied), Some(is("False", "ListDenied", 0)));
        let odd = [known(refused(FailureKind::ResponseInvalid))];
        assert_eq!(after(&odd), Some(is("False", "ListFailed", 0)));
    }

    #[test]
    fn what_is_not_known_changes_nothing_until_it_is_too_old_to_be_true() {
        let long = || (Some(vec![cut()]), true, 1);
        let kept = Some(is("False", "ListTooLong", 0));
        for later in [
            // An outage, a restart, a provider that cannot sign in.
            (Some(vec![Listed::Unclear]), false, 1),
            (Some(Vec::new()), true, 1),
            (None, false, 1),
        ] {
            assert_eq!(after(&[long(), later.clone()]), kept, "{later:?}");
        }
        // Nobody lists any more, or the spec was edited.
        for later in [
            (Some(Vec::new()), false, 1),
            (Some(vec![Listed::Unclear]), true, 2),
        ] {
            assert_eq!(after(&[long(), later.clone()]), None, "{later:?}");
        }
    }

    #[test]
    fn what_can_be_mended_comes_first_and_a_message_names_only_some() {
        let denied = refused(FailureKind::PermissionDenied);
        let mut lists = vec![(scope("7"), cut()), (scope("8"), Listed::Whole)];
        lists.extend((0..4).map(|n| (scope(&n.to_string()), denied.clone())));
        let (truth, reason, message) = say(lists).unwrap();
        assert_eq!((truth, reason), (Truth::False, Reason::ListDenied));
        assert_eq!(
            message,
            "PAI images of workspace 0: it says no; PAI images of workspace 1: it says no; \
             PAI images of workspace 2: it says no; and 2 more lists: images that no list shows \
             are asked for one by one"
        );
        let (.., message) = say(vec![(scope("7"), cut())]).unwrap();
        assert_eq!(
            message,
            "PAI images of workspace 7: the platform's list has no end after 50 pages, 10000 images: \
             images that no list shows are asked for one by one"
        );
    }
}
