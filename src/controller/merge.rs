//! Several watches of one kind as one: a watch for each namespace that is served.
//!
//! Owns when the whole counts as listed, and what a list of one namespace says of the others:
//! nothing. Must not know what is watched. The invariant that would break first: a namespace that is
//! listed again neither empties the others nor keeps objects that are gone.

use futures::stream::{self, Stream, StreamExt as _};
use kube::Resource;
use kube::runtime::reflector::{Lookup as _, ObjectRef};
use kube::runtime::watcher::Event;
use std::collections::HashSet;
use std::collections::VecDeque;

/// The events of all `watches`, in their order. Without any watch it is an empty list that stays so.
pub(super) fn merge<K, E, S>(watches: Vec<S>) -> impl Stream<Item = Result<Event<K>, E>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Default + Send + 'static,
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
            Ok(event) => merged.accept(at, event).into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    });
    stream::iter(begin.into_iter().map(Ok)).chain(events)
}

struct Merged<K: Resource<DynamicType = ()>> {
    watches: Vec<Watch<K>>,
    /// Whether every watch was listed once: until then all is one list.
    listed: bool,
    /// Deletions that are told when the list is over.
    gone: VecDeque<ObjectRef<K>>,
}

struct Watch<K: Resource<DynamicType = ()>> {
    listed: bool,
    known: HashSet<ObjectRef<K>>,
    /// What the list that is being read held so far.
    listing: HashSet<ObjectRef<K>>,
}

impl<K> Merged<K>
where
    K: Resource<DynamicType = ()> + Clone + Default,
{
    fn new(watches: usize) -> Self {
        let watch = || Watch {
            listed: false,
            known: HashSet::new(),
            listing: HashSet::new(),
        };
        Self {
            watches: (0..watches).map(|_| watch()).collect(),
            listed: false,
            gone: VecDeque::new(),
        }
    }

    fn begin(&mut self) -> Vec<Event<K>> {
        self.listed = self.watches.is_empty();
        if self.listed {
            vec![Event::Init, Event::InitDone]
        } else {
            vec![Event::Init]
        }
    }

    fn accept(&mut self, at: usize, event: Event<K>) -> Vec<Event<K>> {
        let Some(watch) = self.watches.get_mut(at) else {
            return Vec::new();
        };
        match event {
            Event::Init => {
                watch.listing.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                watch.listing.insert(object.to_object_ref(()));
                vec![self.applied(object)]
            }
            Event::InitDone => {
                let listing = std::mem::take(&mut watch.listing);
                self.gone.extend(watch.known.difference(&listing).cloned());
                watch.known = listing;
                watch.listed = true;
                let first = !self.listed && self.watches.iter().all(|watch| watch.listed);
                self.listed |= first;
                let mut events: Vec<_> = first.then_some(Event::InitDone).into_iter().collect();
                if self.listed {
                    events.extend(
                        self.gone
                            .drain(..)
                            .map(|gone| Event::Delete(deleted(&gone))),
                    );
                }
                events
            }
            Event::Apply(object) => {
                watch.known.insert(object.to_object_ref(()));
                vec![self.applied(object)]
            }
            Event::Delete(object) => {
                let gone = object.to_object_ref(());
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

    fn applied(&mut self, object: K) -> Event<K> {
        if self.listed {
            return Event::Apply(object);
        }
        let back = object.to_object_ref(());
        self.gone.retain(|gone| *gone != back);
        Event::InitApply(object)
    }
}

/// What stands for an object that is gone: a store asks for its name alone.
fn deleted<K: Resource<DynamicType = ()> + Default>(gone: &ObjectRef<K>) -> K {
    let mut object = K::default();
    object.meta_mut().name = Some(gone.name.clone());
    object.meta_mut().namespace.clone_from(&gone.namespace);
    object
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
        let events: Vec<_> = merge(Vec::<Nothing>::new()).take(2).collect().await;
        assert!(matches!(events[..], [Ok(Event::Init), Ok(Event::InitDone)]));
    }

    proptest! {
        #[test]
        fn a_store_holds_what_the_namespaces_hold_however_they_are_listed(
            steps in prop::collection::vec((0..3_usize, 0..4_usize, 0..5_u8), 0..60)
        ) {
            let mut merged = Merged::new(3);
            let mut writer = Writer::<ImageRef>::default();
            let store = writer.as_reader();
            let mut truth: [BTreeSet<usize>; 3] = Default::default();
            let mut begun = [false; 3];
            let mut feed = |events: Vec<Event<ImageRef>>| {
                for event in &events {
                    writer.apply_watcher_event(event);
                }
            };
            feed(merged.begin());
            for (at, name, step) in steps {
                if step == 0 || !begun[at] {
                    // The list shows what is there now; one change goes unseen in between.
                    truth[at].insert(name);
                    truth[at].remove(&((name + 1) % 4));
                    feed(merged.accept(at, Event::Init));
                    for name in &truth[at] {
                        feed(merged.accept(at, Event::InitApply(object(at, *name))));
                    }
                    feed(merged.accept(at, Event::InitDone));
                    begun[at] = true;
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
                    .flat_map(|(at, names)| names.iter().map(move |name| (at, name)))
                    .map(|(at, name)| (Some(at.to_string()), Some(name.to_string())))
                    .collect();
                if begun == [true; 3] {
                    prop_assert_eq!(held, expected);
                } else {
                    prop_assert!(held.is_empty(), "not listed yet");
                }
            }
        }
    }
}
