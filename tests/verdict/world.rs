//! What is declared, configured and asked for in a test.

use imageref::admission::configuration::File;
use imageref::admission::{
    Configuration, Context, Known, KnownRef, Operation, Unusable, Verdict, extract, verdict,
};
use imageref::api::ProviderKind;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) const TORCH: &str = "swr.cn-north-4.myhuaweicloud.com/ai/torch";
pub(crate) const A: &str =
    "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub(crate) const B: &str =
    "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// A usable reference through a cluster provider that states nothing but its image.
pub(crate) fn declared(name: &str, image: &str) -> KnownRef {
    let (namespace, name) = name.split_once('/').unwrap_or(("team-a", name));
    KnownRef {
        namespace: namespace.into(),
        name: name.into(),
        provider: Some(ProviderKind::Cluster),
        image: Some(image.into()),
        ..KnownRef::default()
    }
}

pub(crate) fn unusable(known: KnownRef, reason: &str, message: &str) -> KnownRef {
    KnownRef {
        unusable: Some(Unusable {
            reason: reason.into(),
            message: message.into(),
            stale: None,
        }),
        ..known
    }
}

/// Everything around an object. Starts as the namespace `team-a` that enforces.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) refs: Vec<KnownRef>,
    pub(crate) file: File,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) namespace: &'static str,
    pub(crate) user: &'static str,
    pub(crate) update_of: Option<Value>,
}

impl World {
    pub(crate) fn of(refs: impl IntoIterator<Item = KnownRef>) -> Self {
        Self {
            refs: refs.into_iter().collect(),
            namespace: "team-a",
            user: "kubernetes-admin",
            ..Self::default()
        }
        .labelled("imageref.dev/admission", "enforce")
    }

    pub(crate) fn labelled(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    pub(crate) fn configured(mut self, yaml: &str) -> Self {
        self.file = serde_saphyr::from_str(yaml).unwrap();
        self
    }

    pub(crate) fn user(mut self, user: &'static str) -> Self {
        self.user = user;
        self
    }

    pub(crate) fn judge(&self, object: &Value) -> Verdict {
        let configuration = Configuration::new(self.file.clone()).unwrap();
        let mut known = Known::new(configuration.mirrors());
        for one in &self.refs {
            known.insert(one.clone());
        }
        let context = Context {
            own_namespace: "imageref-system",
            operation: match self.update_of {
                Some(_) => Operation::Update,
                None => Operation::Create,
            },
            user: self.user,
            ..Context::of_namespace(self.namespace, &self.labels)
        };
        let old = self.update_of.as_ref();
        let old = old.and_then(|old| extract(old, &configuration));
        let object = extract(object, &configuration).expect("a kind that runs something");
        verdict(&object, old.as_ref(), &context, &known, &configuration)
    }

    /// The decision and all the words.
    pub(crate) fn says(&self, object: &Value) -> String {
        let verdict = self.judge(object);
        let message = verdict.message(10);
        format!("{:?}\n{message}", verdict.decision)
            .trim_end()
            .to_owned()
    }
}

/// A pod of one container with this image.
pub(crate) fn pod(image: &str) -> Value {
    pod_with(image, json!({}))
}

/// The same with further fields in its spec.
pub(crate) fn pod_with(image: &str, fields: Value) -> Value {
    let mut spec = json!({"containers": [{"name": "main", "image": image}]});
    merge(&mut spec, fields);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
}

/// A pod whose container asks for resources.
pub(crate) fn pod_asking(image: &str, resources: &Value) -> Value {
    pod_with(
        image,
        json!({"containers": [{"name": "main", "image": image, "resources": {"limits": resources}}]}),
    )
}

fn merge(into: &mut Value, fields: Value) {
    let (Value::Object(into), Value::Object(fields)) = (into, fields) else {
        panic!("fields of an object");
    };
    into.extend(fields);
}
