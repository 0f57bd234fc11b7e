//! A slope by least squares, over several lives of a process.
//!
//! Owns the arithmetic. Must not know what the points are. The invariant that would break first: each
//! life has a level of its own, so that a fresh start is no fall.

use serde::Serialize;
use std::collections::BTreeMap;

/// A value at a time, of one life.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) life: i32,
    pub(super) hours: f64,
    pub(super) value: f64,
}

/// Per hour, and how far the true one may be from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Slope {
    pub(super) value: f64,
    pub(super) standard_error: f64,
}

/// The common slope of all lives; none without two times in one life and one point more.
pub(super) fn of(points: &[Point]) -> Option<Slope> {
    let mut lives = BTreeMap::<i32, Vec<&Point>>::new();
    for point in points {
        lives.entry(point.life).or_default().push(point);
    }
    let mut centred = Vec::new();
    for life in lives.values() {
        let mean = |of: fn(&Point) -> f64| {
            life.iter().map(|point| of(point)).sum::<f64>() / count(life.len())
        };
        let (hours, value) = (mean(|point| point.hours), mean(|point| point.value));
        let from_mean = |point: &&Point| (point.hours - hours, point.value - value);
        centred.extend(life.iter().map(from_mean));
    }
    let squares: f64 = centred.iter().map(|(x, _)| x * x).sum();
    let free = centred.len().checked_sub(lives.len() + 1)?;
    if squares <= 0.0 || free == 0 {
        return None;
    }
    let value = centred.iter().map(|(x, y)| x * y).sum::<f64>() / squares;
    let left: f64 = centred.iter().map(|(x, y)| (y - value * x).powi(2)).sum();
    Some(Slope {
        value,
        standard_error: (left / count(free) / squares).sqrt(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "points are far fewer than 2^53")]
fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(life: i32, hours: f64, value: f64) -> Point {
        Point { life, hours, value }
    }

    #[test]
    fn a_line_has_its_slope_and_no_error() {
        let points: Vec<_> = (0..10)
            .map(|n| point(1, f64::from(n), 3.0 + 2.0 * f64::from(n)))
            .collect();
        let slope = of(&points).unwrap();
        assert!(
            (slope.value - 2.0).abs() < 1e-9 && slope.standard_error < 1e-9,
            "{slope:?}"
        );
    }

    #[test]
    fn a_fresh_start_is_no_fall() {
        let first = (0..5).map(|n| point(1, f64::from(n), 100.0));
        let second = (5..9).map(|n| point(2, f64::from(n), 10.0));
        let slope = of(&first.chain(second).collect::<Vec<_>>()).unwrap();
        assert!(slope.value.abs() < 1e-9, "{slope:?}");
    }

    #[test]
    fn noise_shows_in_the_error_and_too_little_has_no_slope() {
        // By hand: x̄ = 1, ȳ = 1, Sxx = 2, Sxy = 1, so 1/2; residuals 0.5, -1, 0.5, so √(1.5 / 1 / 2).
        let points = [point(1, 0.0, 1.0), point(1, 1.0, 0.0), point(1, 2.0, 2.0)];
        let slope = of(&points).unwrap();
        assert!((slope.value - 0.5).abs() < 1e-9);
        assert!(
            (slope.standard_error - 0.75_f64.sqrt()).abs() < 1e-9,
            "{slope:?}"
        );
        assert_eq!(of(&points[..2]), None);
        assert_eq!(of(&[]), None);
    }
}
