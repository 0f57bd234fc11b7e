//! Life goes on while something is broken: images change, references are created, edited and deleted.
//!
//! Owns how much happens, and which deletions were ordered. Must not know what is broken, nor rules. The
//! invariant that would break first: a deletion is noted before it is asked for.

use crate::chance::Chance;
use crate::history::Key;
use crate::mix::{self, Means};
use crate::truth::{Change, Truth};
use anyhow::Result;
use http::Request;
use kube::Client;
use kube::api::{DeleteParams, Patch, PatchParams, Request as Path};
use serde_json::{Value, json};
use site::{IMAGES, create, image_id};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// From one change at the platforms to the next, and from one change of references.
const PACE: Duration = Duration::from_secs(1);

/// Longest wait for an answer of the API server.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was ordered so far.
#[derive(Clone, Default)]
pub(crate) struct Deeds {
    deleted: Arc<Mutex<BTreeSet<Key>>>,
    created: Arc<Mutex<Vec<u32>>>,
}

impl Deeds {
    /// References whose deletion was asked for.
    pub(crate) fn deleted(&self) -> BTreeSet<Key> {
        let deleted = self.deleted.lock();
        deleted.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The deletion of a reference is about to be asked for.
    pub(crate) fn delete(&self, key: Key) {
        let deleted = self.deleted.lock();
        deleted.unwrap_or_else(PoisonError::into_inner).insert(key);
    }

    fn pop(&self) -> Option<u32> {
        let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        (created.len() > 5).then(|| created.remove(0))
    }

    fn push(&self, number: u32) {
        let created = self.created.lock();
        created.unwrap_or_else(PoisonError::into_inner).push(number);
    }
}

/// What happens while a fault holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tempo {
    /// Images and references change.
    Full,
    /// References alone change: what is true stays so.
    References,
}

/// Life; it ends with this value.
pub(crate) struct Life {
    living: JoinHandle<()>,
    ends: Arc<AtomicBool>,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.living.abort();
    }
}

impl Life {
    /// Ends it in order: a change is made whole or not begun.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.ends.store(true, Ordering::Relaxed);
        Ok((&mut self.living).await?)
    }
}

/// What lives.
#[derive(Clone)]
pub(crate) struct Living {
    pub(crate) client: Client,
    pub(crate) truth: Truth,
    /// References that were there from the beginning.
    pub(crate) refs: u32,
    pub(crate) deeds: Deeds,
    /// The number of the next reference that is created.
    pub(crate) next: Arc<AtomicU32>,
}

impl Living {
    /// Begins to live.
    pub(crate) fn begin(self, tempo: Tempo, mut chance: Chance) -> Life {
        let ends = Arc::<AtomicBool>::default();
        let asked = ends.clone();
        let living = tokio::spawn(async move {
            let mut turns = tokio::time::interval(PACE);
            for turn in 0_u32.. {
                turns.tick().await;
                if asked.load(Ordering::Relaxed) {
                    break;
                }
                if tempo == Tempo::Full {
                    // A registry that does not answer takes no push.
                    let _ = self.change(&mut chance, turn).await;
                }
                // An API server that does not answer takes no edit: that is what is tested.
                let deeds = self.touch(&mut chance, turn);
                let _ = tokio::time::timeout(PATIENCE, deeds).await;
            }
        });
        Life { living, ends }
    }

    /// One image becomes another.
    async fn change(&self, chance: &mut Chance, turn: u32) -> Result<()> {
        let tag = format!("c{}-{turn}", self.truth.now().as_millis());
        if turn % 4 == 3 {
            let id = mix::pai_id(chance.below(mix::PAI_IMAGES));
            return self.truth.change(&id, &Change::Tag(tag));
        }
        let image = chance.below(IMAGES);
        if mix::is_steady_image(image) {
            return Ok(());
        }
        if image < mix::PUSHED {
            return self.truth.push(image, &tag).await;
        }
        let drawn = match chance.below(3) {
            0 => Change::Arch,
            1 => Change::Status,
            _ => Change::Tag(tag),
        };
        self.truth.change(&image_id(image), &drawn)
    }

    /// One reference is edited; now and then one is created, and one of those deleted.
    async fn touch(&self, chance: &mut Chance, turn: u32) -> Result<()> {
        let number = chance.below(self.refs);
        if !mix::is_steady(number) {
            self.edit(number, chance.below(4)).await?;
        }
        if turn.is_multiple_of(2) {
            self.create().await?;
        } else if let Some(number) = self.deeds.pop() {
            let key = format!("{}/{}", mix::namespace(number), mix::name(number));
            self.deeds.delete(key);
            let delete = Path::new(mix::path(number));
            let delete = delete.delete(&mix::name(number), &DeleteParams::default())?;
            self.ask(delete).await?;
        }
        Ok(())
    }

    /// Creates a reference; gives its key.
    pub(crate) async fn create(&self) -> Result<Key> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.deeds.push(number);
        let manifest = mix::manifest(number, Means::of(number));
        self.ask(create(&mix::path(number), &manifest)?).await?;
        Ok(format!("{}/{}", mix::namespace(number), mix::name(number)))
    }

    /// Another expectation, one of four, which takes effect at once, without a look.
    pub(crate) async fn edit(&self, number: u32, choice: u32) -> Result<()> {
        let choice = choice % 4;
        let spec = match (Means::of(number), choice) {
            // PAI states no architecture, and an expectation about it waits for the registry.
            (Means::Pai(_) | Means::Digest(_), _) => json!({"historyLimit": choice + 5}),
            (_, 0) => json!({"expect": null}),
            (_, 1) => json!({"expect": {"arch": ["amd64"]}}),
            (_, 2) => json!({"expect": {"arch": ["arm64"]}}),
            _ => json!({"expect": {"arch": ["amd64", "arm64"]}}),
        };
        let patch = Patch::Merge(json!({"spec": spec}));
        let request = Path::new(mix::path(number));
        let request = request.patch(&mix::name(number), &PatchParams::default(), &patch)?;
        self.ask(request).await
    }

    async fn ask(&self, request: Request<Vec<u8>>) -> Result<()> {
        let _: Value = self.client.request(request).await?;
        Ok(())
    }
}
