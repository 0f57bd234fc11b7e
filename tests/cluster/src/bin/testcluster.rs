//! `testcluster up`: a control plane in the foreground, for the demo and for trying things.
//!
//! Owns the arguments, the two files it is asked to write, and the wait for a reason to end. It
//! must not know how a cluster is started. The invariant that would break first: whatever ends
//! this process ends the cluster; the library sees to it, so nothing here may be needed for that.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};
use cluster::{Cluster, KUBECONFIG_MARK, write_private};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

/// A real kube-apiserver and etcd on loopback, for tests and the demo.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Subcommand)]
enum Subcommands {
    /// Start a control plane, print `ready: URL kubeconfig PATH`, and keep it until SIGTERM or
    /// SIGINT.
    Up(Up),
}

#[derive(clap::Args)]
struct Up {
    /// Write the admin's kubeconfig here as well (mode 0600); removed at the end.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Write the `ready:` line here once the control plane is ready; removed at the end.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Also end when standard input is closed, so that a caller that dies takes this along.
    #[arg(long)]
    until_stdin_closes: bool,
}

fn main() -> ExitCode {
    let Subcommands::Up(up) = Arguments::parse().command;
    match run(&up) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "testcluster: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(up: &Up) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(async {
        let mut reasons = Reasons::listen(up.until_stdin_closes)?;
        up.prepare()?;
        let starting = tokio::task::spawn_blocking(Cluster::start);
        let cluster = tokio::select! {
            cluster = starting => cluster.context("starting the cluster")??,
            // The servers end with this process; there is no handle to end them by.
            () = reasons.any() => return Ok(()),
        };
        let announced = up.announce(&cluster);
        if announced.is_ok() {
            reasons.any().await;
        }
        up.clean();
        announced.and(cluster.stop())
    });
    // A start that was interrupted still blocks a thread; do not wait for it.
    runtime.shutdown_background();
    result
}

impl Up {
    /// Refuses to overwrite a kubeconfig of someone else, before anything is started.
    fn prepare(&self) -> Result<()> {
        if let Some(path) = &self.kubeconfig
            && path.exists()
            && !fs::read_to_string(path)
                .unwrap_or_default()
                .starts_with(KUBECONFIG_MARK)
        {
            bail!(
                "{} exists and was not written by testcluster",
                path.display()
            );
        }
        self.clean();
        Ok(())
    }

    fn announce(&self, cluster: &Cluster) -> Result<()> {
        let mut path = cluster.kubeconfig_path().to_owned();
        if let Some(copy) = &self.kubeconfig {
            write_private(copy, cluster.kubeconfig_yaml())?;
            path = std::path::absolute(copy)?;
        }
        let line = format!("ready: {} kubeconfig {}\n", cluster.url(), path.display());
        if let Some(file) = &self.ready_file {
            write_private(file, &line)?;
        }
        // The line comes last: who reads it may use the files.
        let mut stdout = io::stdout();
        stdout
            .write_all(line.as_bytes())
            .and_then(|()| stdout.flush())
            .context("writing to stdout")
    }

    fn clean(&self) {
        for path in [&self.kubeconfig, &self.ready_file].into_iter().flatten() {
            remove(path);
        }
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        let _ = writeln!(
            io::stderr(),
            "testcluster: removing {}: {error}",
            path.display()
        );
    }
}

/// What ends the wait.
struct Reasons {
    term: Signal,
    interrupt: Signal,
    stdin_closed: Option<oneshot::Receiver<()>>,
}

impl Reasons {
    fn listen(until_stdin_closes: bool) -> Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            stdin_closed: until_stdin_closes.then(stdin_closed),
        })
    }

    async fn any(&mut self) {
        let stdin_closed = async {
            match &mut self.stdin_closed {
                Some(closed) => drop(closed.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.interrupt.recv() => {}
            () = stdin_closed => {}
        }
    }
}

/// Reads standard input to its end on a thread of its own: tokio's reader would hold up the end
/// of the runtime until the next line.
fn stdin_closed() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = sender.send(());
    });
    receiver
}
