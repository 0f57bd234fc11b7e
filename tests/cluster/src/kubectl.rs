//! Runs the pinned kubectl against one cluster.
//!
//! Owns the environment of that process, its limit in time, and its output. It must not know what
//! it asks for. The invariant that would break first: no run depends on the machine's own
//! kubectl settings. The kubeconfig, the discovery cache (a port may have served other resources
//! yesterday) and `kuberc` are all set here.

use std::{
    ffi::OsStr,
    io::{Read, Write as _},
    path::PathBuf,
    process::{Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

pub(crate) struct Kubectl {
    pub(crate) program: PathBuf,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) cache: PathBuf,
}

impl Kubectl {
    /// A command with the right environment. `--kubeconfig` among its arguments wins.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("KUBECACHEDIR", &self.cache)
            .env("KUBERC", "off");
        command
    }

    /// Runs to the end or to the limit. A status other than zero is no error here.
    pub(crate) fn output(
        &self,
        args: &[&str],
        stdin: Option<&str>,
        limit: Duration,
    ) -> Result<Output> {
        let mut child = self
            .command(args)
            .stdin(if stdin.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", self.program.display()))?;
        let (input, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());

        // Three pipes, three threads: kubectl may write before it has read all.
        thread::scope(|scope| {
            scope.spawn(move || {
                if let (Some(mut pipe), Some(text)) = (input, stdin) {
                    // A kubectl that stops reading says why on stderr.
                    let _ = pipe.write_all(text.as_bytes());
                }
            });
            let out = scope.spawn(move || read_all(out));
            let err = scope.spawn(move || read_all(err));
            let status = wait(&mut child, limit);
            if status.is_err() {
                let _ = child.kill();
                let _ = child.wait();
            }
            let stdout = out.join().unwrap_or_default();
            let stderr = err.join().unwrap_or_default();
            let status = status.with_context(|| {
                format!(
                    "kubectl {}: {}",
                    args.join(" "),
                    String::from_utf8_lossy(&stderr).trim()
                )
            })?;
            Ok(Output {
                status,
                stdout,
                stderr,
            })
        })
    }

    /// What kubectl printed, if it succeeded; else an error with its arguments and its stderr.
    pub(crate) fn text(
        &self,
        args: &[&str],
        stdin: Option<&str>,
        limit: Duration,
    ) -> Result<String> {
        let output = self.output(args, stdin, limit)?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            bail!(
                "kubectl {} ({}): {}",
                args.join(" "),
                output.status,
                why.trim()
            );
        }
        String::from_utf8(output.stdout).context("kubectl printed something other than UTF-8")
    }
}

fn read_all(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = pipe.read_to_end(&mut bytes);
    }
    bytes
}

/// Waits for a child without a thread or a signal handler of its own.
pub(crate) fn wait(child: &mut std::process::Child, limit: Duration) -> Result<ExitStatus> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if started.elapsed() >= limit {
            bail!("still running after {limit:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}
