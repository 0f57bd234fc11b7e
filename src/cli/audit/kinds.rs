//! Which of the kinds that hold pod templates a cluster serves.
//!
//! Owns the asking, group by group. Must not know where a kind holds its templates. The invariant
//! that would break first: a kind that is not installed is no error.

use crate::admission::Configuration;
use crate::cli::output::printable;
use anyhow::{Result, anyhow};
use kube::Client;
use kube::api::ApiResource;
use kube::discovery::{Discovery, Scope, verbs};
use std::collections::BTreeSet;

/// The resources to list, by group and kind.
pub(super) async fn served(
    client: &Client,
    configuration: &Configuration,
) -> Result<Vec<ApiResource>> {
    let groups: BTreeSet<&str> = configuration.kinds().map(|(group, _)| group).collect();
    let groups: Vec<&str> = groups.into_iter().collect();
    let discovery = Discovery::new(client.clone()).filter(&groups);
    let discovery = discovery.run().await.map_err(|error| {
        anyhow!(
            "cannot find out which kinds the cluster has: {}",
            printable(&error.to_string())
        )
    })?;
    let mut found = Vec::new();
    for (group, kind) in configuration.kinds() {
        let resource = discovery
            .get(group)
            .and_then(|group| group.recommended_kind(kind));
        if let Some((resource, capabilities)) = resource
            && capabilities.scope == Scope::Namespaced
            && capabilities.supports_operation(verbs::LIST)
        {
            found.push(resource);
        }
    }
    Ok(found)
}
