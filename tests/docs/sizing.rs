//! The numbers of the page on sizing, beside those that were measured.
//!
//! Owns which row comes from which scenario. Must not know why a number is what it is. The invariant that
//! would break first: after `make bench` the page says what the new report says.

use super::text;
use serde_json::Value;

/// The row that begins so: one cell for each number of references.
fn row(start: &str) -> Vec<String> {
    let page = text("docs/sizing.md");
    let row = page
        .lines()
        .find(|line| line.starts_with(&format!("| {start} |")));
    let row = row.unwrap_or_else(|| panic!("no row {start}"));
    let cells = row.trim_matches('|').split('|').skip(1);
    cells.map(|cell| cell.trim().to_owned()).collect()
}

/// The first numbers in a cell, in seconds where minutes are said.
fn numbers(cell: &str) -> Vec<f64> {
    let minutes = if cell.ends_with("min") { 60.0 } else { 1.0 };
    let cell = cell.replace(',', "");
    let words = cell
        .split([' ', ';'])
        .filter_map(|word| word.parse::<f64>().ok());
    words.map(|number| number * minutes).collect()
}

/// A column of the rows of one size, but for admission's.
fn measured(refs: u64, scenario: Option<&str>, column: &str) -> Vec<f64> {
    let report: Vec<Value> = serde_json::from_str(&text("docs/performance/report.json")).unwrap();
    let rows = report.into_iter().filter(|row| row["refs"] == refs);
    let rows = rows.filter(|row| {
        let name = row["scenario"].as_str().unwrap();
        scenario.map_or(!name.starts_with("admission"), |scenario| scenario == name)
    });
    rows.filter_map(|row| row[column].as_f64()).collect()
}

#[test]
fn what_the_page_on_sizing_calls_measured_is_in_the_report() {
    let close = |said: f64, found: f64| (said - found).abs() <= (found * 0.1).max(1.0);
    let mut wrong = Vec::new();
    for (n, refs) in [100, 1000, 10_000, 100_000].into_iter().enumerate() {
        let memory = numbers(&row("controller: memory, measured")[n]);
        let found = measured(refs, None, "rss_steady_mib");
        let least = found.iter().copied().fold(f64::MAX, f64::min);
        let most = found.iter().copied().fold(0.0, f64::max);
        if !close(memory[0], least) || !close(*memory.last().unwrap(), most) {
            wrong.push(format!(
                "memory at {refs}: {memory:?}, measured {least} to {most}"
            ));
        }
        for (name, column) in [
            ("first answer for all, API server of two cores", "seconds"),
            ("calls of the cloud for that", "cloud_calls"),
            ("writes of statuses for the first answer", "status_writes"),
            ("controller: CPU of a start", "cpu_seconds"),
        ] {
            let said = numbers(&row(name)[n])[0];
            let found = measured(refs, Some("cold_start"), column)[0];
            if !close(said, found) {
                wrong.push(format!("{name} at {refs}: {said}, measured {found}"));
            }
        }
    }
    let page = text("docs/sizing.md");
    let webhook = measured(10_000, Some("admission_tls"), "rss_steady_mib")[0];
    assert!(page.contains("| webhook: memory of a replica | – | – | 60 MiB | – |"));
    assert!(close(60.0, webhook), "webhook: {webhook}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
