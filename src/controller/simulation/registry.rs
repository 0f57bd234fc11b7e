//! The simulated registry: manifests under tags that are pushed again, and every way in which it fails.
//!
//! Owns what each tag ever meant, and from when to when. Must not know any operator, nor what the
//! platform says now. The invariant that would break first: the bytes of a manifest name its tag and
//! the number of its push, so that no two have one digest, and a digest tells where it is from.

use super::chance::Draw;
use super::cloud::{IMAGES, PROJECTS, arch, organization};
use super::users::ACCOUNTS;
use super::world::{Who, World, milliseconds};
use crate::registry::StandIn;
use futures::FutureExt as _;
use hyper::{Method, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) const HOST: &str = "swr.cn-north-4.myhuaweicloud.com";

/// What befalls all requests for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    Fine,
    Failing,
    Hanging,
    Throttling,
    Garbled,
    /// No manifest is there, it says.
    Denying,
}

/// What a tag meant, from then until the next.
pub(super) struct Push {
    pub(super) at: u64,
    pub(super) digest: String,
    pub(super) platforms: Vec<String>,
}

pub(super) struct Registry {
    pub(super) weather: Weather,
    /// By the path with its tag, as the platform writes it.
    pub(super) tags: BTreeMap<String, Vec<Push>>,
    /// Manifests and configs, by repository and digest.
    stored: BTreeMap<(String, String), Vec<u8>>,
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

impl Registry {
    pub(super) fn new() -> Self {
        let mut registry = Self {
            weather: Weather::Fine,
            tags: BTreeMap::new(),
            stored: BTreeMap::new(),
        };
        for image in 0..IMAGES {
            registry.push(image, 0, 0);
        }
        registry
    }

    /// Pushes the tag of an image's version, in every organization: for the first time, or again.
    pub(super) fn push(&mut self, image: u64, version: u64, now: u64) {
        for account in ACCOUNTS {
            for project in PROJECTS {
                let organization = organization(account, project);
                self.push_to(
                    &format!("{organization}/image-{image:02}"),
                    (image, version),
                    now,
                );
            }
        }
    }

    fn push_to(&mut self, repository: &str, (image, version): (u64, u64), now: u64) {
        let path = format!("{HOST}/{repository}:v{version}");
        let number = self.tags.get(&path).map_or(0, Vec::len);
        let (arch, variant) = (arch(version).1, format!("v{number}"));
        let config = json!({"os": "linux", "architecture": arch, "variant": variant, "of": path});
        let config = self.store(repository, &config);
        let single = self.store(
            repository,
            &json!({"schemaVersion": 2, "layers": [], "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config,
            }}),
        );
        let mut index = |entries: Value| {
            let entries = json!({"schemaVersion": 2, "manifests": entries});
            self.store(repository, &entries)
        };
        let mut platforms = vec![format!("linux/{arch}/{variant}")];
        let digest = match image % 3 {
            0 => {
                platforms.push("linux/arm/v7".into());
                let platform = json!({"os": "linux", "architecture": arch, "variant": variant});
                let other = json!({"os": "linux", "architecture": "arm", "variant": "v7"});
                index(json!([{"digest": single, "platform": platform},
                    {"digest": sha256(b"other"), "platform": other}]))
            }
            1 => single,
            // It does not say what it runs on: manifest and config do.
            _ => index(json!([{"digest": single}])),
        };
        platforms.sort();
        let push = Push {
            at: now,
            digest,
            platforms,
        };
        self.tags.entry(path).or_default().push(push);
    }

    fn store(&mut self, repository: &str, document: &Value) -> String {
        let bytes = document.to_string().into_bytes();
        let digest = sha256(&bytes);
        self.stored
            .insert((repository.to_owned(), digest.clone()), bytes);
        digest
    }

    /// What is stored under a path such as `/v2/REPOSITORY/manifests/TAG`.
    fn find(&self, path: &str) -> Option<(String, Vec<u8>)> {
        let (repository, wanted) = asked_for(path)?;
        let digest = if wanted.starts_with("sha256:") {
            wanted.to_owned()
        } else {
            let pushes = self.tags.get(&format!("{HOST}/{repository}:{wanted}"))?;
            pushes.last()?.digest.clone()
        };
        let key = (repository.to_owned(), digest);
        let bytes = self.stored.get(&key)?.clone();
        Some((key.1, bytes))
    }
}

/// Repository and tag, or digest.
fn asked_for(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/v2/")?;
    rest.split_once("/manifests/")
        .or_else(|| rest.split_once("/blobs/"))
}

/// The image as the platform names it, if a request is about its tag.
pub(super) fn tag_of(path: &str) -> Option<String> {
    let (repository, wanted) = asked_for(path)?;
    let is_tag = !wanted.starts_with("sha256:");
    is_tag.then(|| format!("{HOST}/{repository}:{wanted}"))
}

/// What registries answer to a process.
pub(super) fn stand_in(world: &Arc<World>, who: Who) -> StandIn {
    let world = world.clone();
    Arc::new(move |request: reqwest::Request| {
        let is_head = *request.method() == Method::HEAD;
        let path = request.url().path().to_owned();
        // What was asked is answered, even if the process ends meanwhile.
        let answered = tokio::spawn(answer(world.clone(), who, is_head, path));
        answered.map(Result::unwrap).boxed()
    })
}

/// One answer, before it is on its way.
#[derive(Default)]
struct Said {
    status: u16,
    digest: Option<String>,
    body: Vec<u8>,
    /// Seconds.
    retry_after: Option<u64>,
}

impl Said {
    fn no(status: u16, code: &str) -> Self {
        let body = json!({"errors": [{"code": code, "message": "simulated"}]});
        Self {
            status,
            body: body.to_string().into_bytes(),
            ..Self::default()
        }
    }

    fn found(found: Option<(String, Vec<u8>)>) -> Self {
        let Some((digest, body)) = found else {
            return Self::no(404, "MANIFEST_UNKNOWN");
        };
        Self {
            status: 200,
            digest: Some(digest),
            body,
            retry_after: None,
        }
    }

    /// The same, garbled in one of many ways.
    fn garbled(self, draw: &mut Draw) -> Self {
        let other = Some(sha256(&draw.next().to_le_bytes()));
        match draw.within(0..5) {
            0 => Self {
                body: b"<html>hello</html>".to_vec(),
                ..self
            },
            1 => Self {
                body: b"{\"hello\": \"world\"}".to_vec(),
                digest: None,
                ..self
            },
            2 => Self {
                digest: other,
                ..self
            },
            3 => Self {
                body: self.body[..self.body.len() / 2].to_vec(),
                ..self
            },
            // Well-formed, and of nothing that was ever pushed.
            _ => Self {
                body: b"{\"schemaVersion\": 2, \"manifests\": []}".to_vec(),
                ..self
            },
        }
    }
}

/// One request. `None`: the connection broke.
async fn answer(
    world: Arc<World>,
    who: Who,
    is_head: bool,
    path: String,
) -> Option<Response<Vec<u8>>> {
    world.awake(who.instance).await;
    let method = if is_head { "HEAD" } else { "GET" };
    let what = format!("{} {method} {path}", who.instance);
    let mut draw = world.draw(&what);
    world.step("registry", &format!("{what} is asked"), |inner, now| {
        super::rules::registry::asked(inner, who, (is_head, &path), now)
    });
    tokio::time::sleep(milliseconds(draw.within(20..300))).await;
    let (weather, calm) = {
        let inner = world.lock();
        (inner.registry.weather, inner.calm)
    };
    let stray = !calm && draw.one_in(400);
    let mut said = Said::default();
    match weather {
        Weather::Hanging => {
            tokio::time::sleep(Duration::from_secs(90)).await;
            said = Said::no(504, "UNKNOWN");
        }
        Weather::Failing => said = Said::no(500, "UNKNOWN"),
        Weather::Throttling => {
            said = Said::no(429, "TOOMANYREQUESTS");
            said.retry_after = Some(draw.within(5..90));
        }
        Weather::Denying => said = Said::no(404, "MANIFEST_UNKNOWN"),
        Weather::Fine | Weather::Garbled if stray => said.status = 502,
        Weather::Fine | Weather::Garbled => {
            world.step("registry", &format!("{what} is answered"), |inner, _| {
                said = Said::found(inner.registry.find(&path));
                Ok(())
            });
        }
    }
    if weather == Weather::Garbled && said.status == 200 {
        said = said.garbled(&mut draw);
    }
    tokio::time::sleep(milliseconds(draw.within(20..200))).await;
    if weather == Weather::Failing && draw.one_in(3) {
        return None;
    }
    world.awake(who.instance).await;
    if !world.is_alive(who) {
        return None;
    }
    let status = said.status;
    world.step(
        "registry",
        &format!("{what} says {status}"),
        |inner, now| {
            let is_right = weather == Weather::Fine && !stray;
            let said = (is_right, said.retry_after);
            super::rules::registry::heard(inner, who, (is_head, &path), said, now);
            Ok(())
        },
    );
    let mut response = Response::builder().status(status);
    if let Some(digest) = &said.digest {
        response = response.header("docker-content-digest", digest);
    }
    if let Some(seconds) = said.retry_after {
        response = response.header("retry-after", seconds);
    }
    let body = if is_head { Vec::new() } else { said.body };
    Some(response.body(body).unwrap())
}
