//! The clients of both clouds against simulated ones that check signatures and misbehave on demand.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "these are tests, their helpers too"
)]

mod budget;
mod credentials;
mod faults;
mod lists;
mod lookups;
mod secrets;

use fakecloud::{FakeCloud, defaults};
use imageref::api::ProviderKind;
use imageref::cloud::{AllowedEndpoints, Clouds, Credential, Network};
use imageref::facts::{Facts, Failure, FailureKind};
use imageref::plan::target::{Account, ProviderId, Query, Target};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// Simulated clouds and a client for them.
struct Bench {
    fake: FakeCloud,
    clouds: Clouds,
}

impl Bench {
    async fn new() -> Self {
        let fake = FakeCloud::start().await;
        let clouds = Clouds::new(network(&fake.url())).unwrap();
        Self { fake, clouds }
    }

    async fn look(&self, query: Query) -> Result<Facts, Failure> {
        self.look_bound(query, None).await
    }

    async fn look_bound(&self, query: Query, bound: Option<&str>) -> Result<Facts, Failure> {
        let credential = match query {
            Query::PaiId(_) | Query::PaiName { .. } => alibaba(defaults::ALIBABA_SECRET),
            _ => huawei(defaults::HUAWEI_SK),
        };
        let target = target(&self.fake.url(), query);
        self.clouds
            .look(&target, &credential, bound, PATIENCE)
            .await
    }

    async fn look_as(&self, query: Query, credential: &Credential) -> Result<Facts, Failure> {
        self.clouds
            .look(&target(&self.fake.url(), query), credential, None, PATIENCE)
            .await
    }

    async fn kind(&self, query: Query) -> FailureKind {
        self.look(query).await.unwrap_err().kind
    }
}

/// An operator's network on which one origin of this machine is allowed, for tests.
pub(crate) fn network(origin: &str) -> Network {
    Network {
        allowed: AllowedEndpoints::new(&[origin], true).unwrap(),
        ..Network::default()
    }
}

pub(crate) fn huawei(secret: &str) -> Credential {
    Credential::HuaweiKeys {
        access_key: defaults::HUAWEI_AK.into(),
        secret_key: secret.into(),
        security_token: None,
    }
}

pub(crate) fn alibaba(secret: &str) -> Credential {
    Credential::AlibabaKeys {
        access_key: defaults::ALIBABA_AK.into(),
        secret_key: secret.into(),
        security_token: None,
    }
}

pub(crate) fn target(endpoint: &str, query: Query) -> Target {
    let account = match query {
        Query::PaiId(_) | Query::PaiName { .. } => Account::Pai {
            endpoint: endpoint.into(),
            region: "cn-shanghai".into(),
            workspace_id: None,
        },
        _ => Account::ModelArts {
            endpoint: endpoint.into(),
            region: defaults::REGION.into(),
            project_id: defaults::PROJECT_ID.into(),
            workspace_id: "0".into(),
        },
    };
    let provider = ProviderId {
        kind: ProviderKind::Cluster,
        namespace: None,
        name: "p".into(),
    };
    Target {
        provider,
        account,
        query,
    }
}

fn notebook(id: &str) -> Query {
    Query::NotebookId(id.into())
}

pub(crate) fn notebook_named(name: &str) -> Query {
    notebook_narrowed(name, None, None, None)
}

fn notebook_narrowed(
    name: &str,
    tag: Option<&str>,
    organization: Option<&str>,
    type_: Option<&str>,
) -> Query {
    Query::NotebookName {
        name: name.into(),
        tag: tag.map(Into::into),
        organization: organization.map(Into::into),
        type_: type_.map(Into::into),
        workspace_id: "0".into(),
    }
}

fn lite_named(name: &str, server_type: Option<&str>) -> Query {
    Query::LiteServerName {
        name: name.into(),
        server_type: server_type.map(Into::into),
    }
}

fn pai_named(name: &str, workspace_id: Option<&str>) -> Query {
    Query::PaiName {
        name: name.into(),
        workspace_id: workspace_id.map(Into::into),
    }
}

/// One question by id for each API.
pub(crate) fn by_id() -> [Query; 3] {
    [
        notebook(defaults::SEED_NOTEBOOK_ID),
        Query::LiteServerId(defaults::SEED_LITE_SERVER_ID.into()),
        Query::PaiId(defaults::SEED_PAI_ID.into()),
    ]
}

fn without_request_id(mut facts: Facts) -> Facts {
    assert!(
        facts.upstream.request_id.take().is_some(),
        "every call has an id"
    );
    facts
}
