//! What a run found: its rows, as JSON and as a table.
//!
//! Owns the columns. Must not know how anything is measured. The invariant that would break first:
//! `report.json` is a list of objects with exactly the keys of [`Row`], null where a column has no
//! meaning for a scenario.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One scenario at one number of references.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Its name.
    pub(crate) scenario: String,
    /// `ImageRef`s.
    pub(crate) refs: u32,
    /// How long it took, or how long the measured window was.
    pub(crate) seconds: Option<f64>,
    /// How long the bare client took for as many statuses.
    pub(crate) control_seconds: Option<f64>,
    /// `seconds / control_seconds`.
    pub(crate) ratio: Option<f64>,
    /// Requests that the cloud counted.
    pub(crate) cloud_calls: Option<u64>,
    /// Status writes that the API server counted.
    pub(crate) status_writes: Option<u64>,
    /// The operator's largest resident set.
    pub(crate) rss_peak_mib: Option<f64>,
    /// The operator's resident set some seconds after the end.
    pub(crate) rss_steady_mib: Option<f64>,
    /// The operator's CPU time.
    pub(crate) cpu_seconds: Option<f64>,
    /// The middle latency of a review of admission.
    pub(crate) p50_ms: Option<f64>,
    /// The latency that one review in a hundred exceeds.
    pub(crate) p99_ms: Option<f64>,
    /// Reviews that were answered one after the other or side by side, without a pause.
    pub(crate) verdicts_per_second: Option<f64>,
}

/// The keys of a row, in their order.
pub(crate) const COLUMNS: [&str; 13] = [
    "scenario",
    "refs",
    "seconds",
    "control_seconds",
    "ratio",
    "cloud_calls",
    "status_writes",
    "rss_peak_mib",
    "rss_steady_mib",
    "cpu_seconds",
    "p50_ms",
    "p99_ms",
    "verdicts_per_second",
];

impl Row {
    fn cells(&self) -> [String; 13] {
        let decimal = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
        };
        let count =
            |value: Option<u64>| value.map_or_else(|| "–".to_owned(), |value| value.to_string());
        [
            self.scenario.clone(),
            self.refs.to_string(),
            decimal(self.seconds, 2),
            decimal(self.control_seconds, 2),
            decimal(self.ratio, 2),
            count(self.cloud_calls),
            count(self.status_writes),
            decimal(self.rss_peak_mib, 1),
            decimal(self.rss_steady_mib, 1),
            decimal(self.cpu_seconds, 2),
            decimal(self.p50_ms, 3),
            decimal(self.p99_ms, 3),
            decimal(self.verdicts_per_second, 0),
        ]
    }
}

/// The rows as a table in Markdown, its columns aligned.
pub(crate) fn table(rows: &[Row]) -> String {
    let head = COLUMNS.map(str::to_owned);
    let cells: Vec<_> = rows.iter().map(Row::cells).collect();
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|column| {
            let all = cells.iter().chain([&head]);
            all.map(|row| row[column].chars().count())
                .max()
                .unwrap_or_default()
        })
        .collect();
    let line = |row: &[String; 13]| {
        let padded = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (text, width))| {
                if column == 0 {
                    format!("{text:<width$}")
                } else {
                    format!("{text:>width$}")
                }
            });
        format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
    };
    let rule = widths.iter().enumerate().map(|(column, width)| {
        if column == 0 {
            "-".repeat(*width)
        } else {
            format!("{}:", "-".repeat(width - 1))
        }
    });
    let rule = format!("| {} |\n", rule.collect::<Vec<_>>().join(" | "));
    let body: String = cells.iter().map(line).collect();
    line(&head) + &rule + &body
}

/// The rows of a report; columns that an older one lacks are null.
pub(crate) fn read_json(path: &Path) -> Result<Vec<Row>> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

/// Writes a value as JSON.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// The machine, the date, and how busy the machine is, as far as it tells.
pub(crate) fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("CPU of unknown model", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok())
        .map_or(0, |kib| kib.div_ceil(1024 * 1024));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // What else runs takes from all that is measured.
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC");
    format!(
        "{cores} cores ({model}), {memory} GiB, Linux {}, {date}, load average before {load}",
        kernel.trim()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            scenario: "restart".into(),
            refs: 100,
            seconds: Some(0.512),
            control_seconds: None,
            ratio: None,
            cloud_calls: Some(0),
            status_writes: Some(0),
            rss_peak_mib: Some(31.25),
            rss_steady_mib: Some(30.0),
            cpu_seconds: Some(0.2),
            ..Row::default()
        }
    }

    #[test]
    fn a_row_has_exactly_the_columns_and_null_where_one_has_no_meaning() {
        let value = serde_json::to_value(row()).unwrap();
        let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        let mut columns = COLUMNS.map(str::to_owned).to_vec();
        keys.sort();
        columns.sort();
        assert_eq!(keys, columns);
        assert!(value["ratio"].is_null() && value["control_seconds"].is_null());
        assert_eq!(serde_json::from_value::<Row>(value).unwrap(), row());
    }

    #[test]
    fn the_table_is_markdown_with_aligned_columns() {
        let table = table(&[row()]);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("| scenario | refs | seconds |"));
        assert!(lines[2].starts_with("| restart  |  100 |    0.51 |"));
        let width = |line: &&str| line.chars().count();
        assert!(lines.iter().all(|line| width(line) == width(&lines[0])));
    }
}
