//! What moved between a lock and what is there now.
//!
//! Owns the comparison and its words. Must not know which of the two was read from a file. The
//! invariant that would break first: there is a difference in the bytes of two locks if and only if
//! there is one here.

use super::{Entry, Lock};
use std::cmp::Ordering;
use std::fmt;

/// What happened to one reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The reference's namespace.
    pub namespace: String,
    /// The reference's name.
    pub name: String,
    /// What happened.
    pub change: Change,
}

/// What can happen to a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is not in the lock; what it stands for now.
    New(String),
    /// It is only in the lock; what it stood for.
    Gone(String),
    /// It stands for something else, or may be used no more, or again.
    Moved(Vec<Move>),
}

/// One fact that is another now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The name of the fact in the file.
    pub fact: &'static str,
    /// The locked value.
    pub from: String,
    /// The value now.
    pub to: String,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}: ", self.namespace, self.name)?;
        match &self.change {
            Change::New(what) => write!(f, "new: {what}"),
            Change::Gone(what) => write!(f, "gone: it was {what}"),
            Change::Moved(moves) => {
                for (n, one) in moves.iter().enumerate() {
                    let between = if n == 0 { "" } else { "; " };
                    write!(f, "{between}{} {} -> {}", one.fact, one.from, one.to)?;
                }
                Ok(())
            }
        }
    }
}

/// What moved from `locked` to `now`, by namespace and name.
pub fn drift(locked: &Lock, now: &Lock) -> Vec<Drift> {
    let mut found = Vec::new();
    let mut note = |entry: &Entry, change: Change| {
        found.push(Drift {
            namespace: entry.namespace.clone(),
            name: entry.name.clone(),
            change,
        });
    };
    let (mut old, mut new) = (
        locked.entries.iter().peekable(),
        now.entries.iter().peekable(),
    );
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => key(old).cmp(&key(new)),
        };
        let before = old.next_if(|_| order.is_le());
        let after = new.next_if(|_| order.is_ge());
        match (before, after) {
            (Some(before), Some(after)) => {
                let moves = moves(before, after);
                if !moves.is_empty() {
                    note(after, Change::Moved(moves));
                }
            }
            (Some(before), None) => note(before, Change::Gone(summary(before))),
            (None, Some(after)) => note(after, Change::New(summary(after))),
            (None, None) => {}
        }
    }
    found
}

fn key(entry: &Entry) -> (&str, &str) {
    (&entry.namespace, &entry.name)
}

fn summary(entry: &Entry) -> String {
    let what = match (&entry.image, &entry.image_id) {
        (Some(image), _) => image.clone(),
        (None, Some(id)) => format!("imageID {id}"),
        (None, None) => "no image".into(),
    };
    match &entry.not_usable {
        Some(reason) => format!("{what}, not usable ({reason})"),
        None => what,
    }
}

fn moves(before: &Entry, after: &Entry) -> Vec<Move> {
    // Nothing was found out about it: that its facts are missing says nothing more.
    let lost = after.not_usable.is_some()
        && before.not_usable != after.not_usable
        && after.image.is_none()
        && after.image_id.is_none();
    let mut moves = Vec::new();
    if before.not_usable != after.not_usable {
        moves.push(Move {
            fact: "usable",
            from: usable(before),
            to: usable(after),
        });
    }
    if lost {
        return moves;
    }
    let mut compare = |fact, fact_of: fn(&Entry) -> Option<String>, differ: bool| {
        if differ {
            let shown = |entry| fact_of(entry).unwrap_or_else(|| "none".into());
            moves.push(Move {
                fact,
                from: shown(before),
                to: shown(after),
            });
        }
    };
    compare("image", |e| e.image.clone(), before.image != after.image);
    compare(
        "digest",
        |e| e.digest.clone(),
        before.digest != after.digest,
    );
    compare("arch", |e| e.arch.clone(), before.arch != after.arch);
    compare(
        "platforms",
        |e| list(&e.platforms),
        before.platforms != after.platforms,
    );
    compare(
        "accelerators",
        |e| list(&e.accelerators),
        before.accelerators != after.accelerators,
    );
    compare(
        "followsTag",
        |e| Some(e.follows_tag.to_string()),
        before.follows_tag != after.follows_tag,
    );
    compare(
        "imageID",
        |e| e.image_id.clone(),
        before.image_id != after.image_id,
    );
    compare("provider", provider, before.provider != after.provider);
    compare(
        "status",
        |e| e.status.clone(),
        before.status != after.status,
    );
    moves
}

fn list(list: &[String]) -> Option<String> {
    (!list.is_empty()).then(|| list.join(", "))
}

fn provider(entry: &Entry) -> Option<String> {
    let provider = entry.provider.as_ref()?;
    Some(format!("{} {}", provider.kind, provider.name))
}

fn usable(entry: &Entry) -> String {
    match &entry.not_usable {
        Some(reason) => format!("no ({reason})"),
        None => "yes".into(),
    }
}
