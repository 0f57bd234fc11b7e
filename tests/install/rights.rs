//! What RBAC grants an account, each right by itself, and the same with one right less.
//!
//! Owns reading roles from a cluster and writing them back. Must not know what a right is for. The
//! invariant that would break first: the API server has heard of a removal, and of nothing else that is
//! missing, before anybody is asked what it changes.

use cluster::Cluster;
use serde_json::{Value, json};
use std::fmt;
use std::time::{Duration, Instant};

/// Longest wait until an API server goes by a role that it has stored.
const HEARD: Duration = Duration::from_secs(20);

/// One verb on one resource, as one rule of one role grants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Right {
    pub(super) verb: String,
    group: String,
    pub(super) resource: String,
    /// `None`: whatever its name.
    name: Option<String>,
    /// Which of [`Rights::roles`].
    role: usize,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, " of {}", self.group)?;
        }
        if let Some(name) = &self.name {
            write!(f, " named {name}")?;
        }
        Ok(())
    }
}

/// A role, and where its bindings make it hold: namespaces, or `None` for everywhere.
struct Role {
    object: Value,
    holds_in: Vec<Option<String>>,
}

/// The rights of one `ServiceAccount`.
pub(super) struct Rights {
    namespace: String,
    account: String,
    roles: Vec<Role>,
    pub(super) all: Vec<Right>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// What is bound to the account by name; what everybody has is left out.
pub(super) fn of(cluster: &Cluster, namespace: &str, account: &str) -> Rights {
    let get =
        |args: &[&str]| -> Value { serde_json::from_str(&cluster.kubectl(args).unwrap()).unwrap() };
    let bindings = get(&[
        "get",
        "rolebindings,clusterrolebindings",
        "-A",
        "-o",
        "json",
    ]);
    let mut roles: Vec<Role> = Vec::new();
    for binding in bindings["items"].as_array().unwrap() {
        let within = binding["metadata"]["namespace"].as_str().map(str::to_owned);
        let subject = |one: &Value| {
            let of = one["namespace"].as_str().or(within.as_deref());
            one["kind"] == "ServiceAccount" && one["name"] == account && of == Some(namespace)
        };
        if !binding["subjects"]
            .as_array()
            .is_some_and(|all| all.iter().any(subject))
        {
            continue;
        }
        let (kind, name) = (
            &binding["roleRef"]["kind"],
            text(&binding["roleRef"]["name"]),
        );
        let known = |role: &&mut Role| {
            let metadata = &role.object["metadata"];
            let place = metadata["namespace"].as_str();
            role.object["kind"] == *kind
                && metadata["name"] == name.as_str()
                && (kind == "ClusterRole" || place == within.as_deref())
        };
        if let Some(role) = roles.iter_mut().find(known) {
            role.holds_in.push(within);
            continue;
        }
        let object = if kind == "ClusterRole" {
            get(&["get", "clusterrole", &name, "-o", "json"])
        } else {
            let within = within.as_deref().unwrap();
            get(&["get", "role", &name, "-n", within, "-o", "json"])
        };
        roles.push(Role {
            object,
            holds_in: vec![within],
        });
    }
    let rights = roles.iter().enumerate().flat_map(|(number, role)| {
        let rules = role.object["rules"].as_array().into_iter().flatten();
        rules
            .flat_map(move |rule| each(rule, number))
            .collect::<Vec<_>>()
    });
    let all: Vec<_> = rights.collect();
    assert!(!all.is_empty(), "nothing is bound to {namespace}/{account}");
    Rights {
        namespace: namespace.into(),
        account: account.into(),
        roles,
        all,
    }
}

/// Every right in a rule.
fn each(rule: &Value, role: usize) -> Vec<Right> {
    assert!(
        rule["nonResourceURLs"].is_null(),
        "paths are not provided for: {rule}"
    );
    let mut names: Vec<_> = texts(&rule["resourceNames"])
        .into_iter()
        .map(Some)
        .collect();
    if names.is_empty() {
        names.push(None);
    }
    let mut all = Vec::new();
    for group in texts(&rule["apiGroups"]) {
        for resource in texts(&rule["resources"]) {
            for verb in texts(&rule["verbs"]) {
                let parts = [&group, &resource, &verb];
                assert!(
                    !parts.iter().any(|part| *part == "*"),
                    "more than is needed: {rule}"
                );
                all.extend(names.iter().map(|name| Right {
                    verb: verb.clone(),
                    group: group.clone(),
                    resource: resource.clone(),
                    name: name.clone(),
                    role,
                }));
            }
        }
    }
    all
}

impl Rights {
    /// Has the roles grant everything but this, and waits until the API server goes by it.
    pub(super) fn grant_all_but(&self, cluster: &Cluster, missing: Option<&Right>) {
        let roles = self.roles.iter().enumerate();
        let roles: Vec<_> = roles
            .map(|(number, role)| self.reduced(number, role, missing))
            .collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": roles}).to_string();
        cluster
            .kubectl_with_stdin(&["replace", "-f", "-"], &list)
            .unwrap();
        let expected: Vec<bool> = self
            .all
            .iter()
            .map(|right| Some(right) != missing)
            .collect();
        let begun = Instant::now();
        loop {
            let granted = self.granted(cluster);
            if granted == expected {
                return;
            }
            let wrong = self.all.iter().zip(granted.iter().zip(&expected));
            let wrong = wrong.filter(|(_, (is, should))| is != should);
            let wrong: Vec<_> = wrong.map(|(right, _)| right.to_string()).collect();
            assert!(
                begun.elapsed() < HEARD,
                "without {missing:?}, these are not as they should be (another rule grants them too?): {wrong:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn reduced(&self, number: usize, role: &Role, missing: Option<&Right>) -> Value {
        let kept = self.all.iter();
        let kept = kept.filter(|right| right.role == number && Some(*right) != missing);
        let rules: Vec<_> = kept
            .map(|right| {
                json!({
                    "apiGroups": [right.group], "resources": [right.resource],
                    "verbs": [right.verb], "resourceNames": Vec::from_iter(&right.name),
                })
            })
            .collect();
        let mut object = role.object.clone();
        object["rules"] = rules.into();
        // Whatever its version is by now.
        object["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("resourceVersion");
        object
    }

    /// Whether the API server grants each.
    fn granted(&self, cluster: &Cluster) -> Vec<bool> {
        let reviews = self.all.iter().map(|right| self.review(right));
        let list =
            json!({"apiVersion": "v1", "kind": "List", "items": reviews.collect::<Vec<_>>()});
        let create = [
            "create",
            "-f",
            "-",
            "-o",
            "jsonpath={.status.allowed}{\"\\n\"}",
        ];
        let answers = cluster
            .kubectl_with_stdin(&create, &list.to_string())
            .unwrap();
        let answers: Vec<_> = answers.lines().map(|line| line == "true").collect();
        assert_eq!(answers.len(), self.all.len());
        answers
    }

    fn review(&self, right: &Right) -> Value {
        let (resource, subresource) = right
            .resource
            .split_once('/')
            .unwrap_or((&right.resource, ""));
        let within = self.roles[right.role].holds_in[0].clone();
        json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {
                "user": format!("system:serviceaccount:{}:{}", self.namespace, self.account),
                "groups": ["system:authenticated", "system:serviceaccounts", format!("system:serviceaccounts:{}", self.namespace)],
                "resourceAttributes": {
                    "group": right.group, "resource": resource, "subresource": subresource,
                    "verb": right.verb, "namespace": within.unwrap_or_default(),
                    "name": right.name.clone().unwrap_or_default(),
                },
            },
        })
    }
}
