//! What the processes hold, as the kernel and they themselves say.
//!
//! Owns the reading. Must not know how much is too much. The invariant that would break first: what is
//! read of a place is all of one process, or nothing.

use super::processes::{NAMES, get};
use crate::rules::Level;
use anyhow::{Result, ensure};
use site::proc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

/// Reads what the process of a place holds, whichever that is now.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    /// By places; 0 where none runs.
    pids: Arc<[AtomicI32; 3]>,
    ports: [u16; 3],
}

impl Meter {
    pub(super) fn new(ports: [u16; 3]) -> Self {
        Self {
            pids: Arc::default(),
            ports,
        }
    }

    pub(super) fn note(&self, place: usize, pid: i32) {
        self.pids[place].store(pid, Ordering::Relaxed);
    }

    /// What the process of a place counts: the text of its metrics.
    pub(crate) async fn metrics(&self, place: usize) -> Result<String> {
        get(self.ports[place], "/metrics").await
    }

    /// The process of a place and what it holds.
    pub(crate) async fn read(&self, place: usize) -> Result<(i32, Level)> {
        let pid = self.pids[place].load(Ordering::Relaxed);
        ensure!(pid != 0, "{} does not run", NAMES[place]);
        let rss = proc::rss(pid)?;
        let metrics = self.metrics(place).await?;
        let level = Level {
            descriptors: proc::descriptors(pid)?,
            threads: proc::threads(pid)?,
            tasks: gauge(&metrics, "imageref_tasks"),
            leads: gauge(&metrics, "imageref_leader") == Some(1),
            rss_mib: rss.current,
            peak_mib: rss.peak,
        };
        let now = self.pids[place].load(Ordering::Relaxed);
        ensure!(now == pid, "{} was started anew", NAMES[place]);
        Ok((pid, level))
    }
}

/// A number without labels, where the process tells it.
fn gauge(metrics: &str, name: &str) -> Option<u32> {
    let mut lines = metrics.lines();
    let of = |line: &str| -> Option<u32> {
        let rest = line.strip_prefix(name)?;
        let number = rest.strip_prefix("{}").unwrap_or(rest).strip_prefix(' ')?;
        number.strip_suffix(".0").unwrap_or(number).parse().ok()
    };
    lines.find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_metrics() {
        let text = "# TYPE imageref_tasks gauge\nimageref_tasks 41\nimageref_leader{} 1.0\n";
        assert_eq!(gauge(text, "imageref_tasks"), Some(41));
        assert_eq!(gauge(text, "imageref_leader"), Some(1));
        assert_eq!(gauge("imageref_tasks_x 1\n", "imageref_tasks"), None);
    }

    #[tokio::test]
    async fn a_place_without_a_process_is_nothing() {
        assert!(Meter::new([1, 1, 1]).read(0).await.is_err());
    }
}
