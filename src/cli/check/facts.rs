//! Where the facts of verdicts come from, and how they are had.
//!
//! Owns the choice of one source, and what each puts in place of the statuses in the files. Must not
//! judge. The invariant that would break first: facts of two sources are never mixed.

use super::manifests::Manifests;
use crate::cli::cluster::{self, ConnectArguments};
use crate::cli::input::lock_file;
use crate::cli::input::problem::Problem;
use crate::cli::input::reference::{Reference, References};
use crate::cli::output::{printable, say};
use crate::cli::resolve::{self, Answer};
use crate::cli::verdicts::Facts;
use crate::lock::{Lock, drift};
use anyhow::{Result, bail};
use std::path::Path;

/// The one source.
pub(super) enum Source<'a> {
    Files,
    Cluster(&'a ConnectArguments),
    Clouds,
    Lock { path: &'a Path, verify: bool },
}

impl<'a> Source<'a> {
    /// The source that the arguments name.
    pub(super) fn of(arguments: &'a super::Arguments) -> Result<Self> {
        let cluster = arguments.cluster.chosen();
        let lock = arguments.lock.as_deref();
        let named = [cluster.is_some(), lock.is_some(), arguments.ask];
        if named.into_iter().filter(|named| *named).count() > 1 {
            bail!(
                "facts come from one source: give one of --cluster (or --kubeconfig, --context), --lock and --ask"
            );
        }
        if cluster.is_some() && !arguments.refs.is_empty() {
            bail!("facts come from one source: give --refs or the cluster, not both");
        }
        Ok(match (cluster, lock) {
            (Some(cluster), _) => Self::Cluster(cluster),
            (_, Some(path)) => Self::Lock {
                path,
                verify: arguments.verify,
            },
            _ if arguments.ask => Self::Clouds,
            _ => Self::Files,
        })
    }

    /// Whether the clouds are asked about the `ImageRefs` in the files.
    pub(super) const fn asks(&self) -> bool {
        matches!(self, Self::Clouds | Self::Lock { verify: true, .. })
    }

    /// The lock, if it is one.
    pub(super) fn read_lock(&self, problems: &mut Vec<Problem>) -> Option<Lock> {
        let Self::Lock { path, .. } = self else {
            return None;
        };
        match lock_file::read(path) {
            Ok(lock) => Some(lock),
            Err(refused) => {
                problems.push(refused.problem);
                None
            }
        }
    }
}

/// Puts the facts of the source into `manifests`; `None` if Ctrl-C ended it.
pub(super) async fn gather(
    arguments: &super::Arguments,
    source: &Source<'_>,
    lock: Option<Lock>,
    manifests: &mut Manifests,
) -> Result<Option<Facts>> {
    match source {
        Source::Files => return Ok(Some(Facts::Files)),
        Source::Cluster(connect) => {
            let (client, _) = connect.connect().await?;
            manifests.drop_references();
            manifests.refs.answered = cluster::references(&client, None).await?;
            // What is applied decides about a namespace that does not exist yet.
            let namespaces = cluster::namespaces(&client).await?;
            manifests.namespaces.extend(namespaces);
            return Ok(Some(Facts::Cluster));
        }
        Source::Clouds | Source::Lock { .. } => {}
    }
    let answers = if source.asks() {
        let to_ask = std::mem::take(&mut manifests.to_ask);
        let operator_namespace = &arguments.input.operator.operator_namespace;
        let asking = arguments
            .asking
            .ask(to_ask, operator_namespace, arguments.verbose);
        let Some(answers) = Box::pin(asking).await? else {
            return Ok(None);
        };
        say(&resolve::reasons(&answers));
        Some(answers)
    } else {
        None
    };
    let answered = answers.into_iter().flatten().map(Answer::into_reference);
    let answered: Vec<Reference> = answered.collect();
    manifests.drop_references();
    let Source::Lock { path, verify } = source else {
        manifests.refs.answered = answered;
        return Ok(Some(Facts::Clouds));
    };
    let lock = lock.unwrap_or_default();
    let file = path.display().to_string();
    let verified = verify.then(|| {
        let now = Lock::new(answered.iter().map(Reference::entry));
        let moved = drift(&lock, &now);
        for one in &moved {
            say(&format!("{}\n", printable(&format!("{file}: {one}"))));
        }
        moved.is_empty()
    });
    manifests.refs = References {
        answered: lock.entries().iter().map(Reference::from).collect(),
        unanswered: Vec::new(),
    };
    Ok(Some(Facts::Lock { file, verified }))
}
