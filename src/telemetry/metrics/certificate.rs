//! When the webhook's certificate ends.
//!
//! Owns the one series. Must not know where a certificate comes from: somebody is asked. The invariant
//! that would break first: without a certificate there is no series, not one that says zero.

use super::families::{Gauges, Register};
use std::fmt;
use std::sync::OnceLock;

type Source = Box<dyn Fn() -> Option<i64> + Send + Sync>;

pub(super) struct Certificate {
    gauge: Gauges,
    source: OnceLock<Source>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}

impl Certificate {
    pub(super) fn register(to: &mut Register) -> Self {
        Self {
            gauge: to.gauges(
                "imageref_webhook_certificate_expiry_seconds",
                &[],
                "When the certificate that the webhook serves ends, in seconds since 1970",
            ),
            source: OnceLock::new(),
        }
    }

    /// A second source is left out.
    pub(super) fn ask(&self, source: impl Fn() -> Option<i64> + Send + Sync + 'static) {
        let _ = self.source.set(Box::new(source));
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds are far below 2^53")]
    pub(super) fn fill(&self) {
        let end = self.source.get().and_then(|source| source());
        self.gauge.set(end.map(|end| (Vec::new(), end as f64)));
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::Metrics;

    #[test]
    fn the_end_is_told_while_there_is_a_certificate() {
        let metrics = Metrics::default();
        let sample = "\nimageref_webhook_certificate_expiry_seconds{} ";
        assert!(!metrics.render().contains(sample));
        let ends = std::sync::Mutex::new([Some(1_900_000_000), None].into_iter());
        metrics.certificate_with(move || ends.lock().unwrap().next().flatten());
        let text = metrics.render();
        assert!(text.contains(&format!("{sample}1900000000.0\n")), "{text}");
        assert!(!metrics.render().contains(sample));
    }
}
