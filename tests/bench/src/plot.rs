//! Charts with two logarithmic axes, as SVG.
//!
//! Owns the drawing. Must not know how anything was measured. The invariant that would break first:
//! nothing that was measured is left out; a zero, which has no logarithm, has a line of its own
//! below the lowest decade.

use crate::report::Row;
use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 48.0;
/// Height of the part for zeros.
const ZERO: f64 = 28.0;

/// Colours that people with colour blindness can tell apart (Okabe and Ito).
const COLOURS: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
];

/// Text and lines in the reader's light or dark mode.
const STYLE: &str = "<style>\
    text{font:12px system-ui,sans-serif;fill:#333}.title{font-size:15px;font-weight:600}\
    .grid{stroke:#888;stroke-opacity:.3}.series{fill:none;stroke-width:2}\
    @media(prefers-color-scheme:dark){text{fill:#ddd}}</style>";

/// A line of a chart: its name and its points.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    name: String,
    points: Vec<(f64, f64)>,
    /// Dashed and without marks: for orientation, not measured.
    guide: bool,
}

/// The charts of a report, by file name.
pub(crate) fn charts(rows: &[Row]) -> [(&'static str, String); 2] {
    let seconds = |row: &Row| row.seconds;
    let time = [
        series(rows, "cold_start", "cold_start", seconds),
        series(rows, "broken_refs", "broken_refs", seconds),
        series(rows, "cold_start", "bare client", |row| row.control_seconds),
    ];
    let names = [
        "cold_start",
        "broken_refs",
        "restart",
        "steady_refresh",
        "outage",
    ];
    let calls = names.map(|name| series(rows, name, name, calls));
    let guide = Series {
        name: "one call a reference".into(),
        points: guide(rows),
        guide: true,
    };
    let calls: Vec<_> = calls.into_iter().chain([guide]).collect();
    [
        (
            "time.svg",
            chart("Seconds until all ImageRefs have their answer", &time),
        ),
        ("calls.svg", chart("Calls of the cloud", &calls)),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a count of calls, drawn")]
fn calls(row: &Row) -> Option<f64> {
    row.cloud_calls.map(|calls| calls as f64)
}

fn series(rows: &[Row], scenario: &str, name: &str, y: impl Fn(&Row) -> Option<f64>) -> Series {
    let rows = rows.iter().filter(|row| row.scenario == scenario);
    let mut points: Vec<_> = rows
        .filter_map(|row| Some((f64::from(row.refs), y(row)?)))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    Series {
        name: name.into(),
        points,
        guide: false,
    }
}

/// As many calls as references.
fn guide(rows: &[Row]) -> Vec<(f64, f64)> {
    let mut refs: Vec<u32> = rows.iter().map(|row| row.refs).collect();
    refs.sort_unstable();
    refs.dedup();
    refs.into_iter()
        .map(|refs| (f64::from(refs), f64::from(refs)))
        .collect()
}

/// The decades that hold all values above zero: the exponents of the first and the last border.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let logs = values.filter(|value| *value > 0.0).map(f64::log10);
    let (low, high) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), log| {
        (low.min(log), high.max(log))
    });
    if low > high {
        return (0.0, 1.0);
    }
    let low = low.floor();
    (low, high.ceil().max(low + 1.0))
}

/// Where values are on the paper.
struct Paper {
    x: (f64, f64),
    y: (f64, f64),
    has_zero: bool,
}

impl Paper {
    fn of(series: &[Series]) -> Self {
        let points = || series.iter().flat_map(|series| &series.points);
        Self {
            x: decades(points().map(|point| point.0)),
            y: decades(points().map(|point| point.1)),
            has_zero: points().any(|point| point.1 <= 0.0),
        }
    }

    fn across(&self, log: f64) -> f64 {
        LEFT + (log - self.x.0) / (self.x.1 - self.x.0) * (WIDTH - LEFT - RIGHT)
    }

    fn floor(&self) -> f64 {
        HEIGHT - BOTTOM - if self.has_zero { ZERO } else { 0.0 }
    }

    fn up(&self, log: f64) -> f64 {
        self.floor() - (log - self.y.0) / (self.y.1 - self.y.0) * (self.floor() - TOP)
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let y = if y > 0.0 {
            self.up(y.log10())
        } else {
            HEIGHT - BOTTOM
        };
        (self.across(x.log10()), y)
    }
}

fn chart(title: &str, series: &[Series]) -> String {
    let paper = Paper::of(series);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">{STYLE}\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"24\">{title}</text>\n"
    );
    axes(&mut svg, &paper);
    let drawn = series.iter().zip(COLOURS);
    let drawn = drawn.filter(|(series, _)| !series.points.is_empty());
    for ((series, colour), row) in drawn.zip(0_u8..) {
        // Points that coincide show as rings.
        line(&mut svg, &paper, series, colour, 6.5 - f64::from(row));
        let (x, y) = (WIDTH - RIGHT + 20.0, TOP + 10.0 + 20.0 * f64::from(row));
        let dashes = if series.guide {
            " stroke-dasharray=\"4 4\""
        } else {
            ""
        };
        let _ = writeln!(
            svg,
            "<path class=\"series\" stroke=\"{colour}\"{dashes} d=\"M{x} {y}h20\"/><text x=\"{}\" y=\"{}\">{}</text>",
            x + 26.0,
            y + 4.0,
            series.name
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// A line and a label for each power of ten, and for zero if there is one.
fn axes(svg: &mut String, paper: &Paper) {
    let right = WIDTH - RIGHT;
    let bottom = HEIGHT - BOTTOM;
    let mut log = paper.y.0;
    while log <= paper.y.1 {
        across(svg, paper.up(log), &label(log));
        log += 1.0;
    }
    if paper.has_zero {
        across(svg, bottom, "0");
    }
    let mut log = paper.x.0;
    while log <= paper.x.1 {
        let x = paper.across(log);
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{x:.1} {TOP}V{bottom}\"/><text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            bottom + 18.0,
            label(log)
        );
        log += 1.0;
    }
    let middle = f64::midpoint(LEFT, right);
    let _ = writeln!(
        svg,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">ImageRefs</text>",
        bottom + 38.0
    );
}

fn across(svg: &mut String, y: f64, label: &str) {
    let right = WIDTH - RIGHT;
    let _ = writeln!(
        svg,
        "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
        LEFT - 8.0,
        y + 4.0
    );
}

/// A power of ten in digits, in groups of three.
fn label(log: f64) -> String {
    if log < 0.0 {
        return format!("{}", 10_f64.powf(log));
    }
    let digits = format!("{:.0}", 10_f64.powf(log));
    let grouped = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = grouped.map(String::from_utf8_lossy).collect();
    groups.join(",")
}

fn line(svg: &mut String, paper: &Paper, series: &Series, colour: &str, radius: f64) {
    let places: Vec<_> = series.points.iter().map(|p| paper.place(*p)).collect();
    let path: Vec<_> = places
        .iter()
        .map(|(x, y)| format!("{x:.1} {y:.1}"))
        .collect();
    let dashes = if series.guide {
        " stroke-dasharray=\"4 4\""
    } else {
        ""
    };
    let _ = writeln!(
        svg,
        "<path class=\"series\" stroke=\"{colour}\"{dashes} d=\"M{}\"/>",
        path.join("L")
    );
    if series.guide {
        return;
    }
    for ((x, y), (refs, value)) in places.iter().zip(&series.points) {
        let value = (value * 100.0).round() / 100.0;
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{colour}\"><title>{}: {value} at {refs}</title></circle>",
            series.name
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(scenario: &str, refs: u32, seconds: f64, calls: u64) -> Row {
        Row {
            scenario: scenario.into(),
            refs,
            seconds: Some(seconds),
            control_seconds: None,
            ratio: None,
            cloud_calls: Some(calls),
            status_writes: None,
            rss_peak_mib: None,
            rss_steady_mib: None,
            ..Row::default()
        }
    }

    #[test]
    fn a_series_has_its_points_in_order_and_nothing_where_nothing_was_measured() {
        let rows = [
            row("cold_start", 1_000, 25.0, 1_000),
            row("restart", 100, 1.0, 0),
            row("cold_start", 100, 2.5, 100),
        ];
        let found = series(&rows, "cold_start", "x", |row| row.seconds);
        assert_eq!(found.points, [(100.0, 2.5), (1_000.0, 25.0)]);
        assert!(
            series(&rows, "cold_start", "x", |row| row.ratio)
                .points
                .is_empty()
        );
        assert_eq!(guide(&rows), [(100.0, 100.0), (1_000.0, 1_000.0)]);
    }

    #[test]
    fn decades_hold_all_values_and_are_never_empty() {
        assert_eq!(decades([2.5, 250.0].into_iter()), (0.0, 3.0));
        assert_eq!(decades([0.0, 100.0].into_iter()), (2.0, 3.0));
        assert_eq!(decades(std::iter::empty()), (0.0, 1.0));
    }

    #[test]
    fn ten_times_as_much_is_one_decade_further_and_zero_is_at_the_bottom() {
        let points = vec![(100.0, 0.0), (1_000.0, 10.0), (10_000.0, 1_000.0)];
        let series = [Series {
            name: "x".into(),
            points,
            guide: false,
        }];
        let paper = Paper::of(&series);
        let (x1, y1) = paper.place((1_000.0, 10.0));
        let (x2, y2) = paper.place((10_000.0, 1_000.0));
        assert!((x2 - x1 - (x1 - LEFT)).abs() < 1e-6);
        assert!((y1 - paper.floor()).abs() < 1e-6 && (y2 - TOP).abs() < 1e-6);
        assert!((paper.place((100.0, 0.0)).1 - (HEIGHT - BOTTOM)).abs() < 1e-6);
    }

    #[test]
    fn a_chart_names_its_series_and_shows_each_point() {
        let [(_, time), (name, calls)] = charts(&[row("restart", 100, 1.0, 0)]);
        assert_eq!(name, "calls.svg");
        assert_eq!(calls.matches("<circle").count(), 1);
        assert!(calls.contains("restart: 0 at 100") && !calls.contains(">10,000<"));
        assert_eq!(time.matches("<circle").count(), 0);
    }

    #[test]
    fn powers_of_ten_are_written_out() {
        assert_eq!(
            [-1.0, 0.0, 3.0, 5.0].map(label),
            ["0.1", "1", "1,000", "100,000"]
        );
    }
}
