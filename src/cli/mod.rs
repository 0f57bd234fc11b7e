//! The command line: one file a subcommand.
//!
//! Owns arguments, exit codes and what is printed for people. Must not decide anything about
//! images. The invariant that would break first: what is meant for a pipe goes to standard output,
//! everything else to standard error.

mod cluster;
mod controller;
mod crd;
mod resolve;

use crate::cloud::{AllowedEndpoints, Clouds, Network, Proxies};
use crate::telemetry;
use anyhow::{Context as _, Result, anyhow};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Resolves, checks and watches workload images of AI clouds.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    logs: telemetry::LogArguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator: watch ImageRefs and keep their status true
    Controller(controller::Arguments),
    /// Print the `CustomResourceDefinitions`
    Crd(crd::Arguments),
    /// Say what the operator would say about references in files, without a cluster
    Resolve(resolve::Arguments),
}

/// What every subcommand that asks a platform is told by the operator's owner, never by a tenant.
#[derive(Debug, clap::Args)]
struct EndpointArguments {
    /// An origin other than the vendors' own that providers may name in `endpoint`, such as
    /// `https://modelarts.internal.example`; may be given several times
    #[arg(
        long = "allow-endpoint",
        env = "IMAGEREF_ALLOW_ENDPOINT",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    allow_endpoint: Vec<String>,
    /// For tests: let what --allow-endpoint names be on this machine, over plain http:// too
    #[arg(long, env = "IMAGEREF_INSECURE_LOOPBACK")]
    insecure_loopback: bool,
    /// Certificates to trust next to the system's, in PEM
    #[arg(long, env = "IMAGEREF_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl EndpointArguments {
    fn allowed(&self) -> Result<AllowedEndpoints> {
        AllowedEndpoints::new(&self.allow_endpoint, self.insecure_loopback).map_err(|e| anyhow!(e))
    }

    fn clouds(&self) -> Result<Clouds> {
        let extra_roots = match &self.ca_file {
            Some(path) => {
                std::fs::read(path).with_context(|| format!("reading {}", path.display()))?
            }
            None => Vec::new(),
        };
        let network = Network {
            extra_roots,
            allowed: self.allowed()?,
            proxies: Proxies::from_env().map_err(|e| anyhow!(e))?,
            ..Network::default()
        };
        Clouds::new(network).map_err(|e| anyhow!(e))
    }
}

/// Runs a subcommand; returns the exit code of the process.
pub fn main(arguments: Arguments) -> ExitCode {
    telemetry::init(&arguments.logs);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("starting the runtime")),
    };
    let result = match arguments.command {
        Command::Controller(arguments) => runtime.block_on(controller::run(arguments)),
        Command::Crd(arguments) => crd::run(&arguments),
        Command::Resolve(arguments) => runtime.block_on(resolve::run(arguments)),
    };
    result.unwrap_or_else(|error| fail(&error))
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::from(2)
}
