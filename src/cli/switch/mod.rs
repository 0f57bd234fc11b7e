//! `imageref reconcile`, `suspend` and `resume`: what a person asks of the operator by way of an object.
//!
//! Owns the arguments, which objects are meant, and the exit codes. Must not know what the operator
//! makes of it. The invariant that would break first: only the one field or annotation is written, and
//! doing it twice is as good as once.

mod wait;

use super::cluster::{
    self, ConnectArguments, FIELD_MANAGER, Kind, Pages, Target, Wanted, asked, keeper, objects,
};
use super::input::arguments::check_namespace;
use super::output::{printable, put, say};
use super::program;
use super::verdicts::plural;
use crate::api::{RECONCILE_REQUESTED_AT, duration};
use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// Something was not changed, or is not Ready after the wait.
const NOT_ALL: u8 = 1;

/// Objects written at once.
const AT_ONCE: usize = 8;

/// Which objects are meant.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["names", "selector", "all"]))]
struct Which {
    #[command(flatten)]
    connect: ConnectArguments,
    /// NAME of an ImageRef, or KIND/NAME
    #[arg(value_name = "NAME|KIND/NAME", conflicts_with_all = ["selector", "all"])]
    names: Vec<String>,
    /// ImageRefs with these labels
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with = "all")]
    selector: Option<String>,
    /// All ImageRefs, of the namespace, or with -A of the cluster
    #[arg(long)]
    all: bool,
    /// The namespace [default: that of the context]
    #[arg(short, long)]
    namespace: Option<String>,
    /// All namespaces, for --selector and --all
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "names"])]
    all_namespaces: bool,
}

/// Arguments of `imageref reconcile`.
#[derive(Debug, clap::Args)]
pub(super) struct ReconcileArguments {
    #[command(flatten)]
    which: Which,
    /// Wait until the operator has looked, and the answer is settled
    #[arg(long)]
    wait: bool,
    /// How long to wait, such as 90s or 5m
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = read_duration)]
    timeout: Duration,
}

/// Arguments of `imageref suspend` and `imageref resume`.
#[derive(Debug, clap::Args)]
pub(super) struct SwitchArguments {
    #[command(flatten)]
    which: Which,
}

fn read_duration(text: &str) -> Result<Duration, String> {
    duration::parse(text).ok_or_else(|| "write a duration such as 90s, 5m or 1h30m".into())
}

/// An object that is meant, as it is.
struct Meant {
    kind: Kind,
    object: DynamicObject,
}

impl Meant {
    fn namespace(&self) -> String {
        self.object.namespace().unwrap_or_default()
    }

    /// `imageref team-a/torch`
    fn called(&self) -> String {
        let place = self.object.namespace().map(|n| format!("{n}/"));
        let (kind, name) = (self.kind.word(), self.object.name_any());
        format!("{kind} {}{name}", place.unwrap_or_default())
    }

    fn suspended(&self) -> bool {
        self.object.data.pointer("/spec/suspend") == Some(&Value::Bool(true))
    }
}

impl Which {
    /// The objects, which must be of these kinds.
    async fn find(&self, kinds: &[Kind]) -> Result<(Client, Vec<Meant>)> {
        if let Some(namespace) = &self.namespace {
            check_namespace("--namespace", namespace)?;
        }
        let targets = self.names.iter().map(|name| Target::read(name, kinds));
        let targets: Vec<_> = targets.collect::<Result<_>>()?;
        let (client, own) = self.connect.connect().await?;
        let namespace = self.namespace.clone().unwrap_or(own);
        let mut found = Vec::new();
        for Target { kind, name } in targets {
            let kind = kind.unwrap_or(Kind::ImageRef);
            match cluster::find(&client, kind, &namespace, &name).await? {
                Some(object) => found.push(Meant { kind, object }),
                None if kind == Kind::ClusterImageProvider => {
                    bail!("there is no {} {name}", kind.word())
                }
                None => bail!("there is no {} {namespace}/{name}", kind.word()),
            }
        }
        if self.names.is_empty() {
            let wanted = Wanted {
                resource: Kind::ImageRef.resource(),
                namespace: (!self.all_namespaces).then_some(namespace),
                fields: None,
                labels: self.selector.clone(),
            };
            let mut pages = Pages::new(&client, &wanted);
            while let Some(page) = pages.next().await? {
                found.extend(page.into_iter().map(|object| Meant {
                    kind: Kind::ImageRef,
                    object,
                }));
            }
        }
        Ok((client, found))
    }
}

/// Writes a merge patch.
async fn patch(client: &Client, meant: &Meant, patch: &Value) -> Result<DynamicObject> {
    let name = meant.object.name_any();
    let (api, place) = objects(client, meant.kind, &meant.namespace());
    let resource = meant.kind.resource();
    let right = format!("patch {}.{} {name}{place}", resource.plural, resource.group);
    let parameters = PatchParams {
        field_manager: Some(FIELD_MANAGER.into()),
        ..PatchParams::default()
    };
    asked(&right, api.patch(&name, &parameters, &Patch::Merge(patch))).await
}

pub(super) async fn reconcile(arguments: ReconcileArguments) -> Result<ExitCode> {
    let (client, found) = arguments.which.find(&[Kind::ImageRef]).await?;
    if found.is_empty() {
        tell("no ImageRef is meant")?;
        return Ok(ExitCode::SUCCESS);
    }
    // Whole and in order of time; the operator compares it as a text.
    let value = Timestamp::now().to_string();
    let request = json!({"metadata": {"annotations": {RECONCILE_REQUESTED_AT: value}}});
    let (mut waiting, mut failed) = (Vec::new(), 0);
    let written = stream::iter(found).map(|meant| {
        let (client, request) = (&client, &request);
        async move { (patch(client, &meant, request).await, meant) }
    });
    let mut written = Box::pin(written.buffered(AT_ONCE));
    while let Some((result, meant)) = written.next().await {
        match result {
            Err(error) => {
                failed += 1;
                say(&format!("error: {error:#}\n"));
            }
            Ok(_) if meant.suspended() => {
                failed += 1;
                let (program, name) = (program(), meant.object.name_any());
                let (called, place) = (meant.called(), meant.namespace());
                tell(&format!(
                    "{called}: asked for, but it is suspended and nobody looks: {program} resume {name} -n {place}"
                ))?;
            }
            Ok(_) => {
                if !arguments.wait {
                    tell(&format!("{}: asked for", meant.called()))?;
                }
                waiting.push(meant);
            }
        }
    }
    drop(written);
    if arguments.wait && !waiting.is_empty() {
        failed += wait::settled(&client, &waiting, &value, arguments.timeout).await?;
    }
    Ok(code(failed))
}

pub(super) async fn suspend(arguments: SwitchArguments, suspend: bool) -> Result<ExitCode> {
    let kinds = [
        Kind::ImageRef,
        Kind::ImageProvider,
        Kind::ClusterImageProvider,
    ];
    let (client, found) = arguments.which.find(&kinds).await?;
    if found.is_empty() {
        tell("no ImageRef is meant")?;
        return Ok(ExitCode::SUCCESS);
    }
    let (done, already) = if suspend {
        ("suspended", "already suspended")
    } else {
        ("resumed", "not suspended")
    };
    let change = json!({"spec": {"suspend": suspend}});
    let (mut changed, mut failed) = (0, 0);
    for meant in &found {
        let called = meant.called();
        if meant.suspended() == suspend {
            tell(&format!("{called}: {already}"))?;
            continue;
        }
        if let Err(error) = patch(&client, meant, &change).await {
            failed += 1;
            say(&format!("error: {error:#}\n"));
            continue;
        }
        changed += 1;
        tell(&format!("{called}: {done}"))?;
        if let Some(keeper) = keeper(&meant.object.metadata) {
            let line = format!(
                "warning: {keeper} keeps {called}, and sets spec.suspend back if its manifest names it: write suspend: {suspend} there too"
            );
            say(&format!("{}\n", printable(&line)));
        }
    }
    if changed > 0 && suspend && found.iter().any(|meant| meant.kind != Kind::ImageRef) {
        say("note: the ImageRefs of a suspended provider keep their answers, and do not age\n");
    }
    if found.len() > 1 {
        tell(&format!("{} {done}", plural(changed, "object")))?;
    }
    Ok(code(failed))
}

fn code(failed: usize) -> ExitCode {
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_ALL)
    }
}

fn tell(line: &str) -> Result<()> {
    put(&format!("{}\n", printable(line)))
        .map(drop)
        .context("telling what was done")
}
