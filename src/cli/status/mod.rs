//! `imageref status`: how the `ImageRefs` of a namespace or a cluster are, and their providers.
//!
//! Owns the arguments, what is read, and the exit code. Must not judge anything: it shows what statuses
//! say. The invariant that would break first: it works with the operator dead, and says how old what it
//! shows is.

mod print;

use super::cluster::{self, ConnectArguments, Kind, Pages, Wanted, image_ref};
use super::input::arguments::check_namespace;
use super::next_look::Providers;
use super::output::{put, say};
use anyhow::{Result, bail};
use jiff::Timestamp;
use print::{Row, Shown};
use std::process::ExitCode;

/// Some `ImageRef` is not Ready.
const NOT_READY: u8 = 1;

/// Arguments of `imageref status`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    connect: ConnectArguments,
    /// Only this ImageRef
    #[arg(conflicts_with_all = ["all_namespaces", "selector"])]
    name: Option<String>,
    /// The namespace [default: that of the context]
    #[arg(short, long)]
    namespace: Option<String>,
    /// All namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Only ImageRefs with these labels
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// Form of the output
    #[arg(short, long, value_enum, default_value = "table")]
    output: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// Columns, and a sentence below them
    Table,
    /// One object
    Json,
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    if let Some(namespace) = &arguments.namespace {
        check_namespace("--namespace", namespace)?;
    }
    let (client, own) = arguments.connect.connect().await?;
    let namespace = (!arguments.all_namespaces).then(|| arguments.namespace.clone().unwrap_or(own));
    let mut objects = Vec::new();
    if let Some(name) = &arguments.name {
        let target = cluster::Target::read(name, &[Kind::ImageRef])?;
        let place = namespace.clone().unwrap_or_default();
        let found = cluster::find(&client, Kind::ImageRef, &place, &target.name).await?;
        let Some(found) = found else {
            bail!("there is no ImageRef {place}/{}", target.name);
        };
        objects.push(image_ref(found));
    } else {
        let wanted = Wanted {
            resource: Kind::ImageRef.resource(),
            namespace: namespace.clone(),
            fields: None,
            labels: arguments.selector.clone(),
        };
        let mut pages = Pages::new(&client, &wanted);
        while let Some(page) = pages.next().await? {
            objects.extend(page.into_iter().map(image_ref));
        }
    }
    let providers = Providers::list(&client, namespace.as_deref()).await;
    let now = Timestamp::now();
    let rows = objects
        .iter()
        .map(|object| Row::new(object, &providers, now));
    let shown = Shown {
        rows: rows.collect(),
        providers: print::providers(&providers),
        unread: providers.unread,
        now,
    };
    let text = match arguments.output {
        Form::Table => shown.table(),
        Form::Json => shown.json()?,
    };
    if put(&text)? {
        say(&shown.notes());
    }
    Ok(if shown.all_ready() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_READY)
    })
}
