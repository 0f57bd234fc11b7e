//! Durations as users write them: `90s`, `30m`, `1h30m`, `500ms`.
//!
//! Owns the one spelling that the CRD's pattern, the CLI and the planner agree on. The invariant
//! that would break first: [`parse`] accepts exactly what [`PATTERN`] accepts.

use kube::core::Rule;
use std::time::Duration;

/// The pattern of the CRD schema. Days and weeks are left out on purpose: CEL's `duration()` and
/// Go do not know them, and a user who writes `7d` should hear so at once.
pub const PATTERN: &str = "^([0-9]{1,6}(h|m|s|ms))+$";

/// Longest accepted text. It keeps the sum of all parts far below what 64-bit nanoseconds hold.
pub const MAX_LENGTH: usize = 16;

/// A CEL rule about a duration field. A text that is none breaks the rule too, since `false && …`
/// never reaches CEL's `duration()`: its own error would be about types, not about the spelling.
pub fn rule(check: &str, message: &str) -> Rule {
    let message = format!("{message}, in h, m, s and ms such as 1h30m (a day is 24h)");
    Rule::new(format!("self.matches('{PATTERN}') && ({check})")).message(message.as_str())
}

/// Reads a duration; `None` if the text does not match [`PATTERN`] or is too long.
///
/// ```
/// use imageref::api::duration::parse;
/// use std::time::Duration;
/// assert_eq!(parse("1h30m"), Some(Duration::from_secs(5400)));
/// assert_eq!(parse("7d"), None);
/// ```
pub fn parse(text: &str) -> Option<Duration> {
    if text.is_empty() || text.len() > MAX_LENGTH {
        return None;
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=6).contains(&digits) {
            return None;
        }
        let (number, after) = rest.split_at(digits);
        let number: u64 = number.parse().ok()?;
        // "ms" before "m": the longer unit wins.
        let units: [(&str, Duration); 4] = [
            ("ms", Duration::from_millis(number)),
            ("h", Duration::from_secs(number * 3600)),
            ("m", Duration::from_secs(number * 60)),
            ("s", Duration::from_secs(number)),
        ];
        let (unit, value) = units
            .into_iter()
            .find(|(unit, _)| after.starts_with(unit))?;
        total += value;
        rest = &after[unit.len()..];
    }
    Some(total)
}

/// Writes a duration in the spelling that [`parse`] reads, to the millisecond. From 10,000 hours on it may be
/// longer than [`MAX_LENGTH`].
pub fn format(duration: Duration) -> String {
    let millis = duration.as_millis();
    let parts = [
        (millis / 3_600_000, "h"),
        (millis / 60_000 % 60, "m"),
        (millis / 1000 % 60, "s"),
        (millis % 1000, "ms"),
    ];
    let mut text = String::new();
    for (number, unit) in parts.into_iter().filter(|(number, _)| *number > 0) {
        text += &number.to_string();
        text += unit;
    }
    if text.is_empty() { "0s".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn units_add_up_and_anything_else_is_refused() {
        assert_eq!(parse("0s"), Some(Duration::ZERO));
        assert_eq!(parse("1m500ms"), Some(Duration::from_millis(60_500)));
        assert_eq!(parse("168h"), Some(Duration::from_secs(168 * 3600)));
        for bad in [
            "", "7d", "1 minute", "1.5h", "-1s", "h", "1", "1H", "1234567s", "1h ", "１s",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 0u64..36_000_000_000) {
            let duration = Duration::from_millis(millis);
            let text = format(duration);
            prop_assert!(text.len() <= MAX_LENGTH, "{}", text);
            prop_assert_eq!(parse(&text), Some(duration));
        }

        #[test]
        fn arbitrary_text_never_panics(text in "\\PC{0,20}") {
            let _ = parse(&text);
        }
    }
}
