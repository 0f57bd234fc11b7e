//! Nothing is lost or torn: a status that was there stays, about the same object, and goes forward.
//!
//! Owns what may follow what. Must not know the truth. The invariant that would break first: only a
//! deletion that was ordered takes a reference away.

use super::Violation;
use crate::history::{Key, Ready, Said, Seen};

const LOST: &str = "nothing lost";
const TORN: &str = "nothing torn";

/// What of a reference was lost or torn; `deleted` if its deletion was ordered.
pub(crate) fn kept(key: &Key, seen: &[Seen], deleted: bool) -> Vec<Violation> {
    let mut before: Option<&Said> = None;
    let mut found = Vec::new();
    for seen in seen {
        let said = match seen {
            Seen::Gone { at } if !deleted => {
                found.push(Violation::new(LOST, key, *at, "the reference is gone"));
                before = None;
                continue;
            }
            Seen::Gone { .. } => {
                before = None;
                continue;
            }
            Seen::Said(said) => said,
        };
        let what = before.and_then(|before| lost(before, said));
        found.extend(what.map(|what| Violation::new(LOST, key, said.at, what)));
        found.extend(torn(said).map(|what| Violation::new(TORN, key, said.at, what)));
        before = Some(said);
    }
    found
}

/// Whether a violation is a loss.
pub(crate) fn is_lost(violation: &Violation) -> bool {
    violation.rule == LOST
}

fn lost(before: &Said, now: &Said) -> Option<String> {
    if before.uid != now.uid {
        return Some("another object has its place".into());
    }
    let old = before.status.as_ref()?;
    let Some(new) = &now.status else {
        return Some(format!("the status is gone; it was {old:?}"));
    };
    if new.observed < old.observed {
        return Some(format!(
            "from generation {} back to {}",
            old.observed, new.observed
        ));
    }
    if old.id.is_some() && new.id.is_none() && new.observed == old.observed {
        return Some(format!("the answer is gone; it was {old:?}"));
    }
    None
}

fn torn(said: &Said) -> Option<String> {
    let status = said.status.as_ref()?;
    if status.observed > said.generation {
        return Some(format!("a generation that was not there yet: {status:?}"));
    }
    let stated = status.arch.is_some() && status.word.is_some();
    let whole = status.path.is_some() && status.id.is_some() && (stated || !said.asks.is_notebook);
    let is_torn = status.ready == Ready::True && !whole;
    is_torn.then(|| format!("Ready without its answer: {status:?}"))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{all, key, said, seconds, status};
    use super::*;
    use crate::history::Status;

    fn rules(seen: &[Seen]) -> Vec<String> {
        let found = kept(&key(), seen, false);
        found.into_iter().map(|violation| violation.rule).collect()
    }

    #[test]
    fn a_reference_that_nobody_deleted_and_a_status_stay() {
        let good = said(1, Some(status()));
        let gone = [
            Seen::Said(good.clone().into()),
            Seen::Gone { at: seconds(2) },
        ];
        assert_eq!(rules(&gone), [LOST]);
        assert!(kept(&key(), &gone, true).is_empty());
        assert_eq!(rules(&all([good.clone(), said(2, None)])), [LOST]);
        let other = Said {
            uid: "v".into(),
            ..good.clone()
        };
        assert_eq!(rules(&all([good.clone(), other])), [LOST]);
        assert!(rules(&all([said(0, None), good.clone(), good])).is_empty());
    }

    #[test]
    fn generations_go_forward_and_not_ahead() {
        let about = |observed| Said {
            generation: 2,
            ..said(
                1,
                Some(Status {
                    observed,
                    ..status()
                }),
            )
        };
        assert!(rules(&all([about(1), about(2)])).is_empty());
        assert_eq!(rules(&all([about(2), about(1)])), [LOST]);
        assert_eq!(rules(&all([about(3)])), [TORN]);
    }

    #[test]
    fn ready_has_all_of_its_answer_and_an_answer_stays() {
        let torn = Status {
            path: None,
            ..status()
        };
        assert_eq!(rules(&all([said(1, Some(torn))])), [TORN]);
        let empty = Status {
            id: None,
            ready: Ready::Unknown,
            ..status()
        };
        let now = all([said(1, Some(status())), said(2, Some(empty))]);
        assert_eq!(rules(&now), [LOST]);
    }
}
