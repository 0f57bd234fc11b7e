//! The flags that pages name, and the page of the command line.
//!
//! Owns how a table of flags is read. Must not repeat a flag: the parser of the binary is asked. The
//! invariant that would break first: a default that changes in the code changes on the page.

use super::book::{spans, words};
use super::text;
use clap::{Arg, Command, CommandFactory as _};
use imageref::cli::Arguments;
use std::collections::{BTreeMap, BTreeSet};

/// Flags of kubectl that sentences name beside ours.
const OTHERS: [&str; 2] = ["--field-selector", "--resource-name"];

/// Each long flag of each subcommand, with its variables.
fn flags() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::<_, BTreeSet<_>>::new();
    let command = Arguments::command();
    let all = command.get_subcommands().flat_map(Command::get_arguments);
    for argument in all.chain(command.get_arguments()) {
        for name in argument
            .get_long_and_visible_aliases()
            .into_iter()
            .flatten()
        {
            let variable = argument
                .get_env()
                .map(|name| name.to_string_lossy().into_owned());
            found
                .entry(format!("--{name}"))
                .or_default()
                .extend(variable);
        }
    }
    found
}

#[test]
fn every_flag_that_a_sentence_names_is_ours_and_every_flag_is_on_the_page_of_the_command_line() {
    let flags = flags();
    let wrong: Vec<_> = spans()
        .into_iter()
        .filter(|(_, span)| {
            let name = span.split(['=', ' ', ':', ',']).next().unwrap_or_default();
            name.starts_with("--") && !flags.contains_key(name) && !OTHERS.contains(&name)
        })
        .map(|(place, span)| format!("{place}: {span}"))
        .collect();
    assert!(
        wrong.is_empty(),
        "no such flag of ours; add another tool's to OTHERS:\n{}",
        wrong.join("\n")
    );
    // The commands for people have a page of their own.
    let page = text("docs/cli.md") + &text("docs/kubectl.md");
    let untold = |name: &str| {
        let ends = ['`', ' ', '\n'];
        !page
            .split('`')
            .any(|span| span.split(ends).next() == Some(name))
    };
    for (flag, variables) in flags {
        assert!(
            !untold(&flag),
            "docs/cli.md and docs/kubectl.md lack {flag}"
        );
        for variable in variables {
            assert!(
                !untold(&variable),
                "docs/cli.md and docs/kubectl.md lack {variable}"
            );
        }
    }
}

#[test]
fn every_variable_of_ours_that_a_page_names_is_read() {
    let read: BTreeSet<_> = flags().into_values().flatten().collect();
    // Credentials have no flag; `imageref resolve` reads them by these names.
    let keys = [
        "ACCESS_KEY_ID",
        "ACCESS_KEY_SECRET",
        "SECURITY_TOKEN",
        "AUTH_TOKEN",
    ];
    let keys: Vec<_> = keys.iter().map(|name| format!("IMAGEREF_{name}")).collect();
    let mut wrong = Vec::new();
    for (path, name) in words("IMAGEREF_", |c| c == '_' || c.is_ascii_uppercase()) {
        // These are for those who change the code.
        let tests = ["IMAGEREF_VECTORS", "IMAGEREF_DRAW_DASHBOARD"].contains(&name.as_str());
        if !read.contains(&name) && !keys.contains(&name) && !tests {
            wrong.push(format!("{}: {name}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The cells of a row.
fn cells(row: &str) -> Vec<String> {
    // A bar within a cell has a mark before it.
    let row = row.trim().trim_matches('|').replace("\\|", "/");
    row.split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// The flag of a subcommand, or of all.
fn flag<'a>(command: &'a Command, all: &'a Command, name: &str) -> Option<&'a Arg> {
    let mut arguments = command.get_arguments().chain(all.get_arguments());
    arguments.find(|argument| argument.get_long() == Some(name))
}

#[test]
fn every_row_of_a_flag_has_its_variable_and_its_default() {
    let all = Arguments::command();
    let page = text("docs/cli.md");
    let mut wrong = Vec::new();
    let mut checked = 0;
    for (subcommand, section) in page
        .split("\n## `imageref ")
        .skip(1)
        .filter_map(|part| part.split_once('`'))
    {
        let command = all
            .find_subcommand(subcommand)
            .unwrap_or_else(|| panic!("no {subcommand}"));
        for row in section.lines().filter(|line| line.starts_with("| `-")) {
            let cells = cells(row);
            let names: Vec<_> = cells[0]
                .split('`')
                .skip(1)
                .step_by(2)
                .filter_map(|span| span.split(' ').next()?.strip_prefix("--"))
                .collect();
            // A row with several flags tells of each in words.
            let [name] = names[..] else {
                continue;
            };
            let default = &cells[if cells.len() == 4 { 2 } else { 1 }];
            if default.is_empty() && row.contains("as for `") {
                continue;
            }
            checked += 1;
            let Some(argument) = flag(command, &all, name) else {
                wrong.push(format!("imageref {subcommand} has no --{name}"));
                continue;
            };
            if let Some(variable) = argument.get_env() {
                let variable = variable.to_string_lossy();
                if !row.contains(&*variable) {
                    wrong.push(format!("--{name} of {subcommand}: {variable}"));
                }
            }
            for value in argument.get_default_values() {
                let value = value.to_string_lossy();
                if argument.get_action().takes_values() && default.trim_matches('`') != value {
                    wrong.push(format!("--{name} of {subcommand}: {value}, not {default}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 60, "{checked} rows only");
}
