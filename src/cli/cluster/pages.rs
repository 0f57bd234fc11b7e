//! Lists of a cluster, page by page.
//!
//! Owns the size of a page, how an expired list goes on, and what a refusal is told as. Must not
//! know what is done with an object. The invariant that would break first: of a list of any length
//! one page is in memory.

use crate::cli::output::printable;
use anyhow::{Result, anyhow, bail};
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::core::Status;
use kube::{Client, Error};
use std::time::Duration;

/// Objects in one answer of the API server.
const PAGE: u32 = 500;

/// The longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is listed.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Wanted {
    pub(in crate::cli) resource: ApiResource,
    /// `None`: all of them.
    pub(in crate::cli) namespace: Option<String>,
    /// A field selector.
    pub(in crate::cli) fields: Option<&'static str>,
    /// A label selector.
    pub(in crate::cli) labels: Option<String>,
}

impl Wanted {
    /// The right that listing takes, and where.
    fn right(&self) -> String {
        let ApiResource { plural, group, .. } = &self.resource;
        let dot = if group.is_empty() { "" } else { "." };
        match &self.namespace {
            Some(namespace) => format!("list {plural}{dot}{group} in namespace {namespace}"),
            None => format!("list {plural}{dot}{group} in the whole cluster"),
        }
    }
}

/// A list that is being read.
pub(in crate::cli) struct Pages {
    api: Api<DynamicObject>,
    right: String,
    parameters: Option<ListParams>,
}

impl Pages {
    pub(in crate::cli) fn new(client: &Client, wanted: &Wanted) -> Self {
        let api = match &wanted.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &wanted.resource),
            None => Api::all_with(client.clone(), &wanted.resource),
        };
        let mut parameters = ListParams::default().limit(PAGE);
        parameters.field_selector = wanted.fields.map(Into::into);
        parameters.label_selector.clone_from(&wanted.labels);
        Self {
            api,
            right: wanted.right(),
            parameters: Some(parameters),
        }
    }

    /// The next objects; `None` after the last.
    ///
    /// # Errors
    /// One sentence that names the right, if that is what is missing.
    pub(in crate::cli) async fn next(&mut self) -> Result<Option<Vec<DynamicObject>>> {
        loop {
            let Some(parameters) = &self.parameters else {
                return Ok(None);
            };
            let listing = tokio::time::timeout(PATIENCE, self.api.list(parameters)).await;
            let Ok(listed) = listing else {
                let right = &self.right;
                bail!("cannot {right}: no answer within {} s", PATIENCE.as_secs());
            };
            let page = match listed {
                Ok(page) => page,
                Err(error) => {
                    let token = next_token(&error).filter(|_| parameters.continue_token.is_some());
                    let Some(token) = token else {
                        return Err(refusal(&self.right, &error));
                    };
                    self.parameters = Some(parameters.clone().continue_token(&token));
                    continue;
                }
            };
            let next = page.metadata.continue_.filter(|token| !token.is_empty());
            self.parameters = next.map(|token| parameters.clone().continue_token(&token));
            return Ok(Some(page.items));
        }
    }
}

/// A list that took longer than the API server remembers goes on where it was, with objects as they
/// are now (Kubernetes, "API concepts", on retrieving large results in chunks).
fn next_token(error: &Error) -> Option<String> {
    let Error::Api(status) = error else {
        return None;
    };
    let token = status.metadata.as_ref()?.continue_.clone()?;
    (status.code == 410 && !token.is_empty()).then_some(token)
}

/// One call of the API server, which takes the right that is named.
///
/// # Errors
/// One sentence that names the right, if that is what is missing.
pub(in crate::cli) async fn asked<T>(
    right: &str,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(answer) => answer.map_err(|error| refusal(right, &error)),
        Err(_) => bail!("cannot {right}: no answer within {} s", PATIENCE.as_secs()),
    }
}

/// What an error of the API server means for whoever runs the command.
pub(super) fn refusal(right: &str, error: &Error) -> anyhow::Error {
    match error {
        Error::Api(status) if status.is_forbidden() => anyhow!(
            "cannot {right}: this user has no right to: {}",
            said(status)
        ),
        Error::Api(status) if status.is_not_found() && right.contains(".imageref.dev") => {
            anyhow!(
                "cannot {right}: the cluster has no such kind; `imageref crd | kubectl apply -f -` installs it"
            )
        }
        Error::Api(status) => anyhow!("cannot {right}: {}", said(status)),
        other => anyhow!("cannot {right}: {}", printable(&root(other))),
    }
}

fn said(status: &Status) -> String {
    printable(&status.message)
}

/// The last cause, which says what happened.
fn root(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
