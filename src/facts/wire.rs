//! One JSON object of a platform, read field by field.
//!
//! Owns the access to fields by name. Must not know which API the object came from. The invariant
//! that would break first: any object can be read. That is why the wire types go through this one
//! and not through a derived field-by-field reader, which refuses wrong types and repeated keys.

use super::text;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A JSON object; of a repeated key the last value counts. Reading a field takes it out.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Object(Map<String, Value>);

impl Object {
    /// A text for people: [`text::text`].
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.read(name, text::text)
    }

    /// A text that points at something: [`text::reference`].
    pub fn reference(&mut self, name: &str) -> Option<String> {
        self.read(name, text::reference)
    }

    /// The words of a list: [`text::words`].
    pub fn words(&mut self, name: &str) -> Vec<String> {
        self.read(name, |value| {
            Some(text::words(value)).filter(|words| !words.is_empty())
        })
        .unwrap_or_default()
    }

    /// A size or a count: [`text::natural`].
    pub fn natural(&mut self, name: &str) -> Option<i64> {
        self.read(name, text::natural)
    }

    /// A time: [`text::time`].
    pub fn time(&mut self, name: &str) -> Option<String> {
        self.read(name, text::time)
    }

    /// The objects of a list, and how many entries of any type the list has: paging by offset
    /// counts what came, not what could be read.
    pub fn objects(&mut self, name: &str) -> (Vec<Self>, usize) {
        let Some(list) = self.take_list(name) else {
            return (Vec::new(), 0);
        };
        let received = list.len();
        let objects = list.into_iter().filter_map(|entry| match entry {
            Value::Object(map) => Some(Self(map)),
            _ => None,
        });
        (objects.collect(), received)
    }

    /// A list of `{Key, Value}` as a map, not yet capped in number. A label without a key is none;
    /// one without a value has an empty value, since its presence alone may say something. Where
    /// a key repeats, the smallest value stays: the order of the list must not matter.
    pub fn labels(&mut self, name: &str) -> BTreeMap<String, String> {
        let mut labels: BTreeMap<String, String> = BTreeMap::new();
        for mut label in self.objects(name).0 {
            // A cut key would be another key; longer ones cannot exist at PAI.
            let Some(key) = label
                .reference("Key")
                .filter(|key| key.len() <= text::LABEL_MAX)
            else {
                continue;
            };
            let value = label
                .text("Value")
                .and_then(|raw| text::clean(&raw, text::LABEL_MAX));
            let value = value.unwrap_or_default();
            labels
                .entry(key)
                .and_modify(|kept| {
                    if value < *kept {
                        kept.clone_from(&value);
                    }
                })
                .or_insert(value);
        }
        labels
    }

    fn take_list(&mut self, name: &str) -> Option<Vec<Value>> {
        [name.to_owned(), other_initial(name)]
            .iter()
            .find_map(|name| match self.0.remove(name) {
                Some(Value::Array(list)) if !list.is_empty() => Some(list),
                _ => None,
            })
    }

    /// Alibaba's services of this style may write the initial letter in either case, so the other
    /// one is tried where the documented one says nothing.
    fn read<T>(&mut self, name: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let documented = self.0.remove(name).as_ref().and_then(&read);
        documented.or_else(|| self.0.remove(&other_initial(name)).as_ref().and_then(read))
    }
}

fn other_initial(name: &str) -> String {
    let mut chars = name.chars();
    let Some(initial) = chars.next() else {
        return String::new();
    };
    let other = if initial.is_ascii_uppercase() {
        initial.to_ascii_lowercase()
    } else {
        initial.to_ascii_uppercase()
    };
    std::iter::once(other).chain(chars).collect()
}
