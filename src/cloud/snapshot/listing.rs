//! A list that was read, and what it can answer.
//!
//! Owns what may be concluded from a list. Must not know when it is read, nor who asks. The invariant
//! that would break first: a list proves no image absent, so it answers only what it shows.

use crate::cloud::about;
use crate::cloud::paging::{Cut, Found};
use crate::cloud::select::{matches, select};
use crate::facts::{Facts, Failure, FailureKind};
use crate::plan::target::Query;
use jiff::Timestamp;
use std::sync::Arc;

/// One image as it was listed.
#[derive(Clone, Debug)]
struct Listed {
    facts: Arc<Facts>,
    /// The type of the list that it came in.
    as_type: Option<&'static str>,
}

/// All images of a scope.
#[derive(Clone, Debug)]
pub struct Listing {
    by_id: Vec<Listed>,
    by_name: Vec<Listed>,
    /// Whether it was read to its end and did not move meanwhile, as far as can be seen.
    pub whole: bool,
    /// The bound that ended it early.
    pub cut: Option<Cut>,
    /// When reading began: no image is shown as it was before.
    pub as_of: Timestamp,
    /// The calls that it took.
    pub pages: u32,
    /// The answers' length together.
    bytes: usize,
}

impl Listing {
    /// Puts the lists of a scope together, each with the type that it is of.
    pub(in crate::cloud) fn new(
        parts: Vec<(Option<&'static str>, Found)>,
        as_of: Timestamp,
    ) -> Self {
        let mut listing = Self {
            by_id: Vec::new(),
            by_name: Vec::new(),
            whole: true,
            cut: None,
            as_of,
            pages: 0,
            bytes: 0,
        };
        for (as_type, found) in parts {
            listing.whole &= found.whole;
            listing.cut = listing.cut.or(found.cut);
            listing.pages = listing.pages.saturating_add(found.pages);
            listing.bytes = listing.bytes.saturating_add(found.bytes);
            listing.by_id.extend(found.matches.into_iter().map(|facts| {
                let facts = Arc::new(facts);
                Listed { facts, as_type }
            }));
        }
        listing.by_name.clone_from(&listing.by_id);
        // Stable: of an image that two lists have, the first one's entry stays first.
        listing.by_id.sort_by(|a, b| id(a).cmp(id(b)));
        listing.by_name.sort_by(|a, b| name(a).cmp(&name(b)));
        listing
    }

    /// The image of an id.
    pub fn get(&self, wanted: &str) -> Option<&Arc<Facts>> {
        let at = self.by_id.partition_point(|listed| id(listed) < wanted);
        let listed = self.by_id.get(at).filter(|listed| id(listed) == wanted);
        listed.map(|listed| &listed.facts)
    }

    /// The images, by id.
    pub fn images(&self) -> impl Iterator<Item = &Arc<Facts>> {
        self.by_id.iter().map(|listed| &listed.facts)
    }

    /// Answers a question, or leaves it to a look of its own (`None`): an image that is not there may
    /// have been overlooked, and a name may mean another image now only if its own is gone. `bound`
    /// is the id that a name meant before.
    pub fn answer(
        &self,
        query: &Query,
        bound: Option<&str>,
    ) -> Option<Result<Arc<Facts>, Failure>> {
        let asked = match query {
            Query::NotebookId(id) | Query::LiteServerId(id) | Query::PaiId(id) => {
                return self.get(id).cloned().map(Ok);
            }
            Query::NotebookName { name, .. }
            | Query::LiteServerName { name, .. }
            | Query::PaiName { name, .. } => name.as_str(),
        };
        let from = self
            .by_name
            .partition_point(|listed| name(listed) < Some(asked));
        let named = self.by_name.get(from..).unwrap_or_default().iter();
        let named = named
            .take_while(|listed| name(listed) == Some(asked))
            .filter(|listed| matches(query, listed.as_type, &listed.facts));
        let chosen = select(named.map(|listed| listed.facts.clone()).collect(), bound);
        let shown = match (&chosen, bound) {
            (Ok(facts), Some(bound)) => facts.image_id == bound,
            (Err(_), Some(_)) => false,
            (Ok(_), None) => self.whole,
            (Err(failure), None) => self.whole && failure.kind == FailureKind::Ambiguous,
        };
        shown.then(|| chosen.map_err(|failure| about(query, failure)))
    }

    /// About how many bytes it holds: what was kept of the answers, and what holds it.
    pub(super) fn weight(&self) -> usize {
        let each = size_of::<Facts>() + 2 * size_of::<Listed>();
        self.bytes
            .saturating_add(self.by_id.len().saturating_mul(each))
    }
}

fn id(listed: &Listed) -> &str {
    &listed.facts.image_id
}

fn name(listed: &Listed) -> Option<&str> {
    listed.facts.upstream.name.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Upstream;
    use crate::facts::ImageStatus;

    fn image(id: &str, name: &str, workspace: Option<&str>) -> Facts {
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
                name: Some(name.into()).filter(|name: &String| !name.is_empty()),
                workspace_id: workspace.map(Into::into),
                ..Upstream::default()
            },
        }
    }

    fn found(matches: Vec<Facts>, whole: bool) -> Found {
        Found {
            matches,
            whole,
            cut: None,
            pages: 2,
            bytes: 100,
        }
    }

    fn listing(whole: bool) -> Listing {
        let own = vec![
            image("c", "twice", None),
            image("a", "once", Some("0")),
            image("b", "twice", None),
            image("d", "elsewhere", Some("1")),
            image("n", "", None),
        ];
        let presets = vec![
            image("p", "preset", Some("9")),
            image("q", "once more", None),
        ];
        let parts = vec![
            (Some("DEDICATED"), found(own, whole)),
            (Some("BUILD_IN"), found(presets, true)),
        ];
        Listing::new(parts, Timestamp::UNIX_EPOCH)
    }

    /// The id of the answer, or its failure; `None` where a look of its own is needed.
    fn answered(
        listing: &Listing,
        name: &str,
        type_: Option<&str>,
        bound: Option<&str>,
    ) -> Option<Result<String, FailureKind>> {
        let query = Query::NotebookName {
            name: name.into(),
            tag: None,
            organization: None,
            type_: type_.map(Into::into),
            workspace_id: "0".into(),
        };
        let answer = listing.answer(&query, bound)?;
        let answer = answer.map(|facts| facts.image_id.clone());
        Some(answer.map_err(|failure| failure.kind))
    }

    #[test]
    fn an_id_is_found_in_either_list_and_nothing_is_proved_absent() {
        for whole in [true, false] {
            let listing = listing(whole);
            let find = |id: &str| listing.answer(&Query::NotebookId(id.into()), None);
            for id in ["a", "b", "c", "d", "n", "p", "q"] {
                assert_eq!(find(id).unwrap().unwrap().image_id, id);
            }
            for id in ["", "aa", "z"] {
                assert!(find(id).is_none());
            }
            assert_eq!((listing.whole, listing.pages), (whole, 4));
            assert!(listing.weight() > 200 + 7 * size_of::<Facts>());
        }
    }

    #[test]
    fn a_name_is_answered_only_by_what_the_list_shows() {
        let whole = listing(true);
        let of = |name, type_, bound| answered(&whole, name, type_, bound);
        let ok = |id: &str| Some(Ok(id.to_owned()));
        assert_eq!(of("once", None, None), ok("a"));
        assert_eq!(of("once", None, Some("a")), ok("a"));
        assert_eq!(of("twice", None, None), Some(Err(FailureKind::Ambiguous)));
        assert_eq!(of("twice", None, Some("c")), ok("c"));
        assert_eq!(
            of("preset", None, None),
            ok("p"),
            "a preset is of every workspace"
        );
        assert_eq!(of("preset", Some("BUILD_IN"), None), ok("p"));
        for (name, type_, bound) in [
            ("once", None, Some("z")),
            ("twice", None, Some("z")),
            ("missing", None, None),
            ("", None, None),
            ("elsewhere", None, None),
            ("preset", Some("DEDICATED"), None),
        ] {
            assert_eq!(of(name, type_, bound), None, "{name} {type_:?} {bound:?}");
        }
    }

    #[test]
    fn of_a_list_that_is_not_whole_only_a_bound_image_is_believed() {
        let part = listing(false);
        let of = |name, bound| answered(&part, name, None, bound);
        assert_eq!(of("once", Some("a")), Some(Ok("a".into())));
        assert_eq!(of("twice", Some("b")), Some(Ok("b".into())));
        for (name, bound) in [("once", None), ("twice", None), ("once", Some("z"))] {
            assert_eq!(of(name, bound), None, "{name} {bound:?}");
        }
    }

    #[test]
    fn an_ambiguous_name_reads_like_in_a_look_of_its_own() {
        let query = Query::LiteServerName {
            name: "twice".into(),
            server_type: None,
        };
        let failure = listing(true).answer(&query, None).unwrap().unwrap_err();
        assert_eq!(
            failure.message,
            "Lite Server image named twice: 2 images have this name, narrow it down or use an id: b; c"
        );
    }
}
