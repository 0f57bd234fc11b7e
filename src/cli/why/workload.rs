//! A pod, or what makes pods, explained: each image, what stands for it, and what admission says.
//!
//! Owns the lines. Must not judge: the verdict is the webhook's. The invariant that would break first:
//! what is said here of an object is what the webhook would say if a person made it now.

use super::Explained;
use crate::admission::{
    ADMISSION, Configuration, Context, Decision, Finding, Known, Mode, Standing, Subject,
};
use crate::cli::audit::as_applied;
use crate::cli::cluster::{self, Kind};
use crate::cli::output::printable;
use crate::cli::verdicts::{Around, Each, judge_each};
use anyhow::{Result, anyhow};
use kube::Client;
use kube::api::DynamicObject;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Why a node does not run an image (kubelet, waiting states of containers), and what that means.
const WAITING: [(&str, &str); 4] = [
    (
        "ImagePullBackOff",
        "the node could not pull it, and tries again later",
    ),
    ("ErrImagePull", "the node could not pull it"),
    ("InvalidImageName", "the node cannot read the name"),
    (
        "ErrImageNeverPull",
        "the node does not have it, and imagePullPolicy is Never",
    ),
];

pub(super) async fn explain(
    client: &Client,
    kind: Kind,
    object: DynamicObject,
    namespace: &str,
    configuration: &Configuration,
    own_namespace: &str,
) -> Result<Explained> {
    let labels = cluster::labels_of(client, namespace).await?;
    let mut counting = configuration.shared_namespaces().to_vec();
    counting.retain(|shared| shared != namespace);
    counting.push(namespace.to_owned());
    let mut known = Known::new(configuration.mirrors());
    for one in cluster::references(client, Some(&counting)).await? {
        known.insert(one.known());
    }
    let name = object.metadata.name.clone().unwrap_or_default();
    let state = object.data.get("status").cloned().unwrap_or_default();
    let secrets = object.data.pointer("/spec/imagePullSecrets").cloned();
    let applied = as_applied(object.data, &object.metadata, &kind.resource());
    let judged = |mode| {
        let around = Around {
            own_namespace,
            mode,
            known: &known,
            configuration,
        };
        judge_each(&applied, namespace, Some(&labels), &around)
            .ok_or_else(|| anyhow!("{} {namespace}/{name} runs no image", kind.word()))
    };
    let by_labels = judged(None)?;
    // What did not opt in is explained all the same, by what would be if it did.
    let Each {
        verdict, images, ..
    } = match by_labels.mode {
        Some(_) => judged(None)?,
        None => judged(Some(Mode::Enforce))?,
    };
    // A template passes with a warning where its pods are refused.
    let context = Context {
        own_namespace,
        ..Context::of_namespace(namespace, &labels)
    };
    let enforced = context.mode_of(Subject::Pod) == Some(Mode::Enforce);
    let refused = enforced && by_labels.verdict.findings.iter().any(|f| f.denies);
    let mut text = String::new();
    let head = format!(
        "{} {namespace}/{name}: {}",
        kind.word(),
        outcome(&by_labels, refused, &labels)
    );
    // Writing to a String does not fail.
    let _ = writeln!(text, "{}\n", printable(&head));
    for (place, name, image, standing) in &images {
        let found = verdict.findings.iter().find(|f| f.place == *place);
        let _ = write!(
            text,
            "{}",
            image_lines(
                [
                    place.as_str(),
                    name.as_str(),
                    image.as_deref().unwrap_or("no image")
                ],
                standing,
                found.map(|finding| (finding, by_labels.mode)),
            )
        );
        if let Some(waits) = waiting(&state, name) {
            let _ = writeln!(text, "  node       {}", printable(&waits));
            let _ = writeln!(text, "  next step  {}", pull_step(secrets.as_ref(), found));
        }
    }
    let placed: Vec<_> = images.iter().map(|(place, ..)| place.as_str()).collect();
    for finding in &verdict.findings {
        if !placed.contains(&finding.place.as_str()) {
            let _ = writeln!(text, "{}", printable(&finding.to_string()));
        }
    }
    text.push_str("\nRead       docs/admission.md#reasons\n");
    Ok(Explained {
        text,
        good: !refused,
    })
}

/// What admission says of it as it is, in one sentence.
fn outcome(judged: &Each, refused: bool, labels: &BTreeMap<String, String>) -> String {
    let Some(mode) = judged.mode else {
        let why = match labels.get(ADMISSION) {
            None => format!("the namespace has no label {ADMISSION}"),
            Some(_) => "this namespace never is".into(),
        };
        return format!("not judged: {why}. If it were enforced:");
    };
    let says = match judged.verdict.decision {
        Decision::Allow if judged.verdict.findings.is_empty() => "allowed",
        Decision::Allow => "allowed, and only counted what is wrong",
        Decision::Warn if refused => "taken with a warning, and the pods made from it are refused",
        Decision::Warn => "allowed with a warning",
        Decision::Deny => "refused if it were made now",
    };
    format!("{says} (the mode here is {})", mode.as_str())
}

fn image_lines(
    [place, name, image]: [&str; 3],
    standing: &Standing,
    finding: Option<(&Finding, Option<Mode>)>,
) -> String {
    let mut text = String::new();
    let mut line = |label: &str, what: &str| {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{}{}", label, printable(what));
    };
    let called = if name.is_empty() {
        place.to_owned()
    } else {
        format!("{name} ({place})")
    };
    line("", &format!("{called}: {image}"));
    match (finding, standing) {
        (Some((finding, mode)), _) => {
            let verb = match (mode, finding.denies) {
                (Some(Mode::Enforce), true) => "denied",
                (Some(Mode::Audit), _) => "counted",
                (None, true) => "would be denied",
                _ => "warned",
            };
            let reason = finding.reason.as_str();
            line(
                "  verdict    ",
                &format!("{verb}, {reason}: {}", finding.problem),
            );
            if let Some((namespace, name)) = &finding.image_ref {
                line("  ImageRef   ", &format!("{namespace}/{name}"));
            }
            line("  next step  ", &finding.fix);
        }
        (None, Standing::ImageRef(namespace, name)) => {
            line("  verdict    ", "allowed");
            line(
                "  ImageRef   ",
                &format!("{namespace}/{name} stands for it, and is Ready"),
            );
        }
        (None, Standing::Exempt) => {
            line(
                "  verdict    ",
                "allowed: the configuration of admission exempts it",
            );
        }
        (None, Standing::Nothing) => {
            line("  verdict    ", "left to the pods that are made from it");
        }
    }
    text
}

/// What the node says of a container's image.
fn waiting(state: &Value, name: &str) -> Option<String> {
    let lists = [
        "containerStatuses",
        "initContainerStatuses",
        "ephemeralContainerStatuses",
    ];
    let statuses = lists.iter().filter_map(|list| state.get(list)?.as_array());
    let mut statuses = statuses.flatten();
    let status = statuses.find(|status| status["name"] == name)?;
    let waiting = &status["state"]["waiting"];
    let reason = waiting["reason"].as_str().unwrap_or_default();
    let message = waiting["message"].as_str().unwrap_or_default();
    if let Some((reason, means)) = WAITING.iter().find(|(known, _)| *known == reason) {
        return Some(format!("{reason}: {means}: {message}"));
    }
    // An image of another architecture is pulled, and cannot be started.
    let ended = [&status["lastState"], &status["state"]];
    let ended = ended.map(|state| state["terminated"]["message"].as_str().unwrap_or_default());
    let format = ended.into_iter().chain([message]);
    format
        .into_iter()
        .find(|message| message.contains("exec format error"))
        .map(|message| format!("the image is for another architecture than the node: {message}"))
}

/// What helps where a node does not run an image.
fn pull_step(secrets: Option<&Value>, finding: Option<&Finding>) -> String {
    if finding.is_some() {
        return "do what the verdict says first: the image is not as declared".into();
    }
    let names = secrets.and_then(Value::as_array).into_iter().flatten();
    let names: Vec<_> = names.filter_map(|one| one["name"].as_str()).collect();
    if names.is_empty() {
        "the platform has the image: give the pod a login for its registry (imagePullSecrets), or the node a way there"
            .into()
    } else {
        format!(
            "the platform has the image: check the login in Secret {}, and the node's way to the registry",
            printable(&names.join(", "))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_node_says_of_an_image_is_told_and_other_waits_are_not() {
        let status = |reason: &str, message: &str| {
            json!({"initContainerStatuses": [
                {"name": "main", "state": {"waiting": {"reason": reason, "message": message}}},
            ]})
        };
        let pull = status("ImagePullBackOff", "Back-off pulling image \"a\"");
        assert_eq!(
            waiting(&pull, "main").unwrap(),
            "ImagePullBackOff: the node could not pull it, and tries again later: Back-off pulling image \"a\""
        );
        assert_eq!(waiting(&pull, "other"), None);
        assert_eq!(waiting(&status("ContainerCreating", ""), "main"), None);
        let crash = json!({"containerStatuses": [{"name": "main", "lastState": {
            "terminated": {"message": "exec /app: exec format error"},
        }}]});
        assert_eq!(
            waiting(&crash, "main").unwrap(),
            "the image is for another architecture than the node: exec /app: exec format error"
        );
        assert_eq!(waiting(&Value::Null, "main"), None);
    }
}
