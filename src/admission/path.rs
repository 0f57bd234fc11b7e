//! Paths to parts of an object: `spec.tasks[*].template`.
//!
//! Owns the notation and how it is followed. Must not know what is at the end. The invariant that
//! would break first: a path of the configuration is followed the same way in every object, and
//! each place found is named so that a person finds it too.

use serde_json::Value;
use std::fmt::Write as _;

/// The most steps of a path.
const MOST_STEPS: usize = 32;

/// A path, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    /// `[*]`: each entry of a list, or each value of a map.
    Each,
}

impl FieldPath {
    /// Reads field names joined by `.`, each with any number of `[*]` behind it.
    ///
    /// # Errors
    /// One sentence that says what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!(
                "{text:?} is no path: write field names joined by '.', with [*] behind a list or map, such as spec.tasks[*].template"
            )
        };
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (field, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
            let name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if field.is_empty() || !field.chars().all(name) {
                return Err(refuse());
            }
            steps.push(Step::Field(field.to_owned()));
            while !rest.is_empty() {
                rest = rest.strip_prefix("[*]").ok_or_else(refuse)?;
                steps.push(Step::Each);
            }
        }
        if steps.len() > MOST_STEPS {
            return Err(format!(
                "{text:?} has more than {MOST_STEPS} steps: shorten it"
            ));
        }
        Ok(Self(steps))
    }

    /// Everything that the path leads to, each with its place in words, in the order of the object.
    /// Null counts as absent. Stops after `most` places.
    pub fn find<'a>(&self, object: &'a Value, most: usize) -> Vec<(String, &'a Value)> {
        let mut found = Vec::new();
        follow(&self.0, object, &mut String::new(), most, &mut found);
        found
    }
}

fn follow<'a>(
    steps: &[Step],
    value: &'a Value,
    place: &mut String,
    most: usize,
    found: &mut Vec<(String, &'a Value)>,
) {
    if value.is_null() || found.len() >= most {
        return;
    }
    let Some((step, rest)) = steps.split_first() else {
        found.push((place.clone(), value));
        return;
    };
    let here = place.len();
    match (step, value) {
        (Step::Field(name), Value::Object(map)) => {
            if let Some(next) = map.get(name) {
                let dot = if here == 0 { "" } else { "." };
                place.push_str(dot);
                place.push_str(name);
                follow(rest, next, place, most, found);
                place.truncate(here);
            }
        }
        (Step::Each, Value::Array(list)) => {
            for (n, next) in list.iter().enumerate() {
                // Writing to a String does not fail.
                let _ = write!(place, "[{n}]");
                follow(rest, next, place, most, found);
                place.truncate(here);
            }
        }
        (Step::Each, Value::Object(map)) => {
            for (key, next) in map {
                let _ = write!(place, ".{key}");
                follow(rest, next, place, most, found);
                place.truncate(here);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn places(path: &str, object: &Value) -> Vec<String> {
        let found = FieldPath::parse(path).unwrap().find(object, 3);
        found.into_iter().map(|(place, _)| place).collect()
    }

    #[test]
    fn lists_and_maps_are_walked_and_each_place_is_named() {
        let object = json!({"spec": {
            "tasks": [{"template": {}}, {"template": null}, {"template": {}}],
            "replicas": {"Master": {"template": 1}, "Worker": {}},
        }});
        assert_eq!(
            places("spec.tasks[*].template", &object),
            ["spec.tasks[0].template", "spec.tasks[2].template"]
        );
        assert_eq!(
            places("spec.replicas[*].template", &object),
            ["spec.replicas.Master.template"]
        );
        let odd = json!({"x-y": {"z_1": 1}});
        assert_eq!(places("x-y.z_1", &odd), ["x-y.z_1"]);
        assert!(places("spec.tasks.template", &object).is_empty());
        assert!(places("spec[*][*][*]", &json!({"spec": 1})).is_empty());
    }

    #[test]
    fn no_more_places_than_asked_for_are_found() {
        let object = json!({"a": [1, 2, 3, 4, 5]});
        assert_eq!(places("a[*]", &object), ["a[0]", "a[1]", "a[2]"]);
    }

    #[test]
    fn what_is_no_path_is_refused_with_an_example() {
        for bad in ["", "a..b", "[*]", "a[0]", "a[*", "$.a", "a b", ".a"] {
            let message = FieldPath::parse(bad).unwrap_err();
            assert_eq!(
                message,
                format!(
                    "{bad:?} is no path: write field names joined by '.', with [*] behind a list or map, such as spec.tasks[*].template"
                )
            );
        }
        let steps = |count| FieldPath::parse(&vec!["a"; count].join("."));
        assert!(steps(MOST_STEPS).is_ok());
        assert!(steps(MOST_STEPS + 1).unwrap_err().contains("32 steps"));
    }
}
