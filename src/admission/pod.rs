//! What the verdict reads of a pod, borrowed from its JSON.
//!
//! Owns which fields those are: two pods with equal views get equal verdicts. Must not know what is
//! declared or configured. The invariant that would break first: no JSON value panics, and nothing
//! that a node would run is left out.

use serde_json::{Map, Value};

/// The parts of a pod's spec that hold images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// `initContainers`, sidecars among them.
    InitContainers,
    /// `containers`
    Containers,
    /// `ephemeralContainers`
    EphemeralContainers,
    /// `volumes` of type `image`
    Volumes,
    /// An image that stands alone in an object, outside a pod template.
    Alone,
}

impl Part {
    const OF_A_SPEC: [Self; 4] = [
        Self::InitContainers,
        Self::Containers,
        Self::EphemeralContainers,
        Self::Volumes,
    ];

    const fn field(self) -> &'static str {
        match self {
            Self::InitContainers => "initContainers",
            Self::Containers => "containers",
            Self::EphemeralContainers => "ephemeralContainers",
            Self::Volumes => "volumes",
            Self::Alone => "",
        }
    }
}

/// An image field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageField<'a> {
    /// A text that says something.
    Text(&'a str),
    /// Absent, null or empty.
    Absent,
    /// A number, a list, …
    NotText,
}

impl<'a> ImageField<'a> {
    fn of(value: Option<&'a Value>) -> Self {
        match value {
            None | Some(Value::Null) => Self::Absent,
            Some(Value::String(text)) if text.is_empty() => Self::Absent,
            Some(Value::String(text)) => Self::Text(text),
            Some(_) => Self::NotText,
        }
    }
}

/// A container, or a volume that is an image.
#[derive(Clone, Debug)]
pub struct Container<'a> {
    /// Where it is.
    pub part: Part,
    /// Its place in that list.
    pub index: usize,
    /// Its name; empty if it has none.
    pub name: &'a str,
    /// Its image.
    pub image: ImageField<'a>,
    /// The extended resources that it asks for, more than zero of each; sorted.
    pub resources: Vec<&'a str>,
}

impl Container<'_> {
    /// The place as a person writes it, behind the path of the spec.
    pub fn place(&self, spec: &str) -> String {
        match self.part {
            Part::Alone => spec.to_owned(),
            part => format!("{spec}.{}[{}]", part.field(), self.index),
        }
    }

    /// The JSON pointer to the image in a pod.
    pub fn pointer(&self) -> String {
        let field = match self.part {
            Part::Volumes => "image/reference",
            _ => "image",
        };
        format!("/spec/{}/{}/{field}", self.part.field(), self.index)
    }

    /// Whether the verdict on both is the same if their nodes are: their place does not matter.
    pub fn same(&self, other: &Container<'_>) -> bool {
        self.part == other.part
            && self.name == other.name
            && self.image == other.image
            && self.resources == other.resources
    }
}

/// Which nodes the pod may land on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nodes<'a> {
    /// `nodeSelector`, sorted.
    pub selector: Vec<(&'a str, &'a str)>,
    /// The terms of the required node affinity, one of which must hold; `None` without one.
    pub terms: Option<Vec<Term<'a>>>,
    /// The pod is for one node, or for each: `nodeName`, or it is of a `DaemonSet`.
    pub bound: bool,
}

/// A term of a node affinity: all of its expressions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Term<'a> {
    /// On labels.
    pub expressions: Vec<Expression<'a>>,
    /// Whether there are some on fields, which means on the node's name.
    pub on_fields: bool,
}

/// A requirement on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression<'a> {
    /// The label.
    pub key: &'a str,
    /// The operator.
    pub operator: Operator,
    /// What it compares with.
    pub values: Vec<&'a str>,
}

/// The operators of node affinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// One of the values.
    In,
    /// None of the values, or no such label.
    NotIn,
    /// The label is there.
    Exists,
    /// It is not.
    DoesNotExist,
    /// A number above the value.
    Gt,
    /// A number below the value.
    Lt,
    /// None that is known; an API server takes no such pod.
    Other,
}

/// A pod's spec as the verdict reads it.
#[derive(Clone, Debug, Default)]
pub struct PodSpec<'a> {
    /// Init containers, containers, ephemeral containers, image volumes.
    pub containers: Vec<Container<'a>>,
    /// The nodes.
    pub nodes: Nodes<'a>,
}

impl<'a> PodSpec<'a> {
    /// Reads a spec; whatever is no object has no containers.
    pub fn read(spec: &'a Value) -> Self {
        let mut containers = Vec::new();
        for part in Part::OF_A_SPEC {
            let list = list(spec.get(part.field()));
            let read = |(index, value)| container(part, index, value);
            containers.extend(list.iter().enumerate().filter_map(read));
        }
        Self {
            containers,
            nodes: nodes(spec),
        }
    }

    /// A spec of one image that stands alone, for nodes that are not known.
    pub fn of_image(image: &'a Value) -> Self {
        Self {
            containers: vec![Container {
                part: Part::Alone,
                index: 0,
                name: "",
                image: ImageField::of(Some(image)),
                resources: Vec::new(),
            }],
            nodes: Nodes::default(),
        }
    }
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn container(part: Part, index: usize, value: &Value) -> Option<Container<'_>> {
    let image = match part {
        Part::Volumes => value
            .get("image")
            .filter(|v| !v.is_null())?
            .get("reference"),
        _ => value.get("image"),
    };
    Some(Container {
        part,
        index,
        name: text(value, "name"),
        image: ImageField::of(image),
        resources: resources(value),
    })
}

/// Names with a `/`, which all extended resources have and no other resource does.
fn resources(container: &Value) -> Vec<&str> {
    let of = |field: &str| {
        container
            .get("resources")
            .and_then(|r| r.get(field)?.as_object())
    };
    let mut names: Vec<_> = [of("requests"), of("limits")]
        .into_iter()
        .flatten()
        .flatten()
        .filter(|(name, quantity)| name.contains('/') && !is_zero(quantity))
        .map(|(name, _)| name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether a quantity has no digit but 0 in front of its unit: `0`, `"0"`, `"0.0k"`.
fn is_zero(quantity: &Value) -> bool {
    match quantity {
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => {
            let number = text.trim().trim_start_matches(['+', '-']);
            let digits = number
                .bytes()
                .take_while(|c| c.is_ascii_digit() || *c == b'.');
            digits.into_iter().all(|c| c == b'0' || c == b'.')
        }
        Value::Null => true,
        _ => false,
    }
}

fn nodes(spec: &Value) -> Nodes<'_> {
    let selector: Option<&Map<_, _>> = spec.get("nodeSelector").and_then(Value::as_object);
    let mut selector: Vec<_> = selector
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()))
        .collect();
    selector.sort_unstable();
    let terms = spec
        .pointer("/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution")
        .and_then(|required| required.get("nodeSelectorTerms")?.as_array())
        .map(|terms| terms.iter().map(term).collect());
    Nodes {
        selector,
        terms,
        bound: !text(spec, "nodeName").is_empty(),
    }
}

fn term(value: &Value) -> Term<'_> {
    let expressions = list(value.get("matchExpressions"));
    Term {
        expressions: expressions.iter().map(expression).collect(),
        on_fields: !list(value.get("matchFields")).is_empty(),
    }
}

fn expression(value: &Value) -> Expression<'_> {
    Expression {
        key: text(value, "key"),
        operator: match text(value, "operator") {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            "Gt" => Operator::Gt,
            "Lt" => Operator::Lt,
            _ => Operator::Other,
        },
        values: list(value.get("values"))
            .iter()
            .map(|value| value.as_str().unwrap_or_default())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_extended_resources_of_more_than_zero_count_from_requests_and_limits() {
        let pod = json!({"containers": [{"resources": {
            "requests": {"cpu": 1, "nvidia.com/gpu": "0", "a.b/c": 2, "hugepages-2Mi": "2Mi"},
            "limits": {"a.b/c": 2, "d.e/f": "1", "g.h/i": 0, "j.k/l": "0.0", "m.n/o": null, "p.q/r": "0.5"},
        }}]});
        let spec = PodSpec::read(&pod);
        assert_eq!(spec.containers[0].resources, ["a.b/c", "d.e/f", "p.q/r"]);
    }

    #[test]
    fn every_part_that_a_node_pulls_is_read_and_other_volumes_are_not() {
        let pod = json!({
            "containers": [{"name": "a", "image": "i1"}],
            "initContainers": [{"name": "b", "image": ""}, {"name": "c"}],
            "ephemeralContainers": [{"name": "d", "image": 7}],
            "volumes": [{"name": "e", "emptyDir": {}}, {"name": "f", "image": {"reference": "i2"}}],
        });
        let spec = PodSpec::read(&pod);
        let read: Vec<_> = spec
            .containers
            .iter()
            .map(|c| (c.place("spec"), c.name, c.image))
            .collect();
        assert_eq!(
            read,
            [
                ("spec.initContainers[0]".into(), "b", ImageField::Absent),
                ("spec.initContainers[1]".into(), "c", ImageField::Absent),
                ("spec.containers[0]".into(), "a", ImageField::Text("i1")),
                (
                    "spec.ephemeralContainers[0]".into(),
                    "d",
                    ImageField::NotText
                ),
                ("spec.volumes[1]".into(), "f", ImageField::Text("i2")),
            ]
        );
    }
}
