//! The bad manifests: refused by the API server and by `validate()`, for the same reasons.

use super::rows::{self, Row};
use crate::on_cluster;
use imageref::api::validation;
use std::collections::BTreeSet;
use std::sync::Mutex;

/// Added by the server to errors that keep it from evaluating CEL rules.
const NOT_CHECKED: &str = "<nil>: ";

fn violations(row: &Row) -> Vec<String> {
    let found = validation::validate(&row.kind, &mut row.object.clone());
    let mut says: Vec<_> = found
        .iter()
        .map(|violation| format!("{}: {}", violation.path, violation.message))
        .collect();
    says.sort();
    says
}

#[test]
fn bad_manifests_are_refused_without_an_api_server_each_for_all_its_reasons() {
    let rows = rows::bad();
    assert!(rows.len() >= 45);
    for row in &rows {
        let mut expected = row.says.clone();
        expected.sort();
        assert!(!expected.is_empty(), "{}", row.name);
        assert_eq!(violations(row), expected, "{} ({})", row.name, row.kind);
    }
}

#[test]
fn the_api_server_refuses_bad_manifests_in_the_words_of_the_table_and_for_nothing_else() {
    let Some(cluster) = on_cluster::cluster() else {
        return;
    };
    let namespace = on_cluster::namespace("bad");
    let rows = rows::bad();
    let queue = Mutex::new(rows.iter());
    let faults = Mutex::new(Vec::new());
    let work = || {
        while let Some(row) = { queue.lock().unwrap().next() } {
            let args = ["create", "--dry-run=server", "-n", &namespace, "-f", "-"];
            let output = cluster
                .kubectl_output(&args, Some(&row.object.to_string()))
                .unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            if let Err(fault) = compare(row, output.status.success(), &stderr) {
                let fault = format!("{} ({}): {fault}\n{stderr}", row.name, row.kind);
                faults.lock().unwrap().push(fault);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(work);
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Each of the server's lines is one of the row's, and the other way round.
fn compare(row: &Row, accepted: bool, stderr: &str) -> Result<(), String> {
    if accepted {
        return Err("accepted".into());
    }
    let split = |says: &str| {
        let (path, message) = says.split_once(": ").unwrap();
        (path.to_owned(), message.to_owned())
    };
    let says: Vec<_> = row.says.iter().map(|says| split(says)).collect();
    if let Some((path, _)) = says.iter().find(|(_, message)| message == "unknown field") {
        let expected = format!("strict decoding error: unknown field \"{path}\"");
        return stderr
            .contains(&expected)
            .then_some(())
            .ok_or(format!("no {expected}"));
    }
    let marker = " is invalid: ";
    let lines = &stderr[stderr.find(marker).ok_or("not invalid")? + marker.len()..];
    let lines: BTreeSet<_> = lines
        .trim()
        .lines()
        .map(|line| line.trim_start_matches("* "))
        .filter(|line| !line.starts_with(NOT_CHECKED))
        .collect();
    for line in &lines {
        let of_row = |(path, message): &(String, String)| {
            line.strip_prefix(path.as_str())
                .and_then(|rest| rest.strip_prefix(": "))
                .is_some_and(|rest| rest.ends_with(message.as_str()))
        };
        if !says.iter().any(of_row) {
            return Err(format!("the server also says: {line}"));
        }
    }
    if lines.len() == says.len() {
        Ok(())
    } else {
        Err(format!("{} of {} reasons", lines.len(), says.len()))
    }
}
