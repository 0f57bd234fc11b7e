//! Panels drawn from what Prometheus scraped, as SVG.
//!
//! Owns the drawing. Must not know what is drawn. The invariant that would break first: every series of
//! a panel that is drawn is in it.

use super::prometheus::Series;
use super::queries::Drawn;
use serde_json::Value;
use std::fmt::Write as _;

const WIDTH: f64 = 312.0;
const HEIGHT: f64 = 180.0;
const ACROSS: usize = 3;
/// Between the border of a panel and its lines, and more where its title is and its legend.
const EDGE: f64 = 10.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 46.0;
/// Seconds between two points of one line, at most.
const MOST_APART: f64 = 5.0;
/// In characters.
const LONGEST_LEGEND: usize = 46;

/// Colours that people with colour blindness can tell apart (Okabe and Ito).
const COLOURS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999",
];

const STYLE: &str = "<style>text{font:11px system-ui,sans-serif;fill:#333}.title{font-size:13px;font-weight:600}\
    .frame{fill:none;stroke:#888;stroke-opacity:.4}.series{fill:none;stroke-width:1.6}\
    @media(prefers-color-scheme:dark){text{fill:#ddd}}</style>";

/// A line: its name and its points.
type Line<'a> = (String, &'a [(f64, f64)]);

/// Draws the panels that have lines, those of one title in one frame.
pub(super) fn svg(queries: &[(Drawn, Vec<Series>)], time: (f64, f64)) -> String {
    let mut panels: Vec<(&str, Vec<Line<'_>>)> = Vec::new();
    for (drawn, series) in queries {
        let series = series.iter().filter(|(_, points)| points.len() > 1);
        let lines = series.map(|(labels, points)| (name(&drawn.legend, labels), points.as_slice()));
        match panels.last_mut().filter(|(last, _)| *last == drawn.title) {
            Some((_, all)) => all.extend(lines),
            None => panels.push((&drawn.title, lines.collect())),
        }
    }
    panels.retain(|(_, lines)| !lines.is_empty());
    let size = |count: usize| f64::from(u32::try_from(count).unwrap());
    let (width, height) = (
        size(ACROSS) * WIDTH,
        size(panels.len().div_ceil(ACROSS)) * HEIGHT,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"Panels of the dashboard\">{STYLE}\n"
    );
    for (at, (title, lines)) in panels.iter().enumerate() {
        let corner = (size(at % ACROSS) * WIDTH, size(at / ACROSS) * HEIGHT);
        panel(&mut svg, title, lines, corner, time);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, title: &str, lines: &[Line<'_>], (x, y): (f64, f64), time: (f64, f64)) {
    let values = || {
        lines
            .iter()
            .flat_map(|(_, points)| points.iter().map(|point| point.1))
    };
    let low = values().fold(0.0, f64::min);
    let high = values().fold(low + f64::MIN_POSITIVE, f64::max);
    let (floor, roof) = (y + HEIGHT - BOTTOM, y + TOP + EDGE);
    let place = |(at, value): &(f64, f64)| {
        let across = (at - time.0) / (time.1 - time.0).max(1.0);
        let up = (value - low) / (high - low);
        (
            x + EDGE + across * (WIDTH - 3.0 * EDGE),
            floor - up * (floor - roof),
        )
    };
    let _ = writeln!(
        svg,
        "<rect class=\"frame\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"3\"/>\
         <text class=\"title\" x=\"{}\" y=\"{}\">{}</text>\
         <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
        x + 3.0,
        y + 3.0,
        WIDTH - 6.0,
        HEIGHT - 6.0,
        x + EDGE,
        y + 20.0,
        escaped(title),
        x + WIDTH - EDGE,
        y + 34.0,
        shown(high),
    );
    let mut legend = Legend::default();
    for ((name, points), colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let mut path = String::new();
        let mut before = f64::NEG_INFINITY;
        for point in *points {
            // Where nothing was, there is no line.
            let to = if point.0 - before > MOST_APART {
                'M'
            } else {
                'L'
            };
            let (x, y) = place(point);
            let _ = write!(path, "{to}{x:.1} {y:.1}");
            before = point.0;
        }
        let _ = writeln!(
            svg,
            "<path class=\"series\" stroke=\"{colour}\" d=\"{path}\"><title>{}</title></path>",
            escaped(name)
        );
        legend.add(name, colour);
    }
    let (x, y) = (x + EDGE, y + HEIGHT - 14.0);
    let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\">{}</text>", legend.text());
}

/// As many names as there is room for.
#[derive(Default)]
struct Legend {
    text: String,
    length: usize,
    left_out: usize,
}

impl Legend {
    fn add(&mut self, name: &str, colour: &str) {
        self.length += name.chars().count() + 3;
        if self.length > LONGEST_LEGEND {
            self.left_out += 1;
        } else if !name.is_empty() {
            let name = escaped(name);
            let _ = write!(
                self.text,
                "<tspan style=\"fill:{colour}\">■</tspan> {name} "
            );
        }
    }

    fn text(self) -> String {
        match self.left_out {
            0 => self.text,
            more => format!("{}and {more} more", self.text),
        }
    }
}

/// The legend with the labels in it.
fn name(legend: &str, labels: &Value) -> String {
    let labels = labels.as_object().into_iter().flatten();
    labels.fold(legend.to_owned(), |text, (label, value)| {
        text.replace(
            &format!("{{{{{label}}}}}"),
            value.as_str().unwrap_or_default(),
        )
    })
}

fn shown(value: f64) -> String {
    if value >= 1e6 {
        format!("{:.1} M", value / 1e6)
    } else if value >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
