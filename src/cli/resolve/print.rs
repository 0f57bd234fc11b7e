//! Answers for people and for pipes.
//!
//! Owns the table, JSON and YAML. Must not know how an answer came about. The invariant that would
//! break first: nothing but `ImageRefs` is printed, and no control character of a platform's text
//! reaches a terminal.

use super::ask::Answer;
use crate::api::ImageRefStatus;
use crate::cli::output::{self, printable};
use anyhow::{Context as _, Result};
use kube::ResourceExt as _;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Forms of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// Columns, and the reasons of what is not resolved below them
    Table,
    /// A List of all references with their status
    Json,
    /// The same as YAML
    Yaml,
}

/// The whole output.
pub(super) fn text(form: Form, answers: &[Answer]) -> Result<String> {
    match form {
        Form::Table => Ok(table(answers)),
        Form::Json => {
            let mut text = serde_json::to_string_pretty(&list(answers)?)
                .context("writing the answers as JSON")?;
            text.push('\n');
            Ok(text)
        }
        Form::Yaml => {
            serde_saphyr::to_string(&list(answers)?).context("writing the answers as YAML")
        }
    }
}

fn list(answers: &[Answer]) -> Result<Value> {
    let items = answers
        .iter()
        .map(|answer| serde_json::to_value(&answer.object));
    let items: Vec<_> = items
        .collect::<Result<_, _>>()
        .context("writing an ImageRef")?;
    Ok(json!({"apiVersion": "v1", "kind": "List", "items": items}))
}

fn table(answers: &[Answer]) -> String {
    let head = [
        "NAMESPACE",
        "NAME",
        "PROVIDER",
        "ARCH",
        "STATUS",
        "READY",
        "REASON",
        "IMAGE",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(answers.iter().map(|answer| {
        let empty = ImageRefStatus::default();
        let status = answer.object.status.as_ref().unwrap_or(&empty);
        let cell = |text: Option<&str>| match text {
            Some(text) if !text.is_empty() => printable(text),
            _ => "-".into(),
        };
        [
            cell(answer.object.namespace().as_deref()),
            cell(Some(&answer.object.name_any())),
            cell(status.provider.as_ref().map(|p| p.name.as_str())),
            cell(status.arch.as_deref()),
            cell(status.status.as_deref()),
            cell(Some(&answer.ready)),
            cell(Some(&answer.reason)),
            cell(status.image.as_deref()),
        ]
    }));
    let mut text = output::columns(&rows);
    let reasons = reasons(answers);
    if !reasons.is_empty() {
        text.push('\n');
        text.push_str(&reasons);
    }
    text
}

/// What is not resolved, and why. The same advice is given once.
pub(in crate::cli) fn reasons(answers: &[Answer]) -> String {
    let mut text = String::new();
    let mut advised = BTreeSet::new();
    for answer in answers.iter().filter(|answer| !answer.resolved()) {
        let _ = writeln!(
            text,
            "{}/{}: {}: {}",
            answer.object.namespace().unwrap_or_default(),
            answer.object.name_any(),
            answer.reason,
            printable(&answer.message)
        );
        if let Some(fix) = answer.fix.as_ref().filter(|fix| advised.insert(*fix)) {
            let _ = writeln!(text, "  fix: {}", printable(fix));
        }
    }
    text
}
