//! A process of the operator.
//!
//! Owns its signals and its end. Must not know what it does. The invariant that would break first: the
//! id is the program's own, not its guard's.

use anyhow::{Context as _, Result, bail, ensure};
use cluster::Server;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// The operator stops within 25 s by its own rules.
const STOPPING: Duration = Duration::from_secs(40);

/// From a guard's start to that of its server.
pub const STARTING: Duration = Duration::from_secs(10);

/// A running process of the operator; it ends with this value.
pub struct Process {
    server: Server,
    /// Its process, below the guard's.
    pub pid: i32,
    /// When it was started.
    pub started: Instant,
}

impl Process {
    /// Waits until a guard's server is this program.
    pub(crate) async fn of(server: Server, program: &Path, started: Instant) -> Result<Self> {
        loop {
            if let Ok(pid) = server.pid() {
                let runs = std::fs::read_link(format!("/proc/{pid}/exe"));
                if runs.is_ok_and(|exe| exe == program) {
                    return Ok(Self {
                        server,
                        pid,
                        started,
                    });
                }
            }
            ensure!(started.elapsed() < STARTING, "{}", server.last_words());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// What it said so far.
    pub fn log(&self) -> String {
        self.server.log()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.server.ended()
    }

    /// The last lines that it said.
    pub fn last_words(&self) -> String {
        self.server.last_words()
    }

    /// An error with its last words if it has ended.
    pub fn alive(&mut self) -> Result<()> {
        match self.server.ended() {
            None => Ok(()),
            Some(status) => bail!(
                "the operator ended with {status}\n{}",
                self.server.last_words()
            ),
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.pid).context("not a process")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Waits until it has ended.
    pub async fn end(&mut self, within: Duration) -> Result<ExitStatus> {
        let asked = Instant::now();
        loop {
            if let Some(status) = self.server.ended() {
                return Ok(status);
            }
            ensure!(
                asked.elapsed() < within,
                "the operator does not stop\n{}",
                self.server.last_words()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks it to stop, as a rollout does, and waits until it has.
    pub async fn stop(mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        self.end(STOPPING).await.map(drop)
    }
}
