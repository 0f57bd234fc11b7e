//! Every command line of ours, and of kubectl, that a page shows, given to who would parse it.
//!
//! Owns where commands are found. Must not run them. The invariant that would break first: a flag that is
//! renamed is found in every page that mentions it.

use super::blocks;
use super::shell;
use super::sorted::{Purpose, documents, read};
use clap::Parser as _;
use clap::error::ErrorKind;
use cluster::Cluster;
use imageref::cli::Arguments;
use serde_json::Value;
use std::collections::BTreeMap;

/// A command, with where it stands.
struct Example {
    place: String,
    words: Vec<String>,
    /// Mentioned in a sentence, where what is required may be left out.
    mentioned: bool,
}

fn examples() -> Vec<Example> {
    let mut found = Vec::new();
    let mut add = |place: &str, script: &str, mentioned: bool| {
        for command in shell::commands(script) {
            found.push(Example {
                place: place.to_owned(),
                words: command.words,
                mentioned,
            });
        }
    };
    for block in blocks::all() {
        match block.language() {
            "sh" => add(&block.place, &block.text, false),
            "console" | "" => add(&block.place, &typed(&block.text), false),
            "yaml" if Purpose::of(&block) == Some(Purpose::Pipeline) => {
                for document in documents(&block.text) {
                    let mut scripts = Vec::new();
                    strings(&read(&block.place, &document), &mut scripts);
                    for script in scripts.iter().filter(|script| script.contains("imageref ")) {
                        add(&block.place, script, false);
                    }
                }
            }
            _ => {}
        }
    }
    for (path, page) in blocks::pages() {
        for (number, (prose, line)) in blocks::lines(&page).enumerate() {
            // Each other piece is between two marks.
            let spans = line.split('`').skip(1).step_by(2);
            for span in spans.filter(|span| prose && span.split_once(' ').is_some()) {
                let ours = ["imageref ", "kubectl "]
                    .iter()
                    .any(|name| span.starts_with(name));
                if ours {
                    add(&format!("{}:{}", path.display(), number + 1), span, true);
                }
            }
        }
    }
    found
}

/// What somebody types in a session: the lines behind a prompt, and what goes on below them.
fn typed(session: &str) -> String {
    let mut script = String::new();
    let mut goes_on = false;
    for line in session.lines() {
        let typed = if goes_on {
            Some(line)
        } else {
            line.strip_prefix("$ ")
        };
        goes_on = typed.is_some_and(|line| line.ends_with('\\'));
        script.extend(typed.into_iter().flat_map(|line| [line, "\n"]));
    }
    script
}

fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| strings(field, found)),
        _ => {}
    }
}

#[test]
fn every_command_of_ours_in_the_documentation_is_parsed() {
    let mut wrong = Vec::new();
    let mut subcommands = BTreeMap::new();
    for Example {
        place,
        mut words,
        mentioned,
    } in examples()
    {
        if words.first().is_some_and(|word| word == "kubectl")
            && words.get(1).is_some_and(|w| w == "imageref")
        {
            words.remove(0);
        }
        let program = words
            .first()
            .map(|word| word.rsplit('/').next().unwrap_or_default());
        if program != Some("imageref") {
            continue;
        }
        *subcommands.entry(words.get(1).cloned()).or_insert(0) += 1;
        let Err(error) = Arguments::try_parse_from(&words) else {
            continue;
        };
        let left_out = [
            ErrorKind::MissingRequiredArgument,
            ErrorKind::MissingSubcommand,
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
        ];
        let asks = [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion].contains(&error.kind());
        let is_left_out = mentioned && left_out.contains(&error.kind());
        if !asks && !is_left_out {
            wrong.push(format!("{place}: {}\n{error}", words.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(subcommands.len() > 5, "{subcommands:?}");
}

#[test]
fn every_command_of_kubectl_in_the_documentation_has_flags_that_kubectl_has() {
    if !cluster::require() {
        return;
    }
    let mut helps = BTreeMap::new();
    let mut wrong = Vec::new();
    let options = help(&["options"]).unwrap();
    for Example { place, words, .. } in examples() {
        if words.first().is_none_or(|word| word != "kubectl")
            || words.get(1).is_some_and(|w| w == "imageref")
        {
            continue;
        }
        let verb = verb(&words);
        let text = helps.entry(verb.clone()).or_insert_with(|| {
            let mut args: Vec<_> = verb.iter().map(String::as_str).collect();
            args.push("--help");
            help(&args)
        });
        let Some(text) = text else {
            wrong.push(format!("{place}: {}: no such command", words.join(" ")));
            continue;
        };
        let words = words.iter().take_while(|word| *word != "--");
        for word in words.filter(|word| word.starts_with("--")) {
            let flag = word.split('=').next().unwrap_or_default();
            let is = |line: &str| {
                let mut names = line.trim().split([',', '=', ' ', ':']);
                names.any(|name| name == flag)
            };
            if !text.lines().chain(options.lines()).any(is) {
                wrong.push(format!("{place}: kubectl {} has no {flag}", verb.join(" ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(helps.len() > 5, "{:?}", helps.keys());
}

/// The words that say what kubectl is to do, such as `get` and `create secret generic`.
fn verb(words: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        if ["-n", "--namespace", "--context", "--kubeconfig"].contains(&word.as_str()) {
            words.next();
        } else if !word.starts_with('-') {
            found.push(word.clone());
        }
    }
    let parts = match found.first().map(String::as_str) {
        Some("create") if found.get(1).is_some_and(|word| word == "secret") => 3,
        Some("create" | "auth" | "config" | "rollout" | "set" | "certificate") => 2,
        _ => 1,
    };
    found.truncate(parts);
    found
}

fn help(args: &[&str]) -> Option<String> {
    let output = std::process::Command::new(Cluster::bin("kubectl"))
        .args(args)
        .env("KUBERC", "off")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // For a word that it does not know it prints the usage of the whole.
    let known = args[0] == "options" || !text.starts_with("kubectl controls");
    (output.status.success() && known).then_some(text)
}
