//! From a tag to its digest and platforms, by as few requests as that takes.
//!
//! Owns the order of requests and the proof that each body is what was asked for. Must not know what
//! is shared or remembered. The invariant that would break first: **a digest is that of the bytes
//! that were read**, and a registry that says otherwise is not believed about anything.
//!
//! A tag that still means a digest that is known costs one HEAD. That answer has no bytes to check: a
//! registry that lies in its header alone keeps an old digest in use, and none that it chooses.

use super::manifest::{self, Entry, Manifest};
use super::session::Session;
use super::wire::Answer;
use crate::facts::{Content, Digest, Failure, FailureKind, Platform};
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Bound on the manifests that are read of an index which does not say what they run on.
pub(super) const MOST_CHILDREN: usize = 8;

/// Why nothing was learned of a reference.
#[derive(Debug)]
pub(super) enum Missed {
    /// What the registry says of this very image. It stands as long as any other answer.
    Answer(Failure),
    /// Anything else, which says nothing of the image.
    Trouble(Failure),
}

impl From<Failure> for Missed {
    fn from(failure: Failure) -> Self {
        Self::Trouble(failure)
    }
}

/// What was learned of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// What it means now.
    pub(super) digest: Digest,
    /// What was read of it; `None` if the digest was one that the asker knew.
    pub(super) content: Option<Arc<Content>>,
}

/// Looks at a reference. `known` are digests whose content needs no reading.
pub(super) async fn look(session: &Session<'_>, known: &[Digest]) -> Result<Seen, Missed> {
    let reference = session.reference;
    let wanted = reference.wanted();
    let wanted = wanted.map_err(|what| Failure::new(FailureKind::InvalidSpec, what))?;
    if !known.is_empty() {
        let answer = session.manifest(wanted, true).await?;
        let said = answer.digest.as_deref().and_then(Digest::parse);
        let said = said.filter(|said| reference.digest().is_none_or(|asked| asked == said));
        if let Some(digest) = said.filter(|said| answer.status == 200 && known.contains(said)) {
            return Ok(Seen {
                digest,
                content: None,
            });
        }
    }
    let reader = Reader { session };
    let (digest, manifest) = reader.manifest(wanted, reference.digest()).await?;
    let platforms = manifest::kept(reader.platforms(manifest).await?);
    let content = Some(Arc::new(Content {
        digest: digest.clone(),
        platforms,
    }));
    Ok(Seen { digest, content })
}

struct Reader<'a> {
    session: &'a Session<'a>,
}

impl Reader<'_> {
    /// Reads a manifest whose digest, if it is known, is `asked`.
    async fn manifest(
        &self,
        wanted: &str,
        asked: Option<&Digest>,
    ) -> Result<(Digest, Manifest), Missed> {
        let answer = self.session.manifest(wanted, false).await?;
        let digest = digest_of(&answer.body);
        if let Some(asked) = asked.filter(|asked| **asked != digest) {
            return Err(self.other("manifest", asked.as_str(), &digest, &answer));
        }
        // One of another kind of hash says nothing that could be compared.
        let said = answer
            .digest
            .as_deref()
            .filter(|said| said.starts_with("sha256:"));
        if let Some(said) = said.filter(|said| *said != digest.as_str()) {
            return Err(self.other("manifest", said, &digest, &answer));
        }
        let manifest = manifest::read(&answer.body).map_err(|what| {
            let what = format!("the manifest of {} {what}", self.image());
            let failure = invalid(&what, &answer);
            // No registry stores what is not even JSON under a tag: something else has answered.
            let is_json = serde_json::from_slice::<IgnoredAny>(&answer.body).is_ok();
            if asked.is_some() || is_json {
                Missed::Answer(failure)
            } else {
                Missed::Trouble(failure)
            }
        })?;
        Ok((digest, manifest))
    }

    async fn platforms(&self, manifest: Manifest) -> Result<Vec<Platform>, Missed> {
        let entries = match manifest {
            Manifest::Image(config) => return self.of_config(config).await,
            Manifest::Index(entries) => entries,
        };
        let mut platforms = Vec::new();
        let mut read = 0;
        for Entry { digest, platform } in entries {
            if let Some(platform) = platform {
                platforms.push(platform);
                continue;
            }
            read += 1;
            if read > MOST_CHILDREN {
                let message = format!(
                    "the index of {} does not say what more than {MOST_CHILDREN} of its manifests run on",
                    self.image()
                );
                let failure = Failure::new(FailureKind::ResponseInvalid, message);
                return Err(Missed::Answer(failure));
            }
            platforms.extend(self.of_child(&digest).await?);
        }
        Ok(platforms)
    }

    /// What a manifest of an index runs on. An index inside of it has to say so itself.
    async fn of_child(&self, digest: &Digest) -> Result<Vec<Platform>, Missed> {
        let entries = match self.manifest(digest.as_str(), Some(digest)).await?.1 {
            Manifest::Image(config) => return self.of_config(config).await,
            Manifest::Index(entries) => entries,
        };
        let platforms: Option<Vec<_>> = entries.into_iter().map(|entry| entry.platform).collect();
        platforms.ok_or_else(|| {
            let message = format!(
                "the index of {} has another one inside that does not say what its manifests run on",
                self.image()
            );
            Missed::Answer(Failure::new(FailureKind::ResponseInvalid, message))
        })
    }

    async fn of_config(&self, config: Option<Digest>) -> Result<Vec<Platform>, Missed> {
        let Some(asked) = config else {
            return Ok(Vec::new());
        };
        let answer = self.session.config(&asked).await?;
        let digest = digest_of(&answer.body);
        if digest != asked {
            return Err(self.other("config", asked.as_str(), &digest, &answer));
        }
        let platform = manifest::platform(&answer.body).map_err(|what| {
            let what = format!("the config of {} {what}", self.image());
            Missed::Answer(invalid(&what, &answer))
        })?;
        Ok(platform.into_iter().collect())
    }

    fn image(&self) -> String {
        self.session.reference.to_string()
    }

    fn other(&self, what: &str, said: &str, digest: &Digest, answer: &Answer) -> Missed {
        let said = Digest::parse(said).map_or("a malformed digest".into(), |said| said.to_string());
        let message = format!(
            "registry {} gave another {what} for {} than it says: {said} was to come, {digest} came",
            self.session.reference.host(),
            self.image()
        );
        Missed::Answer(invalid(&message, answer))
    }
}

fn invalid(message: &str, answer: &Answer) -> Failure {
    Failure {
        request_id: answer.request_id.clone(),
        ..Failure::new(FailureKind::ResponseInvalid, message)
    }
}

#[expect(clippy::expect_used, reason = "a SHA-256 in hexadecimal is a digest")]
fn digest_of(bytes: &[u8]) -> Digest {
    let text = format!("sha256:{}", hex::encode(Sha256::digest(bytes)));
    Digest::parse(&text).expect("64 digits")
}
