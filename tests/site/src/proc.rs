//! What the kernel says about a process: memory, CPU time, threads, open files.
//!
//! Owns the formats under `/proc`. Must not know which process is meant. The invariant that would
//! break first: a name with spaces or brackets does not shift the fields of `stat`.

use anyhow::{Context as _, Result};
use std::fs;

/// A resident set, in MiB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rss {
    /// Now.
    pub current: f64,
    /// The largest since the start, or since [`reset_peak`].
    pub peak: f64,
}

/// The resident set of a process.
pub fn rss(pid: i32) -> Result<Rss> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    parse_rss(&text).with_context(|| format!("{path} names no resident set"))
}

fn parse_rss(status: &str) -> Option<Rss> {
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u32 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(f64::from(kib) / 1024.0)
    };
    Some(Rss {
        current: mib("VmRSS:")?,
        peak: mib("VmHWM:")?,
    })
}

/// Has the peak counted anew from now on.
pub fn reset_peak(pid: i32) -> Result<()> {
    let path = format!("/proc/{pid}/clear_refs");
    fs::write(&path, "5").with_context(|| format!("writing {path}"))
}

/// The private writable memory of a process that the kernel has promised it, in bytes: what its limit of
/// data is about.
pub fn data_bytes(pid: i32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let data = text.lines().find_map(|line| line.strip_prefix("VmData:"));
    let data = data.and_then(|data| data.trim().strip_suffix(" kB"));
    let data: u64 = data.context("no data")?.trim().parse()?;
    Ok(data * 1024)
}

/// The threads of a process.
pub fn threads(pid: i32) -> Result<u32> {
    entries(&format!("/proc/{pid}/task"))
}

/// The files and connections that a process has open.
pub fn descriptors(pid: i32) -> Result<u32> {
    entries(&format!("/proc/{pid}/fd"))
}

fn entries(folder: &str) -> Result<u32> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {folder}"))?;
    Ok(u32::try_from(entries.count())?)
}

/// The CPU time of a process so far, in seconds.
pub fn cpu_seconds(pid: i32) -> Result<f64> {
    let ticks = u32::try_from(rustix::param::clock_ticks_per_second())?;
    let stat = stat(pid)?;
    Ok(f64::from(stat.ticks) / f64::from(ticks))
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    ticks: u32,
}

fn stat(pid: i32) -> Result<Stat> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    parse_stat(&text).with_context(|| format!("{path} cannot be read"))
}

/// The name in brackets may hold anything; the third field follows the last bracket.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u32>().ok();
    Some(Stat {
        ticks: number(14)? + number(15)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resident_set_is_read_in_mib() {
        let status = "Name:\timageref\nVmHWM:\t   65536 kB\nVmRSS:\t   32768 kB\nThreads:\t4\n";
        let expected = Rss {
            current: 32.0,
            peak: 64.0,
        };
        assert_eq!(parse_rss(status), Some(expected));
        assert_eq!(parse_rss("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn cpu_time_is_the_sum_of_user_and_system_whatever_the_name() {
        let stat = "42 (a) b (c)) S 7 42 42 0 -1 4194304 900 0 0 0 120 30 0 0 20 0 4 0 99 1 2";
        let expected = Stat { ticks: 150 };
        assert_eq!(parse_stat(stat), Some(expected));
        assert_eq!(parse_stat("42 (short) S 7"), None);
    }

    #[test]
    fn this_process_has_memory_and_a_peak_that_can_be_reset() {
        let own = i32::try_from(std::process::id()).unwrap();
        reset_peak(own).unwrap();
        let rss = rss(own).unwrap();
        assert!(rss.current > 0.0 && rss.peak > 0.0);
        assert!(cpu_seconds(own).unwrap() >= 0.0);
        assert!(data_bytes(own).unwrap() > 0);
        assert!(threads(own).unwrap() > 0 && descriptors(own).unwrap() > 2);
    }
}
