//! Several watches of one kind as one: a watch for each namespace that is served.
//!
//! Owns when the whole counts as listed, and what a list of one namespace says of the others:
//! nothing. Must not know what is watched. The invariant that would break first: a namespace that is
//! listed again neither empties the others nor keeps objects that are gone, and one that may not be
//! listed holds up nobody.

use futures::stream::{self, Stream, StreamExt as _};
use kube::Resource;
use kube::runtime::watcher::Event;
use std::collections::HashSet;
use std::collections::VecDeque;

/// Refusals in a row after which a watch that was never listed counts as an empty one. More than one:
/// an API server that has just begun refuses what it allows a moment later.
const REFUSALS: u32 = 3;

/// The events of all `watches`, in their order. Without any watch it is an empty list that stays so.
/// `refuses` tells the errors that say that there is no right to list: any other error may be an API
/// server that is away, and then nothing is known of any namespace.
pub(super) fn merge<K, E, S>(
    watches: Vec<S>,
    refuses: impl Fn(&E) -> bool + Send + 'static,
) -> impl Stream<Item = Result<Event<K>, E>> + Send
where
    K: Kept,
    E: Send + 'static,
    S: Stream<Item = Result<Event<K>, E>> + Send + 'static,
{
    let mut merged = Merged::new(watches.len());
    let begin = merged.begin();
    let numbered = watches
        .into_iter()
        .enumerate()
        .map(|(at, watch)| watch.map(move |event| (at, event)).boxed());
    // A watch has no end; without any there is still nothing to end.
    let all = stream::select_all(numbered).chain(stream::pending());
    let events = all.flat_map(move |(at, event)| {
        stream::iter(match event {
            Ok(event) => merged
                .accept(at, event)
                .into_iter()
                .map(Ok)
                .collect::<Vec<_>>(),
            Err(error) => {
                let events = merged.failed(at, refuses(&error)).into_iter().map(Ok);
                std::iter::once(Err(error)).chain(events).collect()
            }
        })
    });
    stream::iter(begin.into_iter().map(Ok)).chain(events)
}

/// What a store keeps.
pub(super) trait Kept:
    Resource<DynamicType = ()> + Clone + Default + Send + 'static
{
}

impl<K: Resource<DynamicType = ()> + Clone + Default + Send + 'static> Kept for K {}

struct Merged {
    watches: Vec<Watch>,
    /// Whether every watch was listed once: until then all is one list.
    listed: bool,
    /// Deletions that are told when the list is over.
    gone: VecDeque<Name>,
}

#[derive(Default)]
struct Watch {
    /// Whether it was listed, or may not be.
    listed: bool,
    /// Refusals in a row.
    refusals: u32,
    known: HashSet<Name>,
    /// What the list that is being read held so far.
    listing: HashSet<Name>,
}

/// Namespace and name of an object.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Name(Option<Box<str>>, Box<str>);

impl Name {
    fn of(object: &impl Resource) -> Self {
        let metadata = object.meta();
        Self(
            metadata.namespace.as_deref().map(Into::into),
            metadata.name.as_deref().unwrap_or_default().into(),
        )
    }

    /// What stands for an object that is gone: a store asks for its name alone.
    fn deleted<K: Resource + Default>(self) -> K {
        let mut object = K::default();
        object.meta_mut().namespace = self.0.map(Into::into);
        object.meta_mut().name = Some(self.1.into());
        object
    }
}

impl Merged {
    fn new(watches: usize) -> Self {
        Self {
            watches: (0..watches).map(|_| Watch::default()).collect(),
            listed: false,
            gone: VecDeque::new(),
        }
    }

    fn begin<K>(&mut self) -> Vec<Event<K>> {
        self.listed = self.watches.is_empty();
        if self.listed {
            vec![Event::Init, Event::InitDone]
        } else {
            vec![Event::Init]
        }
    }

    fn accept<K: Kept>(&mut self, at: usize, event: Event<K>) -> Vec<Event<K>> {
        let Some(watch) = self.watches.get_mut(at) else {
            return Vec::new();
        };
        match event {
            Event::Init => {
                // What the list held that broke off was told; the new one may lack it.
                watch.known.extend(watch.listing.drain());
                Vec::new()
            }
            Event::InitApply(object) => {
                watch.listing.insert(Name::of(&object));
                vec![self.applied(object)]
            }
            Event::InitDone => {
                let listing = std::mem::take(&mut watch.listing);
                self.gone.extend(watch.known.difference(&listing).cloned());
                watch.known = listing;
                watch.refusals = 0;
                self.listed(at)
            }
            Event::Apply(object) => {
                watch.known.insert(Name::of(&object));
                vec![self.applied(object)]
            }
            Event::Delete(object) => {
                let gone = Name::of(&object);
                watch.known.remove(&gone);
                if self.listed {
                    vec![Event::Delete(object)]
                } else {
                    self.gone.push_back(gone);
                    Vec::new()
                }
            }
        }
    }

    /// A watch failed; `refused`: for want of rights.
    fn failed<K: Kept>(&mut self, at: usize, refused: bool) -> Vec<Event<K>> {
        let Some(watch) = self.watches.get_mut(at) else {
            return Vec::new();
        };
        watch.refusals = if refused { watch.refusals + 1 } else { 0 };
        if watch.listed || watch.refusals < REFUSALS {
            return Vec::new();
        }
        // What it lists later joins as if it had been added then.
        self.listed(at)
    }

    /// One watch counts as listed; with the last of them the whole does.
    fn listed<K: Kept>(&mut self, at: usize) -> Vec<Event<K>> {
        if let Some(watch) = self.watches.get_mut(at) {
            watch.listed = true;
        }
        let first = !self.listed && self.watches.iter().all(|watch| watch.listed);
        self.listed |= first;
        let mut events: Vec<_> = first.then_some(Event::InitDone).into_iter().collect();
        if self.listed {
            let gone = self.gone.drain(..);
            events.extend(gone.map(|gone| Event::Delete(gone.deleted())));
        }
        events
    }

    fn applied<K: Kept>(&mut self, object: K) -> Event<K> {
        if self.listed {
            return Event::Apply(object);
        }
        let back = Name::of(&object);
        self.gone.retain(|gone| *gone != back);
        Event::InitApply(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{ImageRef, ImageRefSpec};
    use kube::runtime::reflector::store::Writer;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn object(namespace: usize, name: usize) -> ImageRef {
        let mut object = ImageRef::new(&name.to_string(), ImageRefSpec::default());
        object.metadata.namespace = Some(namespace.to_string());
        object
    }

    #[tokio::test]
    async fn nothing_to_watch_is_an_empty_list() {
        type Nothing = stream::Empty<Result<Event<ImageRef>, ()>>;
        let events: Vec<_> = merge(Vec::<Nothing>::new(), |()| false)
            .take(2)
            .collect()
            .await;
        assert!(matches!(events[..], [Ok(Event::Init), Ok(Event::InitDone)]));
    }

    #[tokio::test]
    async fn a_namespace_that_may_not_be_listed_holds_up_no_other_and_joins_later() {
        let other = stream::iter([
            Ok(Event::Init),
            Ok(Event::InitApply(object(0, 1))),
            Ok(Event::InitDone),
        ])
        .chain(stream::pending());
        let refused = stream::iter((0..REFUSALS).map(|_| Err("forbidden"))).chain(stream::iter([
            Ok(Event::Init),
            Ok(Event::InitApply(object(1, 2))),
            Ok(Event::InitDone),
        ]));
        let all = merge(vec![other.boxed(), refused.boxed()], |error| {
            *error == "forbidden"
        });
        let told: Vec<_> = all
            .filter_map(|event| std::future::ready(event.ok()))
            .take(4)
            .map(|event| match event {
                Event::Init => "begun",
                Event::InitApply(_) => "listed",
                Event::InitDone => "known",
                Event::Apply(_) => "joined",
                Event::Delete(_) => "gone",
            })
            .collect()
            .await;
        assert_eq!(told, ["begun", "listed", "known", "joined"]);
    }

    #[test]
    fn an_api_server_that_is_away_says_nothing_about_rights() {
        let mut merged = Merged::new(1);
        for refused in [true, true, false, true, true] {
            assert!(merged.failed::<ImageRef>(0, refused).is_empty());
        }
        assert!(matches!(
            merged.failed::<ImageRef>(0, true)[..],
            [Event::InitDone]
        ));
        assert!(merged.failed::<ImageRef>(0, true).is_empty(), "told once");
    }

    proptest! {
        #[test]
        fn a_store_holds_what_the_namespaces_hold_however_they_are_listed(
            steps in prop::collection::vec((0..3_usize, 0..4_usize, 0..7_u8), 0..80)
        ) {
            let mut merged = Merged::new(3);
            let mut writer = Writer::<ImageRef>::default();
            let store = writer.as_reader();
            let mut truth: [BTreeSet<usize>; 3] = Default::default();
            // Whether it counts as listed, and how often it was refused.
            let mut begun = [false; 3];
            let mut refusals = [0; 3];
            let mut listed = [false; 3];
            let mut feed = |events: Vec<Event<ImageRef>>| {
                for event in &events {
                    writer.apply_watcher_event(event);
                }
            };
            feed(merged.begin());
            for (at, name, step) in steps {
                if step == 5 {
                    // A failure after the list changes nothing, and before it counts if it is a refusal.
                    let refused = name > 0;
                    feed(merged.failed(at, refused));
                    refusals[at] = if refused { refusals[at] + 1 } else { 0 };
                    begun[at] |= refusals[at] >= REFUSALS;
                } else if step == 6 {
                    // A list that breaks off.
                    feed(merged.accept(at, Event::Init));
                    for name in truth[at].iter().take(1) {
                        feed(merged.accept(at, Event::InitApply(object(at, *name))));
                    }
                } else if step == 0 || !listed[at] {
                    // The list shows what is there now; one change goes unseen in between.
                    truth[at].insert(name);
                    truth[at].remove(&((name + 1) % 4));
                    feed(merged.accept(at, Event::Init));
                    for name in &truth[at] {
                        feed(merged.accept(at, Event::InitApply(object(at, *name))));
                    }
                    feed(merged.accept(at, Event::InitDone));
                    (begun[at], listed[at], refusals[at]) = (true, true, 0);
                } else if step < 3 {
                    truth[at].insert(name);
                    feed(merged.accept(at, Event::Apply(object(at, name))));
                } else if truth[at].remove(&name) {
                    feed(merged.accept(at, Event::Delete(object(at, name))));
                }
                let held: BTreeSet<_> = store.state().iter()
                    .map(|o| (o.metadata.namespace.clone(), o.metadata.name.clone()))
                    .collect();
                let expected: BTreeSet<_> = truth.iter().enumerate()
                    .filter(|(at, _)| listed[*at])
                    .flat_map(|(at, names)| names.iter().map(move |name| (at, name)))
                    .map(|(at, name)| (Some(at.to_string()), Some(name.to_string())))
                    .collect();
                if begun == [true; 3] {
                    // Of one that was never listed whole, a part may be known.
                    let held: BTreeSet<_> = held.into_iter()
                        .filter(|(namespace, _)| (0..3).any(|at| listed[at] && *namespace == Some(at.to_string())))
                        .collect();
                    prop_assert_eq!(held, expected);
                } else {
                    prop_assert!(held.is_empty(), "not listed yet");
                }
            }
        }
    }
}
