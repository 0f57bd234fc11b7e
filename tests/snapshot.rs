//! Shared lists against simulated clouds: what they cost, and that they say what a get says.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "these are tests, their helpers too"
)]

mod agreement;
mod cost;
mod lists;

use crate::cloud::{alibaba, huawei, network, target};
use fakecloud::{FakeCloud, ImageApi, defaults};
use futures::FutureExt;
use futures::future::BoxFuture;
use imageref::cloud::identity::{Identity, Proof, Region, Source};
use imageref::cloud::snapshot::{Answer, Calls, Listing, Question, Scope, Snapshots};
use imageref::cloud::{Clouds, Credential};
use imageref::facts::{Facts, Failure};
use imageref::plan::target::{Account, Query, Target};
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Simulated clouds, and snapshots of what one proof sees of them.
struct Bench {
    fake: FakeCloud,
    snapshots: Snapshots,
    asker: Asker,
}

/// Who asks.
#[derive(Clone)]
struct Asker {
    clouds: Arc<Clouds>,
    credential: Credential,
}

impl Asker {
    fn proof(&self) -> Proof {
        let region = Region::new(defaults::REGION).unwrap();
        let source = Source::Static(self.credential.clone());
        Identity::new(source, region).unwrap().proof()
    }
}

impl Calls for Asker {
    fn list(&self, scope: &Scope) -> BoxFuture<'static, Option<Result<Listing, Failure>>> {
        let (asker, scope) = (self.clone(), scope.clone());
        async move {
            let listed = asker.clouds.list(&scope, &asker.credential, PATIENCE);
            Some(listed.await)
        }
        .boxed()
    }

    fn get(
        &self,
        target: &Target,
        bound: Option<&str>,
    ) -> BoxFuture<'static, Option<Result<Facts, Failure>>> {
        let (asker, target) = (self.clone(), target.clone());
        let bound = bound.map(str::to_owned);
        async move {
            let bound = bound.as_deref();
            let look = asker
                .clouds
                .look(&target, &asker.credential, bound, PATIENCE);
            Some(look.await)
        }
        .boxed()
    }
}

impl Bench {
    async fn new() -> Self {
        Self::with(huawei(defaults::HUAWEI_SK)).await
    }

    async fn of_pai() -> Self {
        Self::with(alibaba(defaults::ALIBABA_SECRET)).await
    }

    async fn with(credential: Credential) -> Self {
        let fake = FakeCloud::start().await;
        let clouds = Arc::new(Clouds::new(network(&fake.url())).unwrap());
        Self {
            fake,
            snapshots: Snapshots::default(),
            asker: Asker { clouds, credential },
        }
    }

    fn target(&self, query: Query) -> Target {
        target(&self.fake.url(), query)
    }

    /// The list that answers a question.
    async fn list(&self, query: Query) -> Result<Listing, Failure> {
        let scope = Scope::of(&self.target(query)).unwrap();
        let listed = self
            .asker
            .clouds
            .list(&scope, &self.asker.credential, PATIENCE);
        listed.await
    }

    /// A look as one among many, that may be an hour old.
    async fn look(&self, query: Query) -> Result<Answer, Failure> {
        self.look_bound(query, None).await
    }

    async fn look_bound(&self, query: Query, bound: Option<&str>) -> Result<Answer, Failure> {
        let target = self.target(query);
        let question = Question {
            bound,
            ..self.question(&target)
        };
        self.snapshots.look(&question, &self.asker).await.unwrap()
    }

    fn question<'a>(&self, target: &'a Target) -> Question<'a> {
        question(self.asker.proof(), target)
    }

    /// Looks at the same time, as tasks of their own, each of one among many.
    async fn crowd(
        &self,
        targets: Vec<Target>,
        not_before: Option<Timestamp>,
    ) -> Vec<Result<Answer, Failure>> {
        let looks = targets.into_iter().map(|target| {
            let (snapshots, asker) = (self.snapshots.clone(), self.asker.clone());
            let proof = asker.proof();
            tokio::spawn(async move {
                let question = Question {
                    not_before,
                    ..question(proof, &target)
                };
                snapshots.look(&question, &asker).await.unwrap()
            })
        });
        let all = futures::future::join_all(looks).await;
        all.into_iter().map(Result::unwrap).collect()
    }

    /// Stores own notebook images and gives their ids.
    fn put_notebooks(&self, count: usize) -> Vec<String> {
        let put = |n| {
            self.fake
                .put_notebook_image(own_notebook(&format!("image-{n}")))
        };
        (0..count).map(put).collect()
    }
}

/// A question of one among many, whose answer may be an hour old.
fn question(proof: Proof, target: &Target) -> Question<'_> {
    Question {
        proof,
        target,
        bound: None,
        max_age: Duration::from_secs(3600),
        not_before: None,
        distinct: 500,
    }
}

/// An own image, later than those that are there from the start.
fn own_notebook(name: &str) -> serde_json::Value {
    json!({
        "name": name,
        "type": "DEDICATED",
        "workspace_id": "0",
        "arch": "aarch64",
        "status": "ACTIVE",
        "tag": "1.0",
        "namespace": "ai-team",
        "swr_path": format!("swr.cn-north-4.myhuaweicloud.com/ai-team/{name}:1.0"),
        "size": 3_376_133_259_i64,
        "create_at": 1_800_000_000_000_i64,
    })
}

fn notebook(id: &str) -> Query {
    Query::NotebookId(id.into())
}

/// The ids of all images of an API.
fn ids(fake: &FakeCloud, api: ImageApi) -> Vec<String> {
    let images = fake.images(api).into_iter();
    images
        .map(|image| image[api.id_member()].as_str().unwrap().to_owned())
        .collect()
}

/// Facts without the id of the call, which differs from call to call.
fn facts(mut facts: Facts) -> Facts {
    assert!(facts.upstream.request_id.take().is_some());
    facts
}

/// A target in another workspace of the account.
fn in_workspace(mut target: Target, workspace: &str) -> Target {
    match &mut target.account {
        Account::ModelArts { workspace_id, .. } => workspace.clone_into(workspace_id),
        Account::Pai { workspace_id, .. } => *workspace_id = Some(workspace.into()),
    }
    target
}
