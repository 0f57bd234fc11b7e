//! Owns the command line of the simulated clouds: where to listen, whom to tell, when to end.
//! Must not be known here: what the clouds do.

use anyhow::Context;
use clap::Parser;
use fakecloud::FakeCloud;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// Simulated image clouds: Huawei Cloud `ModelArts`, IAM, STS and metadata, Alibaba Cloud PAI, STS and
/// metadata.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// File to write the URL to once the clouds listen.
    #[arg(long)]
    port_file: Option<PathBuf>,
    /// Ends when standard input is closed, so that the clouds do not outlive who started them.
    #[arg(long)]
    until_stdin_closes: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut terminate = signal(SignalKind::terminate()).context("watching for SIGTERM")?;
    let cloud = FakeCloud::bind(arguments.listen)
        .await
        .with_context(|| format!("listening on {}", arguments.listen))?;
    if let Some(file) = &arguments.port_file {
        // Renamed into place: a reader sees the whole URL or no file.
        let draft = file.with_extension("draft");
        std::fs::write(&draft, cloud.url())
            .with_context(|| format!("writing {}", draft.display()))?;
        std::fs::rename(&draft, file).with_context(|| format!("writing {}", file.display()))?;
    }
    writeln!(std::io::stdout(), "fakecloud listening on {}", cloud.url())
        .context("writing to standard output")?;

    let (closed, stdin_closed) = tokio::sync::oneshot::channel();
    if arguments.until_stdin_closes {
        std::thread::spawn(move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            let _ = closed.send(());
        });
    } else {
        // Never ends: a sender that is neither used nor dropped.
        std::mem::forget(closed);
    }
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted.context("watching for ctrl-c")?,
        _ = stdin_closed => {}
    }
    Ok(())
}
