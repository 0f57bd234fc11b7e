//! What the registry says of an image that was found.
//!
//! Owns where a login comes from when files stand for a cluster. The invariant that would break first:
//! the Secret that is read is the one that the operator would read.

use super::ask::{Asker, NO_PLACE, SignedIn};
use crate::cloud::provider::Provider;
use crate::facts::{Facts, Failure, FailureKind};
use crate::plan::{self, Contents, Object, Provided, Target};
use crate::registry::{DockerConfig, LoginFrom, Wanted};
use std::time::Duration;

impl Asker {
    /// Asks the registry, if the operator would.
    pub(super) async fn contents(
        &self,
        object: &Object<'_>,
        provided: &Provided,
        target: &Target,
        signed_in: &SignedIn,
        facts: &Facts,
    ) -> Contents {
        let previous = crate::api::ImageRefStatus::default();
        let due = plan::contents_due(object, provided, &previous, facts);
        let (Some(reader), Some(chosen), true) =
            (&self.registries, self.find(&target.provider), due)
        else {
            return Contents::NotAsked;
        };
        let config = match self.pull_secret(&chosen) {
            Ok(config) => config,
            Err(message) => {
                return Contents::Failed(Failure::new(FailureKind::ProviderNotReady, message));
            }
        };
        let wanted = Wanted {
            image: facts.image.as_deref().unwrap_or_default(),
            login: match &config {
                Some(config) => LoginFrom::Secret(config),
                None => LoginFrom::provider(
                    chosen.registry(),
                    &target.account,
                    &signed_in.credential,
                    signed_in.identity.proof(),
                ),
            },
            public: chosen.registry().is_some_and(|r| r.public_hosts),
            known: None,
            max_age: Duration::MAX,
            not_before: None,
        };
        let asked = async {
            loop {
                if let Some(result) = Box::pin(reader.read(&wanted)).await {
                    return result;
                }
                tokio::time::sleep(NO_PLACE).await;
            }
        };
        let timeout = object.spec.timeout();
        match tokio::time::timeout(timeout, asked).await {
            Ok(Ok(read)) => Contents::Read(read.content),
            Ok(Err(failure)) => Contents::Failed(failure),
            Err(_) => Contents::Failed(wanted.unanswered(timeout)),
        }
    }

    /// The Secret for registries that a provider names, from the files.
    fn pull_secret(&self, provider: &Provider) -> Result<Option<DockerConfig>, String> {
        let auth = provider.registry().and_then(|r| r.auth.as_ref());
        let Some(wanted) = auth.and_then(|auth| auth.secret_ref.as_ref()) else {
            return Ok(None);
        };
        let namespace = provider.id().namespace;
        let namespace = namespace.unwrap_or_else(|| self.operator_namespace.clone());
        let key = (namespace, wanted.name.clone());
        let label = format!("{}/{}", key.0, key.1);
        match self.manifests.secrets.get(&key) {
            Some(secret) => DockerConfig::of_secret(&label, &secret.data).map(Some),
            None => Err(format!(
                "Secret {label} of spec.registry.auth.secretRef is in none of the files: add its file with -f"
            )),
        }
    }
}
