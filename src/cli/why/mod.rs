//! `imageref why`: one object explained in plain words, with the next step.
//!
//! Owns the arguments, and how a bare name is found. Must not judge: verdicts are admission's, times
//! are the planner's. The invariant that would break first: whatever a status says is explained, also
//! where it is of a newer operator.

mod image_ref;
mod meaning;
mod workload;

use super::cluster::{ConnectArguments, Kind, Target, find};
use super::input::arguments::{OperatorArguments, check_namespace};
use super::input::{files, problem};
use super::output::{put, say};
use super::program;
use anyhow::{Result, bail};
use jiff::Timestamp;
use kube::api::DynamicObject;
use std::path::PathBuf;
use std::process::ExitCode;

/// It may not be used, or would be refused.
const NOT_GOOD: u8 = 1;
/// The input is wrong.
const BAD_INPUT: u8 = 2;

/// Everything that can be explained, in the order in which a bare name is looked up.
const KINDS: [Kind; 8] = [
    Kind::ImageRef,
    Kind::Pod,
    Kind::Deployment,
    Kind::StatefulSet,
    Kind::DaemonSet,
    Kind::ReplicaSet,
    Kind::Job,
    Kind::CronJob,
];

/// Arguments of `imageref why`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    connect: ConnectArguments,
    /// The object: imageref/NAME, pod/NAME, deployment/NAME, …, or the NAME of an ImageRef or a pod
    #[arg(value_name = "NAME|KIND/NAME")]
    target: String,
    /// The namespace [default: that of the context]
    #[arg(short, long)]
    namespace: Option<String>,
    /// The configuration of admission
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    operator: OperatorArguments,
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    arguments.operator.check()?;
    if let Some(namespace) = &arguments.namespace {
        check_namespace("--namespace", namespace)?;
    }
    let target = Target::read(&arguments.target, &KINDS)?;
    let mut problems = Vec::new();
    let configuration = files::configuration(arguments.config.as_deref(), &mut problems);
    if !problems.is_empty() {
        say(&problem::report(&problems, "nothing was explained"));
        return Ok(ExitCode::from(BAD_INPUT));
    }
    let (client, own) = arguments.connect.connect().await?;
    let namespace = arguments.namespace.unwrap_or(own);
    let (kind, object) = found(&client, &target, &namespace).await?;
    let explained = match kind {
        Kind::ImageRef => {
            image_ref::explain(&client, super::cluster::image_ref(object), Timestamp::now()).await
        }
        kind => {
            let operator = &arguments.operator.operator_namespace;
            workload::explain(&client, kind, object, &namespace, &configuration, operator).await?
        }
    };
    put(&explained.text)?;
    Ok(if explained.good {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_GOOD)
    })
}

/// What is printed.
struct Explained {
    text: String,
    /// It may be used, or is not refused.
    good: bool,
}

/// The object that is meant. A bare name is an `ImageRef`'s, else a pod's; of both it is said.
async fn found(
    client: &kube::Client,
    target: &Target,
    namespace: &str,
) -> Result<(Kind, DynamicObject)> {
    let name = &target.name;
    if let Some(kind) = target.kind {
        let Some(object) = find(client, kind, namespace, name).await? else {
            let hint = if kind == Kind::Pod {
                "; a pod that was refused was never made: ask about what makes it, such as deployment/NAME"
            } else {
                ""
            };
            bail!("there is no {} {namespace}/{name}{hint}", kind.word());
        };
        return Ok((kind, object));
    }
    let reference = find(client, Kind::ImageRef, namespace, name).await?;
    // Whoever may read one of the two hears about that one.
    let pod = find(client, Kind::Pod, namespace, name).await;
    match (reference, pod) {
        (Some(reference), pod) => {
            if let Ok(Some(_)) = pod {
                say(&format!(
                    "note: there is a pod {name} too: {} why pod/{name}\n",
                    program()
                ));
            }
            Ok((Kind::ImageRef, reference))
        }
        (None, Ok(Some(pod))) => Ok((Kind::Pod, pod)),
        (None, Ok(None)) => bail!("there is neither an ImageRef nor a pod {namespace}/{name}"),
        (None, Err(error)) => Err(error),
    }
}
