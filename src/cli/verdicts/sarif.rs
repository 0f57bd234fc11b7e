//! Verdicts as a log of SARIF 2.1.0 (OASIS, "Static Analysis Results Interchange Format").
//!
//! Owns the rules, one a reason, and where a result is. The invariant that would break first: every
//! result names a rule that is in the same log.

use super::report::{Judged, Report};
use crate::admission::{Decision, Finding, Reason};
use anyhow::{Context as _, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// What stays as it is in the path of a URI (RFC 3986, "Path").
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub(super) fn text(report: &Report) -> Result<String> {
    let results = report.judged.iter().flat_map(results);
    let notification = report.facts.unverified().map(|why| {
        json!({
            "level": "warning",
            "message": {"text": why},
            "descriptor": {"id": "unverified"},
        })
    });
    let mut driver = json!({
        "name": "imageref",
        "version": env!("CARGO_PKG_VERSION"),
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": Reason::ALL.iter().map(|reason| rule(*reason)).collect::<Vec<_>>(),
        "notifications": [{
            "id": "unverified",
            "shortDescription": {"text": "The facts are those of a lock file, and no cloud confirmed them."},
        }],
    });
    if let Some(home) = home(env!("CARGO_PKG_REPOSITORY")) {
        driver["informationUri"] = home.into();
    }
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver},
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": notification.into_iter().collect::<Vec<_>>(),
            }],
            "properties": {
                "facts": report.facts.as_str(),
                "unverified": report.facts.unverified().is_some(),
                "summary": report.summary,
            },
            "results": results.collect::<Vec<_>>(),
        }],
    });
    let mut text = serde_json::to_string_pretty(&log).context("writing the verdicts as SARIF")?;
    text.push('\n');
    Ok(text)
}

/// An address of the documentation, where the build knows one.
fn home(repository: &str) -> Option<String> {
    let is_address = repository.starts_with("https://");
    is_address.then(|| repository.trim_end_matches('/').to_owned())
}

fn rule(reason: Reason) -> Value {
    let (what, help) = words(reason);
    let name = reason.as_str();
    let mut rule = json!({
        "id": name,
        "name": name,
        "shortDescription": {"text": what},
        "fullDescription": {"text": what},
        "help": {"text": help, "markdown": help},
        "defaultConfiguration": {"level": "error"},
    });
    if let Some(home) = home(env!("CARGO_PKG_REPOSITORY")) {
        let anchor = name.to_lowercase();
        rule["helpUri"] = format!("{home}/blob/main/docs/admission.md#{anchor}").into();
    }
    rule
}

/// What is wrong, and what helps.
const fn words(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::MalformedImage => (
            "The text is no image.",
            "A node could not pull it. Write HOST/PATH:TAG or HOST/PATH@sha256:DIGEST.",
        ),
        Reason::UnknownImage => (
            "No ImageRef that counts names the image.",
            "Use an image that `kubectl get imageref -o wide` lists in the namespace, declare this one with an ImageRef, or resolve its ImageRef through a ClusterImageProvider.",
        ),
        Reason::OtherTag => (
            "The repository is declared with another tag.",
            "Use the image that the message names.",
        ),
        Reason::OtherDigest => (
            "The image is declared with another digest.",
            "The tag moved, or the digest was never that of a declared image. Use the image that the message names.",
        ),
        Reason::NotUsable => (
            "The ImageRef of the image may not be used now.",
            "The message has the reason of its Ready; `kubectl describe imageref` says more. Mend the ImageRef, or use another image.",
        ),
        Reason::WrongArchitecture => (
            "No node that the pod selects can run the image.",
            "Select nodes of the image's architecture by `kubernetes.io/arch`, or use an image for the nodes.",
        ),
        Reason::WrongAccelerator => (
            "The image is made for another accelerator than the one that the container asks for.",
            "Use an image for that accelerator, or ask for another resource.",
        ),
        Reason::DigestRequired => (
            "The namespace requires images to be named by digest.",
            "Use the image that the message names. If the ImageRef knows no digest, set its `spec.digestPolicy`.",
        ),
        Reason::MovingDigest => (
            "The ImageRef follows its tag, and pods of one controller could get different images.",
            "Set its `spec.digestPolicy` to IfNotPresent, or use the image that the message names.",
        ),
        Reason::TooManyImages => (
            "The object has more pod templates or images than are judged.",
            "Split it.",
        ),
    }
}

fn results(one: &Judged) -> impl Iterator<Item = Value> + use<'_> {
    let findings = one.verdict.findings.iter().enumerate();
    findings.map(|(n, finding)| {
        let rule = Reason::ALL.iter().position(|reason| *reason == finding.reason);
        let level = match one.verdict.decision {
            Decision::Deny if finding.denies => "error",
            Decision::Deny | Decision::Warn => "warning",
            Decision::Allow => "note",
        };
        json!({
            "ruleId": finding.reason.as_str(),
            "ruleIndex": rule,
            "level": level,
            "message": {"text": format!("{}: {finding}", one.called())},
            "locations": [location(one, finding, n)],
            // The same finding in another line is the same finding.
            "partialFingerprints": {
                "object/v1": format!("{}/{}: {}: {}", one.api_version, one.called(), finding.place, finding.image),
            },
        })
    })
}

fn location(one: &Judged, finding: &Finding, n: usize) -> Value {
    let mut location = json!({
        "logicalLocations": [{
            "name": finding.place,
            "fullyQualifiedName": format!("{}: {}", one.called(), finding.place),
            "kind": "object",
        }],
    });
    if let Some(place) = &one.place {
        location["physicalLocation"] = json!({
            "artifactLocation": {"uri": uri(&place.file)},
            "region": {"startLine": one.line_of(n)},
        });
    }
    location
}

/// A relative reference for a relative name, so that the reader can put it below a root.
fn uri(file: &str) -> String {
    if file == "-" {
        return "stdin".into();
    }
    let encoded = utf8_percent_encode(file.trim_start_matches("./"), PATH).to_string();
    if file.starts_with('/') {
        format!("file://{encoded}")
    } else {
        encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_uris() {
        for (file, expected) in [
            ("app.yaml", "app.yaml"),
            ("./k8s/a b.yaml", "k8s/a%20b.yaml"),
            ("/tmp/x:y#1.yaml", "file:///tmp/x%3Ay%231.yaml"),
            ("ü%.yaml", "%C3%BC%25.yaml"),
            ("-", "stdin"),
        ] {
            assert_eq!(uri(file), expected);
        }
    }

    #[test]
    fn only_an_address_is_linked_to() {
        assert_eq!(home(""), None);
        let home = home("https://example.com/imageref/");
        assert_eq!(home.as_deref(), Some("https://example.com/imageref"));
    }
}
