//! Which of many images a question means.
//!
//! Owns what an exact match is, and the choice among several. Must not know how the images were
//! found. The invariants that would break first: a match is exact on our side, since servers may
//! ignore a filter; among several images of one name none is chosen by their order.

use crate::facts::{Facts, Failure, FailureKind};
use crate::plan::target::Query;
use std::borrow::Borrow;
use std::collections::BTreeMap;

/// The type of notebook images that everybody has.
pub(super) const PRESET: &str = "BUILD_IN";

/// How many candidates a message names.
const NAMED: usize = 5;
/// Bound on each word of a candidate: names come from the platform.
const LONGEST_WORD: usize = 64;

/// Whether a listed image is one that the question is about. `listed_as` is the type of the list
/// that it came in, where lists are of one type: images need not repeat it.
pub(super) fn matches(query: &Query, listed_as: Option<&str>, facts: &Facts) -> bool {
    let upstream = &facts.upstream;
    let is = |stated: &Option<String>, asked: &String| stated.as_ref() == Some(asked);
    match query {
        Query::NotebookId(id) | Query::LiteServerId(id) | Query::PaiId(id) => facts.image_id == *id,
        Query::NotebookName {
            name,
            tag,
            organization,
            type_,
            workspace_id,
        } => {
            let answered_type = upstream.type_.as_deref().or(listed_as);
            let own = upstream.workspace_id.is_none() || is(&upstream.workspace_id, workspace_id);
            is(&upstream.name, name)
                && tag.as_ref().is_none_or(|tag| is(&upstream.tag, tag))
                && organization
                    .as_ref()
                    .is_none_or(|organization| is(&upstream.organization, organization))
                && type_.as_ref().is_none_or(|type_| answered_type == Some(type_))
                // Presets are nobody's: the workspace they state says nothing about who may use them.
                && (answered_type == Some(PRESET) || own)
        }
        Query::LiteServerName { name, server_type } => {
            is(&upstream.name, name)
                && server_type
                    .as_ref()
                    .is_none_or(|asked| is(&upstream.server_type, asked))
        }
        Query::PaiName { name, workspace_id } => {
            is(&upstream.name, name)
                // Official images state no workspace.
                && (workspace_id.is_none()
                    || upstream.workspace_id.is_none()
                    || upstream.workspace_id == *workspace_id)
        }
    }
}

/// The image that a name means, out of those that carry it exactly. `bound` is the id that the name
/// meant before: it keeps its meaning while that image is among the matches. An image that occurs
/// twice, because the list moved while it was read, counts once.
pub fn select<F: Borrow<Facts>>(matches: Vec<F>, bound: Option<&str>) -> Result<F, Failure> {
    let mut by_id = BTreeMap::new();
    for facts in matches {
        let id = facts.borrow().image_id.clone();
        by_id.entry(id).or_insert(facts);
    }
    if let Some(facts) = bound.and_then(|id| by_id.remove(id)) {
        return Ok(facts);
    }
    if by_id.len() > 1 {
        return Err(Failure::new(FailureKind::Ambiguous, ambiguous(&by_id)));
    }
    let only = by_id.into_values().next();
    only.ok_or_else(|| Failure::new(FailureKind::NotFound, "no image has this name"))
}

fn ambiguous<F: Borrow<Facts>>(by_id: &BTreeMap<String, F>) -> String {
    let count = by_id.len();
    let mut text = format!("{count} images have this name, narrow it down or use an id: ");
    let candidates = by_id.values().take(NAMED);
    let candidates = candidates.map(|facts| candidate(facts.borrow()));
    text.push_str(&candidates.collect::<Vec<_>>().join("; "));
    if count > NAMED {
        text.push_str("; …");
    }
    text
}

fn candidate(facts: &Facts) -> String {
    let upstream = &facts.upstream;
    let more = [
        ("tag", &upstream.tag),
        ("organization", &upstream.organization),
    ];
    let more: Vec<_> = more
        .iter()
        .filter_map(|(name, value)| Some(format!("{name} {}", word(value.as_ref()?))))
        .collect();
    let id = word(&facts.image_id);
    if more.is_empty() {
        id
    } else {
        format!("{id} ({})", more.join(", "))
    }
}

fn word(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_WORD)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Upstream;
    use crate::facts::ImageStatus;
    use proptest::prelude::*;

    fn image(id: &str, tag: Option<&str>, organization: Option<&str>) -> Facts {
        Facts {
            image_id: id.into(),
            arch: None,
            status: ImageStatus::Active,
            swr_path: None,
            image: None,
            accelerators: Vec::new(),
            size: None,
            created: None,
            updated: None,
            upstream: Upstream {
                tag: tag.map(Into::into),
                organization: organization.map(Into::into),
                ..Upstream::default()
            },
        }
    }

    fn chosen(ids: &[&str], bound: Option<&str>) -> Result<String, FailureKind> {
        let matches = ids.iter().map(|id| image(id, None, None)).collect();
        select(matches, bound)
            .map(|facts| facts.image_id)
            .map_err(|failure| failure.kind)
    }

    #[test]
    fn one_image_is_meant_and_a_bound_one_stays_meant() {
        assert_eq!(chosen(&[], None), Err(FailureKind::NotFound));
        assert_eq!(chosen(&[], Some("a")), Err(FailureKind::NotFound));
        assert_eq!(chosen(&["a"], None), Ok("a".into()));
        assert_eq!(chosen(&["a", "a"], None), Ok("a".into()));
        assert_eq!(chosen(&["b"], Some("a")), Ok("b".into()));
        assert_eq!(chosen(&["b", "a"], None), Err(FailureKind::Ambiguous));
        assert_eq!(chosen(&["b", "a", "c"], Some("a")), Ok("a".into()));
        assert_eq!(chosen(&["b", "c"], Some("a")), Err(FailureKind::Ambiguous));
    }

    #[test]
    fn the_candidates_are_named_in_order_and_not_all_of_many() {
        let two = vec![
            image("b", Some("v1.1"), Some("ai-team")),
            image("a", Some("v1.0"), None),
        ];
        assert_eq!(
            select(two, None).unwrap_err().message,
            "2 images have this name, narrow it down or use an id: a (tag v1.0); b (tag v1.1, organization ai-team)"
        );
        let many = (0..7)
            .map(|n| image(&format!("i{n}"), None, None))
            .rev()
            .collect();
        let message = select(many, None).unwrap_err().message;
        assert!(
            message.starts_with("7 images") && message.ends_with("i0; i1; i2; i3; i4; …"),
            "{message}"
        );
    }

    proptest! {
        #[test]
        fn order_never_chooses_and_messages_are_bounded(
            mut ids in prop::collection::vec("[a-d]", 0..6), tag in ".{0,99}", bound in prop::option::of("[a-e]"),
        ) {
            let select = |ids: &[String]| {
                let matches = ids.iter().map(|id| image(id, Some(&tag), None)).collect();
                select(matches, bound.as_deref())
            };
            let before = select(&ids);
            ids.reverse();
            prop_assert_eq!(&before, &select(&ids));
            if let Err(failure) = before {
                prop_assert!(failure.message.chars().count() < 1000 && !failure.message.contains('\n'));
            }
        }
    }
}
