//! One object and what an operator remembers of it; every step goes through the planner.

use imageref::api::condition::{self, Truth};
use imageref::api::{
    ConditionType, Expect, ImageRefSpec, ImageRefStatus, NotebookSource, ProviderKind, Reason,
    Source, Upstream,
};
use imageref::facts::{Arch, Content, Digest, Facts, Failure, FailureKind, ImageStatus, Platform};
use imageref::plan::{
    Account, Contents, Due, Input, Look, Memory, Object, Plan, Provided, ProviderId, Query, Target,
    contents_due, due, plan,
};
use k8s_openapi::jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const ID: &str = "278e88d1-5b71-4766-8502-b3ba72e824d9";
pub(crate) const PATH: &str = "swr.cn-north-4.myhuaweicloud.com/ai-team/pytorch:2.1";
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// The object under test.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) spec: ImageRefSpec,
    pub(crate) generation: i64,
    pub(crate) requested_at: Option<String>,
    pub(crate) status: ImageRefStatus,
    pub(crate) memory: Memory,
    pub(crate) provided: Provided,
    pub(crate) now: Timestamp,
}

pub(crate) fn spec() -> ImageRefSpec {
    ImageRefSpec {
        source: Source {
            notebook: Some(NotebookSource {
                id: Some(ID.into()),
                ..Default::default()
            }),
            ..Default::default()
        },
        interval: "1h".into(),
        timeout: "20s".into(),
        history_limit: 5,
        ..Default::default()
    }
}

pub(crate) fn provided(region: &str) -> Provided {
    Provided::Target {
        target: Target {
            provider: ProviderId {
                kind: ProviderKind::Cluster,
                namespace: None,
                name: "modelarts".into(),
            },
            account: Account::ModelArts {
                endpoint: format!("https://modelarts.{region}.myhuaweicloud.com"),
                region: region.into(),
                project_id: "p1".into(),
                workspace_id: "0".into(),
            },
            query: Query::NotebookId(ID.into()),
        },
        accept: None,
        suspended: false,
        min_interval: Duration::from_secs(60),
    }
}

pub(crate) fn unavailable(kind: FailureKind) -> Provided {
    let Provided::Target { target, .. } = provided("cn-north-4") else {
        unreachable!()
    };
    Provided::Unavailable {
        provider: Some(target.provider),
        failure: Failure::new(kind, "the provider cannot be used"),
    }
}

pub(crate) fn facts() -> Facts {
    Facts {
        image_id: ID.into(),
        arch: Some(Arch::Arm64),
        status: ImageStatus::Active,
        swr_path: Some(PATH.into()),
        image: Some(PATH.into()),
        accelerators: vec!["ASCEND".into(), "CPU".into()],
        size: Some(3_376_133_259),
        created: Some("2026-08-01T00:00:00.000Z".into()),
        updated: None,
        upstream: Upstream {
            api: "notebook".into(),
            name: Some("pytorch".into()),
            organization: Some("ai-team".into()),
            arch: Some("aarch64".into()),
            status: Some("ACTIVE".into()),
            visibility: Some("PRIVATE".into()),
            request_id: Some("r-1".into()),
            ..Default::default()
        },
    }
}

/// The platform's answer, of now, where no registry is asked.
pub(crate) fn found(facts: Facts) -> Look {
    found_with(facts, Contents::NotAsked)
}

/// The platform's answer, of now, and what the registry said.
pub(crate) fn found_with(facts: Facts, contents: Contents) -> Look {
    Look::Found {
        facts: facts.into(),
        as_of: Timestamp::MAX,
        contents,
    }
}

/// A digest of 64 times the same digit.
pub(crate) fn digest(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}

/// The registry's answer: a digest, and platforms in the form of the status.
pub(crate) fn read(digit: char, platforms: &[&str]) -> Contents {
    let platform = |text: &&str| {
        let mut parts = text.split('/').map(str::to_owned);
        Platform {
            os: parts.next().unwrap(),
            architecture: parts.next().unwrap(),
            variant: parts.next(),
        }
    };
    Contents::Read(Arc::new(Content {
        digest: Digest::parse(&digest(digit)).unwrap(),
        platforms: platforms.iter().map(platform).collect(),
    }))
}

/// The registry failed.
pub(crate) fn unread(kind: FailureKind) -> Contents {
    Contents::Failed(Failure::new(kind, "it failed"))
}

pub(crate) fn fail(kind: FailureKind) -> Look {
    Look::Failed(Failure::new(kind, "it failed"))
}

impl Case {
    pub(crate) fn new() -> Self {
        Self {
            spec: spec(),
            generation: 1,
            requested_at: None,
            status: ImageRefStatus {
                observed_generation: Some(-1),
                ..Default::default()
            },
            memory: Memory::default(),
            provided: provided("cn-north-4"),
            now: "2026-11-21T12:00:00Z".parse().unwrap(),
        }
    }

    pub(crate) fn resolved() -> Self {
        let mut case = Self::new();
        case.step(found(facts()));
        case
    }

    pub(crate) fn object(&self) -> Object<'_> {
        Object {
            spec: &self.spec,
            generation: self.generation,
            uid: "0b4f",
            requested_at: self.requested_at.as_deref(),
        }
    }

    pub(crate) fn plan(&self, look: Look) -> Plan {
        plan(Input {
            object: self.object(),
            previous: &self.status,
            provided: &self.provided,
            look,
            memory: self.memory.clone(),
            now: self.now,
        })
    }

    pub(crate) fn step(&mut self, look: Look) -> Plan {
        let plan = self.plan(look);
        if plan.write {
            self.status = plan.status.clone();
        }
        self.memory = plan.memory.clone();
        plan
    }

    pub(crate) fn due(&self) -> Due {
        due(
            &self.object(),
            &self.provided,
            &self.status,
            &self.memory,
            self.now,
        )
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now.checked_add(time).unwrap();
    }

    pub(crate) fn edit(&mut self, edit: impl FnOnce(&mut ImageRefSpec)) {
        edit(&mut self.spec);
        self.generation += 1;
    }

    pub(crate) fn ready(&self) -> (String, String) {
        let ready = condition::find(&self.status.conditions, ConditionType::Ready).unwrap();
        (ready.status.clone(), ready.reason.clone())
    }

    /// The message of Ready.
    pub(crate) fn message(&self) -> &str {
        let ready = condition::find(&self.status.conditions, ConditionType::Ready);
        &ready.unwrap().message
    }

    pub(crate) fn assert_ready(&self, truth: Truth, reason: Reason) {
        assert_eq!(
            self.ready(),
            (truth.as_str().into(), reason.as_str().into()),
            "{:#?}",
            self.status
        );
    }

    pub(crate) fn has(&self, type_: ConditionType, reason: Reason) -> bool {
        condition::is_true(&self.status.conditions, type_)
            && condition::has_reason(&self.status.conditions, type_, reason)
    }

    pub(crate) fn is(&self, type_: ConditionType) -> bool {
        condition::is_true(&self.status.conditions, type_)
    }

    /// What `kstatus` computes, by its published rules for custom resources.
    pub(crate) fn kstatus(&self) -> &'static str {
        if self.status.observed_generation != Some(self.generation) {
            return "InProgress";
        }
        for condition in &self.status.conditions {
            match (condition.type_.as_str(), condition.status.as_str()) {
                ("Reconciling", "True") => return "InProgress",
                ("Stalled", "True") => return "Failed",
                _ => {}
            }
        }
        match condition::find(&self.status.conditions, ConditionType::Ready) {
            Some(ready) if ready.status == "True" => "Current",
            Some(_) => "InProgress",
            None => "Current",
        }
    }

    /// How long from now the next look is due.
    pub(crate) fn wait(&self) -> Duration {
        match self.due() {
            Due::Now => Duration::ZERO,
            Due::At(at) => self.now.duration_until(at).unsigned_abs(),
            Due::Never => Duration::MAX,
        }
    }
}

pub(crate) fn is_regular(wait: Duration) -> bool {
    (HOUR / 10..=HOUR * 5 / 4).contains(&wait)
}

/// As PAI answers: no word about the architecture.
pub(crate) fn without_arch() -> Facts {
    let mut facts = facts();
    facts.arch = None;
    facts.upstream.arch = None;
    facts
}

pub(crate) fn moved() -> Facts {
    let path = PATH.replace("2.1", "2.2");
    Facts {
        image: Some(path.clone()),
        swr_path: Some(path),
        ..facts()
    }
}

pub(crate) fn expecting_digest(digit: char) -> Expect {
    Expect {
        digest: Some(digest(digit)),
        ..Default::default()
    }
}

pub(crate) fn expecting_arch(arch: &str) -> Expect {
    Expect {
        arch: vec![arch.into()],
        ..Default::default()
    }
}

/// Resolved, with digest and platforms.
pub(crate) fn read_once() -> Case {
    let mut case = Case::new();
    case.step(found_with(facts(), read('a', &["linux/arm64"])));
    case
}

pub(crate) fn is_due(case: &Case, facts: &Facts) -> bool {
    contents_due(&case.object(), &case.provided, &case.status, facts)
}

pub(crate) fn compliant(case: &Case) -> Option<(&str, &str)> {
    condition::find(&case.status.conditions, ConditionType::Compliant)
        .map(|c| (c.status.as_str(), c.reason.as_str()))
}

pub(crate) fn image(case: &Case) -> Option<&str> {
    case.status.image.as_deref()
}
