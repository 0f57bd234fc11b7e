//! One server process under `guard.sh`.
//!
//! Owns the guard, the pipe that keeps it going, and the server's log. It must not know which
//! server it runs. The invariant that would break first: this struct alone holds the write end of
//! the pipe. The standard library marks it close-on-exec, so no other child inherits it; if one
//! did, the server would live as long as that child.

use std::{
    fs,
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::kubectl::wait;

const GUARD: &str = include_str!("guard.sh");

/// A kill and the removal of a small folder; generous for a machine under load.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// What to run.
#[derive(Debug)]
pub struct Spec<'a> {
    /// Name of the log and in errors.
    pub name: &'static str,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables of its environment, next to the inherited ones.
    pub env: Vec<(String, String)>,
    /// The server's working folder; its log is `NAME.log` in there.
    pub folder: &'a Path,
    /// Whether the guard removes the folder after the server was ended.
    pub removes_folder: bool,
}

/// A process that ends when this value is dropped, and at the latest when its owner dies.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    guard: Child,
    log: PathBuf,
    log_start: u64,
}

impl Server {
    /// Starts a server; that it runs does not mean that it is ready.
    pub fn spawn(spec: Spec<'_>) -> Result<Self> {
        let Spec {
            name,
            program,
            args,
            env,
            folder,
            removes_folder,
        } = spec;
        let log = folder.join(format!("{name}.log"));
        let file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("opening {}", log.display()))?;
        let log_start = file.metadata()?.len();
        let guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "guard"])
            .arg(if removes_folder {
                folder
            } else {
                Path::new("")
            })
            .arg(program)
            .args(args)
            .envs(env)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(file.try_clone()?)
            .stderr(file)
            // Ctrl-C in a terminal reaches the owner alone; the guard ends because of its owner.
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        Ok(Self {
            name,
            guard,
            log,
            log_start,
        })
    }

    /// The status of a server that has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.guard.try_wait().ok().flatten()
    }

    /// The server's own process, below the guard's.
    ///
    /// # Errors
    /// If it is not found: it does not run yet, or no more.
    pub fn pid(&self) -> Result<i32> {
        let guard = self.guard.id();
        let children = fs::read_to_string(format!("/proc/{guard}/task/{guard}/children"))
            .context("the children of a process are known on Linux only")?;
        // The guard's first child; its second waits for the end of the pipe.
        let server = children.split_whitespace().next();
        let server = server.with_context(|| format!("{} does not run", self.name))?;
        Ok(server.parse()?)
    }

    /// Sends the server itself a signal, such as `STOP`.
    ///
    /// # Errors
    /// If it is not found, or the signal is not sent.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let server = self.pid()?.to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &server])
            .status()?;
        ensure!(sent.success(), "{} took no {signal}", self.name);
        Ok(())
    }

    /// What this process has logged, without the runs before it.
    pub fn log(&self) -> String {
        let mut bytes = Vec::new();
        if let Ok(mut file) = fs::File::open(&self.log)
            && file.seek(SeekFrom::Start(self.log_start)).is_ok()
        {
            let _ = file.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The name and the last lines of the log, for an error.
    pub fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(15)..].join("\n  ");
        format!("last lines of {}:\n  {tail}", self.name)
    }

    /// Kills the server and waits until it is gone. There is nothing to save, so nothing is asked
    /// to shut down in order.
    pub fn stop(&mut self) -> Result<()> {
        drop(self.guard.stdin.take());
        wait(&mut self.guard, STOP_LIMIT)
            .map(drop)
            .with_context(|| format!("ending {}", self.name))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}
