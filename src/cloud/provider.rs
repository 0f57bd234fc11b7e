//! Which provider a reference means, and whether it may use it.
//!
//! Owns the rules between namespaces; the controller and the CLI look objects up and ask here. Must
//! not know how. The invariant that would break first: a namespaced provider signs in with objects of
//! its own namespace only, a cluster provider with the operator's, and only for whom it serves.

use super::credential::Cloud;
use super::gate::Limits;
use super::sign_in::SignIn;
use super::{AllowedEndpoints, modelarts, pai};
use crate::api::auth::{Auth, ClusterAuth};
use crate::api::provider::{Accept, AllowedNamespaces, ModelArts, Pai};
use crate::api::{
    ClusterImageProvider, DEFAULT_PROVIDER, ImageProvider, ImageRefSpec, ProviderKind, ProviderRef,
    Registry, selects,
};
use crate::facts::{Failure, FailureKind};
use crate::plan::{Account, Provided, ProviderId, Query, Target};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use std::collections::BTreeMap;
use std::sync::Arc;

const NO_PLATFORM: &str = "set exactly one of spec.modelArts and spec.pai";

/// A provider object of either kind.
#[derive(Clone, Debug)]
pub enum Provider {
    /// For one namespace.
    Namespaced(Arc<ImageProvider>),
    /// For chosen namespaces.
    Cluster(Arc<ClusterImageProvider>),
}

impl Provider {
    /// Its kind, namespace and name.
    pub fn id(&self) -> ProviderId {
        let (kind, metadata) = match self {
            Self::Namespaced(p) => (ProviderKind::Namespaced, &p.metadata),
            Self::Cluster(p) => (ProviderKind::Cluster, &p.metadata),
        };
        ProviderId {
            kind,
            namespace: metadata
                .namespace
                .clone()
                .filter(|_| kind == ProviderKind::Namespaced),
            name: metadata.name.clone().unwrap_or_default(),
        }
    }

    fn platform(&self) -> (Option<&ModelArts>, Option<&Pai>) {
        match self {
            Self::Namespaced(p) => (p.spec.model_arts.as_ref(), p.spec.pai.as_ref()),
            Self::Cluster(p) => (p.spec.model_arts.as_ref(), p.spec.pai.as_ref()),
        }
    }

    /// The object's UID and generation.
    pub fn version(&self) -> (Option<String>, Option<i64>) {
        let metadata = match self {
            Self::Namespaced(p) => &p.metadata,
            Self::Cluster(p) => &p.metadata,
        };
        (metadata.uid.clone(), metadata.generation)
    }

    /// Its cloud and region.
    ///
    /// # Errors
    /// One sentence: it names none or two.
    pub fn cloud(&self) -> Result<(Cloud, &str), String> {
        match self.platform() {
            (Some(spec), None) => Ok((Cloud::Huawei, &spec.region)),
            (None, Some(spec)) => Ok((Cloud::Alibaba, &spec.region)),
            _ => Err(NO_PLATFORM.into()),
        }
    }

    /// Where it asks. `project` is the project that was looked up, if its spec names none.
    ///
    /// # Errors
    /// One sentence that says which field to mend.
    pub fn account(
        &self,
        project: Option<&str>,
        allowed: &AllowedEndpoints,
    ) -> Result<Account, String> {
        match self.platform() {
            (Some(spec), None) => modelarts::endpoint::account(spec, project, allowed),
            (None, Some(spec)) => pai::endpoint::account(spec, allowed),
            _ => Err(NO_PLATFORM.into()),
        }
    }

    /// Whether it could ask there, once its project is known.
    ///
    /// # Errors
    /// As [`Provider::account`], or why the object could not be read.
    pub fn check(&self, allowed: &AllowedEndpoints) -> Result<(), String> {
        if let Some(message) = self.unreadable() {
            return Err(message.into());
        }
        // Any project will do: none is in an address but as a checked segment.
        self.account(self.project().or(Some("0")), allowed)
            .map(drop)
    }

    /// The project that its spec names.
    pub fn project(&self) -> Option<&str> {
        self.platform().0?.project_id.as_deref()
    }

    /// Whether its project has to be looked up.
    pub fn needs_project(&self) -> bool {
        self.platform()
            .0
            .is_some_and(|spec| spec.project_id.is_none())
    }

    /// The project that was looked up before, as its status has it.
    pub fn known_project(&self) -> Option<&str> {
        let status = match self {
            Self::Namespaced(p) => p.status.as_ref(),
            Self::Cluster(p) => p.status.as_ref(),
        };
        status?
            .project_id
            .as_deref()
            .filter(|_| self.needs_project())
    }

    /// Whether the spec names an endpoint of its own.
    pub fn has_endpoint(&self) -> bool {
        let (model_arts, pai) = self.platform();
        model_arts.is_some_and(|m| m.endpoint.is_some())
            || pai.is_some_and(|p| p.endpoint.is_some())
    }

    /// How it proves who it is. `operator` is the operator's own namespace.
    ///
    /// # Errors
    /// One sentence: `spec.auth` names nothing, or no name of an object: that would be a path of
    /// the API server's.
    pub fn sign_in(&self, operator: &str) -> Result<SignIn<'_>, String> {
        let (secret, agency, workload, own) = match self {
            Self::Namespaced(p) => {
                let Auth {
                    secret_ref,
                    agency,
                    workload_identity,
                } = &p.spec.auth;
                (secret_ref, agency, workload_identity, &None)
            }
            Self::Cluster(p) => {
                let ClusterAuth {
                    secret_ref,
                    agency,
                    workload_identity,
                    operator_identity,
                } = &p.spec.auth;
                (secret_ref, agency, workload_identity, operator_identity)
            }
        };
        let object = |name: &str| {
            let namespace = match self {
                Self::Namespaced(p) => p.metadata.namespace.clone(),
                Self::Cluster(_) => Some(operator.to_owned()),
            };
            match namespace {
                Some(namespace) if is_object_name(name) => Ok((namespace, name.to_owned())),
                _ => Err("spec.auth: no object is named so".to_owned()),
            }
        };
        if agency.is_some() && secret.is_none() {
            return Err("spec.auth.agency goes with secretRef".into());
        }
        match (secret, workload, own) {
            (Some(secret), None, None) => Ok(SignIn::Secret {
                secret: object(&secret.name)?,
                agency: agency.as_ref(),
            }),
            (None, Some(workload), None) => Ok(SignIn::ServiceAccount {
                account: object(&workload.service_account_ref.name)?,
                exchange: &workload.exchange,
            }),
            (None, None, Some(own)) => Ok(SignIn::Operator(own)),
            _ => Err("spec.auth must name exactly one way to sign in".into()),
        }
    }

    /// Bounds on what it may resolve to.
    pub fn accept(&self) -> Option<&Accept> {
        match self {
            Self::Namespaced(_) => None,
            Self::Cluster(p) => p.spec.accept.as_ref(),
        }
    }

    /// Why the object as stored could not be read. Then nothing is known of its spec.
    pub fn unreadable(&self) -> Option<&str> {
        match self {
            Self::Namespaced(p) => p.spec.unreadable.as_deref(),
            Self::Cluster(p) => p.spec.unreadable.as_deref(),
        }
    }

    /// `spec.suspend`.
    pub fn suspended(&self) -> bool {
        match self {
            Self::Namespaced(p) => p.spec.suspend,
            Self::Cluster(p) => p.spec.suspend,
        }
    }

    /// How much may be asked through it. `for_tenants` is the most that the operator grants a provider
    /// of the namespaced kind.
    pub fn limits(&self, for_tenants: &Limits) -> Limits {
        match self {
            Self::Namespaced(p) => Limits::of(p.spec.limits.as_ref()).strictest(for_tenants),
            Self::Cluster(p) => Limits::of(p.spec.limits.as_ref()),
        }
    }

    /// How registries are to be asked through it.
    pub fn registry(&self) -> Option<&Registry> {
        match self {
            Self::Namespaced(p) => p.spec.registry.as_ref(),
            Self::Cluster(p) => p.spec.registry.as_ref(),
        }
    }

    /// Whom it serves; `None` for the namespaced kind, which serves its own namespace.
    pub fn allowed_namespaces(&self) -> Option<&AllowedNamespaces> {
        match self {
            Self::Namespaced(_) => None,
            Self::Cluster(p) => Some(&p.spec.allowed_namespaces),
        }
    }

    /// Whether serving `namespace` depends on the namespace's labels.
    pub fn needs_labels(&self, namespace: &str) -> bool {
        self.allowed_namespaces().is_some_and(|allowed| {
            !allowed.names.iter().any(|name| name == namespace)
                && allowed
                    .selector
                    .as_ref()
                    .is_some_and(|s| *s != LabelSelector::default())
        })
    }

    /// Whether it serves a namespace with these labels.
    pub fn serves(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Namespaced(p) => p.metadata.namespace.as_deref() == Some(namespace),
            Self::Cluster(p) => {
                let allowed = &p.spec.allowed_namespaces;
                allowed.names.iter().any(|name| name == namespace)
                    || allowed
                        .selector
                        .as_ref()
                        .is_some_and(|s| selects(s, labels))
            }
        }
    }

    /// What a reference's question to this provider is; `project` as for [`Provider::account`],
    /// `for_tenants` as for [`Provider::limits`].
    pub fn provide(
        &self,
        spec: &ImageRefSpec,
        namespace: &str,
        labels: &BTreeMap<String, String>,
        project: Option<&str>,
        allowed: &AllowedEndpoints,
        for_tenants: &Limits,
    ) -> Provided {
        let provider = self.id();
        let unavailable = |kind, message: String| Provided::Unavailable {
            provider: Some(provider.clone()),
            failure: Failure::new(kind, message),
        };
        if let Some(message) = self.unreadable() {
            // Whom it serves is not known; that it serves nobody would take answers away.
            return unavailable(
                FailureKind::ProviderNotReady,
                format!("{provider}: {message}"),
            );
        }
        if !self.serves(namespace, labels) {
            return unavailable(
                FailureKind::ProviderNotAllowed,
                format!(
                    "{provider} does not serve namespace {namespace}: its owner can add it to spec.allowedNamespaces"
                ),
            );
        }
        let account = match self.account(project, allowed) {
            Ok(account) => account,
            Err(message) => {
                return unavailable(
                    FailureKind::ProviderNotReady,
                    format!("{provider}: {message}"),
                );
            }
        };
        match Query::new(&spec.source, &account) {
            Ok(query) => Provided::Target {
                target: Target {
                    provider,
                    account,
                    query,
                },
                accept: self.accept().cloned(),
                suspended: self.suspended(),
                min_interval: self.limits(for_tenants).min_interval,
            },
            Err(message) => unavailable(FailureKind::InvalidSpec, message),
        }
    }
}

/// Finds the provider that a reference means. Without `providerRef`: the namespace's ImageProvider
/// `default`, else the ClusterImageProvider `default`.
///
/// # Errors
/// A [`Provided::Unavailable`] that says which object is missing.
pub fn choose(
    wanted: Option<&ProviderRef>,
    namespace: &str,
    find: impl Fn(&ProviderId) -> Option<Provider>,
) -> Result<Provider, Box<Provided>> {
    let namespaced = |name: &str| ProviderId {
        kind: ProviderKind::Namespaced,
        namespace: Some(namespace.into()),
        name: name.into(),
    };
    let cluster = |name: &str| ProviderId {
        kind: ProviderKind::Cluster,
        namespace: None,
        name: name.into(),
    };
    let missing = |provider: Option<ProviderId>, message: String| {
        Box::new(Provided::Unavailable {
            provider,
            failure: Failure::new(FailureKind::ProviderNotFound, message),
        })
    };
    let Some(wanted) = wanted else {
        return find(&namespaced(DEFAULT_PROVIDER)).or_else(|| find(&cluster(DEFAULT_PROVIDER))).ok_or_else(|| {
            missing(None, format!("providerRef is left out, and neither an ImageProvider named {DEFAULT_PROVIDER} in namespace {namespace} nor a ClusterImageProvider of that name exists: create one, or set providerRef"))
        });
    };
    let id = match wanted.kind.as_str() {
        "ImageProvider" => namespaced(&wanted.name),
        "ClusterImageProvider" => cluster(&wanted.name),
        other => {
            return Err(Box::new(Provided::Unavailable {
                provider: None,
                failure: Failure::new(
                    FailureKind::InvalidSpec,
                    format!(
                        "providerRef.kind must be ImageProvider or ClusterImageProvider, not {other:?}"
                    ),
                ),
            }));
        }
    };
    find(&id).ok_or_else(|| missing(Some(id.clone()), format!("{id} does not exist")))
}

/// Whether a reference may be meant for this provider: a superset, to find whom a change concerns.
pub fn may_use(wanted: Option<&ProviderRef>, namespace: &str, provider: &ProviderId) -> bool {
    let reachable = provider
        .namespace
        .as_deref()
        .is_none_or(|own| own == namespace);
    reachable
        && match wanted {
            Some(wanted) => *wanted == provider.to_ref(),
            None => provider.name == DEFAULT_PROVIDER,
        }
}

/// Whether a text can be the name of an object, by the characters that it has.
fn is_object_name(name: &str) -> bool {
    let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    name.len() <= 253 && name.bytes().all(plain) && name.bytes().any(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests;
