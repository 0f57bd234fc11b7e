//! List or get.
//!
//! Owns the comparison of costs. Pure. The invariant that would break first: few references never
//! cost more calls than a get each.

use crate::facts::FailureKind;
use crate::plan::target::Query;
use std::time::Duration;

/// How an answer was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// By a list that many share.
    List,
    /// By a question about this image alone.
    Get,
}

impl By {
    /// The name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Get => "get",
        }
    }
}

/// The pages of a list that was never read: some hundred images.
const FIRST_GUESS: u32 = 4;
/// How long a list is not asked for that is forbidden, and at most one that cannot be read.
const FORBIDDEN_FOR: Duration = Duration::from_secs(600);
/// How long one is not asked for that keeps failing: an outage fails gets as well, and when it is over a
/// list brings everybody back, where gets would take one another's turns.
const FAILING_FOR: Duration = Duration::from_secs(30);
/// So many failures in a row are no hiccup: the list is out of order, and gets may not be.
const OUT_OF_ORDER: u32 = 3;

/// The cheaper way to learn about so many `distinct` images like this one, where a list took so many
/// `pages`. Of equal cost gets are smaller.
pub(super) fn choose(pages: Option<u32>, distinct: usize, query: &Query) -> By {
    let list = usize::try_from(pages.unwrap_or(FIRST_GUESS)).unwrap_or(usize::MAX);
    let each = match query {
        // Nothing filters it by name: every name reads it to its end.
        Query::LiteServerName { .. } => list,
        // A list of own images and one of presets.
        Query::NotebookName { type_: None, .. } => 2,
        _ => 1,
    };
    if distinct.saturating_mul(each) > list {
        By::List
    } else {
        By::Get
    }
}

/// How long gets should be tried in place of a list that failed, if they should: it is forbidden, or not
/// to be read, or has failed so many times in a row.
pub(super) fn unlisted_for(kind: FailureKind, in_a_row: u32) -> Option<Duration> {
    match kind {
        FailureKind::PermissionDenied | FailureKind::BadRequest => Some(FORBIDDEN_FOR),
        // A portal or a broken line spoils a list once; one that is out of order is spoilt each time. What
        // passes soon must not leave many images to gets, whose budget they would use up for long.
        FailureKind::ResponseInvalid => {
            let doubled = 1 << in_a_row.saturating_sub(1).min(16);
            Some(FAILING_FOR.saturating_mul(doubled).min(FORBIDDEN_FOR))
        }
        FailureKind::Unreachable | FailureKind::ProviderError if in_a_row >= OUT_OF_ORDER => {
            Some(FAILING_FOR)
        }
        // A pause is for gets too, and so is a refused credential.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheaper_way_is_taken() {
        let id = Query::NotebookId("i".into());
        let typed = |type_: Option<&str>| Query::NotebookName {
            name: "n".into(),
            tag: None,
            organization: None,
            type_: type_.map(Into::into),
            workspace_id: "0".into(),
        };
        let lite = Query::LiteServerName {
            name: "n".into(),
            server_type: None,
        };
        for (query, pages, distinct, way) in [
            (&id, None, 0, By::Get),
            (&id, None, 1, By::Get),
            (&id, None, 4, By::Get),
            (&id, None, 5, By::List),
            (&id, None, 500, By::List),
            (&id, Some(0), 1, By::List),
            (&id, Some(2), 2, By::Get),
            (&id, Some(2), 3, By::List),
            (&id, Some(50), 50, By::Get),
            (&id, Some(50), 51, By::List),
            (&id, Some(u32::MAX), 10_000, By::Get),
            (&typed(Some("DEDICATED")), None, 4, By::Get),
            (&typed(None), None, 2, By::Get),
            (&typed(None), None, 3, By::List),
            (&lite, None, 1, By::Get),
            (&lite, None, 2, By::List),
            (&lite, Some(50), 2, By::List),
        ] {
            let what = format!("{distinct} like {query}, {pages:?} pages");
            assert_eq!(choose(pages, distinct, query), way, "{what}");
        }
    }

    #[test]
    fn gets_are_tried_where_only_the_list_fails() {
        for (kind, at) in [
            (FailureKind::PermissionDenied, Some(1)),
            (FailureKind::BadRequest, Some(1)),
            (FailureKind::ResponseInvalid, Some(1)),
            (FailureKind::Unreachable, Some(3)),
            (FailureKind::ProviderError, Some(3)),
            (FailureKind::Throttled, None),
            (FailureKind::AuthenticationFailed, None),
            (FailureKind::ProviderNotReady, None),
        ] {
            let first = (1..9).find(|in_a_row| unlisted_for(kind, *in_a_row).is_some());
            assert_eq!(first, at, "{kind:?}");
        }
    }

    #[test]
    fn a_list_that_cannot_be_read_is_tried_again_later_and_later() {
        let times = [1, 2, 3, 4, 5, 6, 7, u32::MAX];
        let times = times.map(|in_a_row| {
            let time = unlisted_for(FailureKind::ResponseInvalid, in_a_row);
            time.unwrap().as_secs()
        });
        assert_eq!(times, [30, 60, 120, 240, 480, 600, 600, 600]);
        let forbidden = unlisted_for(FailureKind::PermissionDenied, 1);
        assert_eq!(forbidden, Some(FORBIDDEN_FOR));
    }
}
