//! The process itself: memory, processor time, open files, tasks, start.
//!
//! Owns the reading of `/proc`, and of the runtime. Must not know the program. The invariant that would break first: where
//! something cannot be read there is no series, never a wrong one.
//!
//! Source: the Linux manual page proc(5); the names are those that client libraries of Prometheus
//! share.

use super::families::Register;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// Clock ticks a second, as the kernel shows times to programs on every architecture.
const TICKS: f64 = 100.0;

const MEMORY: &str = "process_resident_memory_bytes";
const PROCESSOR: &str = "process_cpu_seconds";
const FILES: &str = "process_open_fds";
const TASKS: &str = "imageref_tasks";
const START: &str = "process_start_time_seconds";

#[derive(Debug)]
struct Process {
    started: f64,
}

/// Registers what is known of this process. Its start counts as now.
pub(super) fn register(register: &mut Register) {
    for (name, kind) in [
        (MEMORY, "gauge"),
        (PROCESSOR, "counter"),
        (FILES, "gauge"),
        (TASKS, "gauge"),
        (START, "gauge"),
    ] {
        register.describe(name, kind, &[]);
    }
    let started = SystemTime::now().duration_since(UNIX_EPOCH);
    let started = started.map_or(0.0, |since| since.as_secs_f64());
    let process = Box::new(Process { started });
    register.registry.register_collector(process);
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        if let Some(bytes) = fs::read_to_string("/proc/self/status")
            .ok()
            .and_then(|status| resident(&status))
        {
            let gauge = ConstGauge::new(bytes);
            let help = "Resident memory of the process";
            let metric = encoder.encode_descriptor(MEMORY, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        if let Some(seconds) = fs::read_to_string("/proc/self/stat")
            .ok()
            .and_then(|stat| processor(&stat))
        {
            let counter = ConstCounter::new(seconds);
            let help = "Processor time that the process has used, in user and system";
            let metric = encoder.encode_descriptor(PROCESSOR, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // Reading the folder opens it.
            let open = open.count().saturating_sub(1);
            let gauge = ConstGauge::new(i64::try_from(open).unwrap_or(i64::MAX));
            let help = "Files and connections that the process has open";
            let metric = encoder.encode_descriptor(FILES, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let tasks = runtime.metrics().num_alive_tasks();
            let gauge = ConstGauge::new(i64::try_from(tasks).unwrap_or(i64::MAX));
            let help = "Tasks of the runtime that have begun and not ended";
            let metric = encoder.encode_descriptor(TASKS, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        let gauge = ConstGauge::new(self.started);
        let help = "When the process started, in seconds since 1970";
        let metric = encoder.encode_descriptor(START, help, None, gauge.metric_type())?;
        gauge.encode(metric)
    }
}

/// The bytes in `/proc/self/status`.
fn resident(status: &str) -> Option<i64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The seconds in `/proc/self/stat`.
fn processor(stat: &str) -> Option<f64> {
    // The program's name is in brackets and may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let user: u32 = fields.nth(11)?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some((f64::from(user) + f64::from(system)) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    #[tokio::test]
    async fn a_task_counts_until_it_has_ended() {
        let tasks = || {
            let text = Metrics::default().render();
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("imageref_tasks "));
            line.map(str::to_owned)
        };
        assert_eq!(tasks().as_deref(), Some("0"));
        let waits = tokio::spawn(std::future::pending::<()>());
        assert_eq!(tasks().as_deref(), Some("1"));
        waits.abort();
        assert!(waits.await.is_err());
        assert_eq!(tasks().as_deref(), Some("0"));
        let elsewhere = std::thread::spawn(|| Metrics::default().render());
        assert!(!elsewhere.join().unwrap().contains("\nimageref_tasks "));
    }

    #[test]
    fn what_the_kernel_writes_is_read_and_anything_else_is_nothing() {
        let status = "Name:\tx\nVmPeak:\t 9 kB\nVmRSS:\t   52340 kB\nThreads:\t3\n";
        assert_eq!(resident(status), Some(52340 * 1024));
        assert_eq!(resident("VmRSS:\tmuch\n"), None);
        let stat = "7 (a) b ) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0";
        assert_eq!(processor(stat), Some(3.0));
        for odd in ["", "7 (a) S 1", "7 (a) S 1 2 3 4 5 6 7 8 9 10 x 50"] {
            assert_eq!(processor(odd), None, "{odd}");
        }
    }
}
