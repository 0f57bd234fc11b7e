//! `imageref audit`: the verdict of admission on what is in a cluster already.
//!
//! Owns the arguments, which objects are judged, and the exit code. Must not decide anything about
//! images. The invariant that would break first: nothing is written, and of what passes nothing is
//! kept, so that the size of the cluster does not matter.

mod kinds;
mod tally;

pub(super) use tally::as_applied;

use super::cluster::{self, ConnectArguments, Pages, Wanted};
use super::input::arguments::{OperatorArguments, check_namespace};
use super::input::problem;
use super::output::say;
use super::verdicts::{Around, JudgeArguments};
use crate::admission::Known;
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::ApiResource;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;
use tally::Tally;

/// The input is wrong.
const BAD_INPUT: u8 = 2;

/// Pods that ended run no image any more.
const RUNNING: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// Arguments of `imageref audit`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    connect: ConnectArguments,
    /// The namespace to judge [default: that of the context]
    #[arg(short, long)]
    namespace: Option<String>,
    /// Judge all namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Judge the objects too that make pods, and that nothing else made
    #[arg(long)]
    templates: bool,
    #[command(flatten)]
    operator: OperatorArguments,
    #[command(flatten)]
    judging: JudgeArguments,
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    arguments.operator.check()?;
    if let Some(namespace) = &arguments.namespace {
        check_namespace("--namespace", namespace)?;
    }
    let mut problems = Vec::new();
    let configuration = arguments.judging.configuration(&mut problems);
    if !problems.is_empty() {
        say(&problem::report(&problems, "nothing was judged"));
        return Ok(ExitCode::from(BAD_INPUT));
    }
    let (client, own) = arguments.connect.connect().await?;
    let scope = (!arguments.all_namespaces).then(|| arguments.namespace.clone().unwrap_or(own));
    let (namespaces, references) = match &scope {
        None => (
            cluster::namespaces(&client).await?,
            cluster::references(&client, None).await?,
        ),
        Some(name) => {
            let labels = cluster::labels_of(&client, name).await?;
            let mut counting = configuration.shared_namespaces().to_vec();
            counting.retain(|shared| shared != name);
            counting.push(name.clone());
            (
                BTreeMap::from([(name.clone(), labels)]),
                cluster::references(&client, Some(&counting)).await?,
            )
        }
    };
    let mut known = Known::new(configuration.mirrors());
    for one in references {
        known.insert(one.known());
    }
    let around = Around {
        own_namespace: &arguments.operator.operator_namespace,
        mode: arguments.judging.mode(),
        known: &known,
        configuration: &configuration,
    };
    let mut tally = Tally::new(&namespaces, &around);
    let mut kinds = vec![ApiResource::erase::<Pod>(&())];
    if arguments.templates {
        kinds.extend(kinds::served(&client, &configuration).await?);
    }
    let bar = progress();
    for resource in kinds {
        let wanted = Wanted {
            fields: (resource.kind == "Pod").then_some(RUNNING),
            resource,
            namespace: scope.clone(),
            labels: None,
        };
        let judging = judge_all(&client, &wanted, &mut tally, &bar).await;
        if judging.is_err() {
            bar.finish_and_clear();
        }
        judging?;
    }
    bar.finish_and_clear();
    arguments.judging.print(&tally.into_report())
}

async fn judge_all(
    client: &Client,
    wanted: &Wanted,
    tally: &mut Tally<'_>,
    bar: &ProgressBar,
) -> Result<()> {
    let mut pages = Pages::new(client, wanted);
    while let Some(page) = pages.next().await? {
        bar.inc(u64::try_from(page.len()).unwrap_or_default());
        for object in page {
            tally.take(object, &wanted.resource);
        }
    }
    Ok(())
}

/// A count on a terminal; else one that is never drawn.
fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} objects {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
