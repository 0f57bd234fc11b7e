//! The Secret and the configurations in a cluster.
//!
//! Owns the calls to the API server. Must not know what a certificate is for. The invariant that would
//! break first: a write carries the version that was read, and touches nothing but the certificates.

use super::Settings;
use super::bundle::Bundle;
use super::held::{Data, KEYS};
use super::look::{Cluster, Configuration, Failure, Stored};
use crate::api::condition::truncate;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ApiResource, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use zeroize::Zeroize as _;

/// Who wrote, in `managedFields`: rules of Argo CD can name it.
pub const FIELD_MANAGER: &str = "imageref-certificates";

/// The longest that one call may take, the client's own retries included.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The objects that [`Settings`] name.
pub(super) struct Objects {
    secrets: Api<Secret>,
    secret: String,
    configurations: Vec<(Api<DynamicObject>, &'static str, String)>,
}

impl Objects {
    pub(super) fn new(client: &Client, settings: &Settings) -> Self {
        let validating = ApiResource::erase::<ValidatingWebhookConfiguration>(&());
        let mutating = ApiResource::erase::<MutatingWebhookConfiguration>(&());
        let kinds = [
            (
                validating,
                "ValidatingWebhookConfiguration",
                &settings.validating,
            ),
            (mutating, "MutatingWebhookConfiguration", &settings.mutating),
        ];
        let mut configurations = Vec::new();
        for (resource, kind, names) in kinds {
            let api = Api::all_with(client.clone(), &resource);
            let named = names.iter().map(|name| (api.clone(), kind, name.clone()));
            configurations.extend(named);
        }
        Self {
            secrets: Api::namespaced(client.clone(), &settings.namespace),
            secret: settings.secret.clone(),
            configurations,
        }
    }

    fn secret_is(&self, doing: &str) -> String {
        format!("{doing} Secret {}", self.secret)
    }

    async fn create(&self, data: &Data) -> Result<Secret, Failure> {
        let bytes = |(key, value): (&String, &Vec<u8>)| (key.clone(), ByteString(value.clone()));
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(self.secret.clone()),
                ..ObjectMeta::default()
            },
            type_: Some("Opaque".into()),
            data: Some(data.iter().map(bytes).collect()),
            ..Secret::default()
        };
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.into()),
            ..PostParams::default()
        };
        let create = self.secrets.create(&params, &secret);
        let created = call(self.secret_is("creating"), create).await;
        wipe(secret.data.unwrap_or_default());
        created
    }

    async fn replace(&self, data: &Data, version: &str) -> Result<Secret, Failure> {
        // A key that is not among the data is removed; others than ours stay.
        let data = KEYS.map(|key| (key, data.get(key).map(|value| STANDARD.encode(value))));
        let data = BTreeMap::from(data);
        let patch = json!({"metadata": {"resourceVersion": version}, "data": data});
        let (params, patch) = (params(), Patch::Merge(patch));
        let write = self.secrets.patch(&self.secret, &params, &patch);
        call(self.secret_is("writing"), write).await
    }
}

impl Cluster for Objects {
    async fn configurations(&self) -> Result<Vec<Configuration>, Failure> {
        let mut all = Vec::new();
        for (api, kind, name) in &self.configurations {
            let doing = format!("reading {kind} {name}");
            let object = call(doing, api.get_opt(name)).await?;
            all.push(Configuration {
                id: (kind, name.clone()),
                version: object.as_ref().and_then(ResourceExt::resource_version),
                hooks: object
                    .as_ref()
                    .map(|object| hooks(&object.data))
                    .unwrap_or_default(),
            });
        }
        Ok(all)
    }

    async fn secret(&self) -> Result<Option<Stored>, Failure> {
        let read = self.secrets.get_opt(&self.secret);
        let Some(secret) = call(self.secret_is("reading"), read).await? else {
            return Ok(None);
        };
        let version = secret.resource_version().unwrap_or_default();
        let data = secret.data.unwrap_or_default().into_iter();
        let data = data.map(|(key, ByteString(value))| (key, value)).collect();
        Ok(Some(Stored { version, data }))
    }

    async fn write(&self, data: Data, over: Option<&str>) -> Result<(), Failure> {
        let written = match over {
            Some(version) => self.replace(&data, version).await,
            None => self.create(&data).await,
        };
        for mut value in data.into_values() {
            value.zeroize();
        }
        written.map(|secret| wipe(secret.data.unwrap_or_default()))
    }

    async fn trust(&self, to: &Configuration, bundle: &Bundle) -> Result<(), Failure> {
        let (kind, name) = &to.id;
        let mut objects = self.configurations.iter();
        let Some((api, ..)) = objects.find(|(_, of, named)| of == kind && named == name) else {
            return Ok(());
        };
        let bundle = STANDARD.encode(bundle.pem());
        let hooks = to.hooks.iter();
        let hooks =
            hooks.map(|(name, _)| json!({"name": name, "clientConfig": {"caBundle": bundle}}));
        // Lists of webhooks are merged by name: whatever else is in them stays as it is.
        let patch = json!({
            "metadata": {"resourceVersion": to.version},
            "webhooks": hooks.collect::<Vec<_>>(),
        });
        let doing = format!("writing caBundle of {kind} {name}");
        let (params, patch) = (params(), Patch::Strategic(patch));
        call(doing, api.patch(name, &params, &patch))
            .await
            .map(drop)
    }
}

fn wipe(data: BTreeMap<String, ByteString>) {
    for ByteString(mut value) in data.into_values() {
        value.zeroize();
    }
}

fn params() -> PatchParams {
    PatchParams {
        field_manager: Some(FIELD_MANAGER.into()),
        ..PatchParams::default()
    }
}

/// The webhooks in a configuration, and whom they trust.
fn hooks(configuration: &Value) -> Vec<(String, Bundle)> {
    let webhooks = configuration["webhooks"].as_array().into_iter().flatten();
    webhooks
        .filter_map(|webhook| {
            let name = webhook["name"].as_str()?.to_owned();
            let bundle = webhook["clientConfig"]["caBundle"]
                .as_str()
                .unwrap_or_default();
            Some((
                name,
                Bundle::read(&STANDARD.decode(bundle).unwrap_or_default()),
            ))
        })
        .collect()
}

async fn call<T>(doing: String, call: impl Future<Output = kube::Result<T>>) -> Result<T, Failure> {
    match tokio::time::timeout(TIMEOUT, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) if status.is_conflict() || status.is_already_exists() => {
            Err(Failure::Conflict)
        }
        Ok(Err(kube::Error::Api(status))) => Err(Failure::Failed(format!(
            "{doing}: {} ({})",
            truncate(&status.message, 300),
            status.code
        ))),
        Ok(Err(error)) => {
            let error = error.to_string();
            Err(Failure::Failed(format!(
                "{doing}: {}",
                truncate(&error, 300)
            )))
        }
        Err(_) => Err(Failure::Failed(format!(
            "{doing}: the API server did not answer within {} s",
            TIMEOUT.as_secs()
        ))),
    }
}
