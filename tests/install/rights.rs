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
    /// The namespace that it holds in; `None`: everywhere.
    pub(super) within: Option<String>,
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
        if let Some(within) = &self.within {
            write!(f, " in {within}")?;
        }
        Ok(())
    }
}

/// The rights of one `ServiceAccount`.
pub(super) struct Rights {
    namespace: String,
    account: String,
    roles: Vec<Value>,
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
    let mut roles: Vec<(Value, Option<String>)> = Vec::new();
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
        let known = |(role, of): &(Value, Option<String>)| {
            role["kind"] == *kind
                && role["metadata"]["name"] == name.as_str()
                && (kind == "ClusterRole" || *of == within)
        };
        // One binding of several is enough to be asked about.
        if roles.iter().any(known) {
            continue;
        }
        let object = if kind == "ClusterRole" {
            get(&["get", "clusterrole", &name, "-o", "json"])
        } else {
            let within = within.as_deref().unwrap();
            get(&["get", "role", &name, "-n", within, "-o", "json"])
        };
        roles.push((object, within));
    }
    let rights = roles
        .iter()
        .enumerate()
        .flat_map(|(number, (role, within))| {
            let granted = role["rules"].as_array().into_iter().flatten();
            granted.flat_map(move |rule| each(rule, number, within.as_deref()))
        });
    let all: Vec<_> = rights.collect();
    assert!(!all.is_empty(), "nothing is bound to {namespace}/{account}");
    Rights {
        namespace: namespace.into(),
        account: account.into(),
        roles: roles.into_iter().map(|(role, _)| role).collect(),
        all,
    }
}

/// Every right in a rule.
fn each(granted: &Value, role: usize, within: Option<&str>) -> Vec<Right> {
    assert!(
        granted["nonResourceURLs"].is_null(),
        "paths are not provided for: {granted}"
    );
    let mut names: Vec<_> = texts(&granted["resourceNames"])
        .into_iter()
        .map(Some)
        .collect();
    if names.is_empty() {
        names.push(None);
    }
    let mut all = Vec::new();
    for group in texts(&granted["apiGroups"]) {
        for resource in texts(&granted["resources"]) {
            for verb in texts(&granted["verbs"]) {
                let parts = [&group, &resource, &verb];
                assert!(
                    !parts.iter().any(|part| *part == "*"),
                    "more than is needed: {granted}"
                );
                all.extend(names.iter().map(|name| Right {
                    verb: verb.clone(),
                    group: group.clone(),
                    resource: resource.clone(),
                    name: name.clone(),
                    within: within.map(str::to_owned),
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

    fn reduced(&self, number: usize, role: &Value, missing: Option<&Right>) -> Value {
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
        let mut object = role.clone();
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
        let user = format!("system:serviceaccount:{}:{}", self.namespace, self.account);
        let within = format!("system:serviceaccounts:{}", self.namespace);
        let groups = ["system:authenticated", "system:serviceaccounts", &within];
        let reviews = self.all.iter().map(|right| {
            let (resource, subresource) = right
                .resource
                .split_once('/')
                .unwrap_or((&right.resource, ""));
            let asked = json!({
                "group": right.group, "resource": resource, "subresource": subresource,
                "verb": right.verb, "namespace": right.within.clone().unwrap_or_default(),
                "name": right.name.clone().unwrap_or_default(),
            });
            review(&user, &groups, &asked)
        });
        allowed(cluster, &reviews.collect::<Vec<_>>())
    }
}

/// The question whether somebody may do this, a `resourceAttributes`.
pub(super) fn review(user: &str, groups: &[&str], asked: &Value) -> Value {
    json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {"user": user, "groups": groups, "resourceAttributes": asked},
    })
}

/// The API server's answer to each question.
pub(super) fn allowed(cluster: &Cluster, reviews: &[Value]) -> Vec<bool> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": reviews}).to_string();
    let answer = "jsonpath={.status.allowed}{\"\\n\"}";
    let create = ["create", "-f", "-", "-o", answer];
    let answers = cluster.kubectl_with_stdin(&create, &list).unwrap();
    let answers: Vec<_> = answers.lines().map(|line| line == "true").collect();
    assert_eq!(answers.len(), reviews.len());
    answers
}
