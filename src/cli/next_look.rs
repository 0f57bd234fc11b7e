//! When the operator looks next at an `ImageRef`, for people.
//!
//! Owns which provider objects that takes, and the words. Must not compute a time: `plan` does. The
//! invariant that would break first: a provider that this user may not read makes the answer less
//! exact, and no command fail.

use super::cluster::{Kind, Pages, Wanted, find};
use crate::api::{ClusterImageProvider, DEFAULT_PROVIDER, ImageProvider, ImageRef};
use crate::api::{ProviderKind, RECONCILE_REQUESTED_AT};
use crate::cloud::AllowedEndpoints;
use crate::cloud::gate::Limits;
use crate::cloud::provider::{self, Provider};
use crate::facts::{Failure, FailureKind};
use crate::plan::{self, Outlook, Provided, ProviderId, Query, Target};
use jiff::Timestamp;
use kube::api::DynamicObject;
use kube::{Client, ResourceExt as _};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The providers that references name.
#[derive(Default)]
pub(super) struct Providers {
    by_id: BTreeMap<ProviderId, Provider>,
    /// Why some could not be read, a sentence each.
    pub(super) unread: Vec<String>,
}

impl Providers {
    /// All that serve a namespace, or all of a cluster.
    pub(super) async fn list(client: &Client, namespace: Option<&str>) -> Self {
        let mut providers = Self::default();
        for kind in [Kind::ImageProvider, Kind::ClusterImageProvider] {
            let wanted = Wanted {
                resource: kind.resource(),
                namespace: namespace
                    .filter(|_| kind == Kind::ImageProvider)
                    .map(Into::into),
                fields: None,
                labels: None,
            };
            let mut pages = Pages::new(client, &wanted);
            loop {
                match pages.next().await {
                    Ok(None) => break,
                    Ok(Some(page)) => page.into_iter().for_each(|o| providers.take(kind, o)),
                    Err(error) => {
                        providers.unread.push(format!("{error:#}"));
                        break;
                    }
                }
            }
        }
        providers
    }

    /// Those that one reference may mean.
    pub(super) async fn of(client: &Client, object: &ImageRef) -> Self {
        let mut providers = Self::default();
        let namespace = object.namespace().unwrap_or_default();
        let wanted = object.spec.provider_ref.as_ref();
        let name = wanted.map_or(DEFAULT_PROVIDER, |wanted| wanted.name.as_str());
        for kind in [Kind::ImageProvider, Kind::ClusterImageProvider] {
            let id = ProviderId {
                kind: match kind {
                    Kind::ImageProvider => ProviderKind::Namespaced,
                    _ => ProviderKind::Cluster,
                },
                namespace: (kind == Kind::ImageProvider).then(|| namespace.clone()),
                name: name.to_owned(),
            };
            if !provider::may_use(wanted, &namespace, &id) {
                continue;
            }
            match find(client, kind, &namespace, name).await {
                Ok(found) => found.into_iter().for_each(|o| providers.take(kind, o)),
                Err(error) => providers.unread.push(format!("{error:#}")),
            }
        }
        providers
    }

    fn take(&mut self, kind: Kind, object: DynamicObject) {
        let name = object.name_any();
        let read = match kind {
            Kind::ImageProvider => object
                .try_parse::<ImageProvider>()
                .map(|object| Provider::Namespaced(Arc::new(object))),
            _ => object
                .try_parse::<ClusterImageProvider>()
                .map(|object| Provider::Cluster(Arc::new(object))),
        };
        match read {
            Ok(provider) => {
                self.by_id.insert(provider.id(), provider);
            }
            Err(error) => {
                let kind = kind.word();
                self.unread
                    .push(format!("{kind} {name} cannot be read: {error}"));
            }
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Provider> {
        self.by_id.values()
    }

    /// The one that a reference means, if it was read.
    pub(super) fn chosen(&self, object: &ImageRef) -> Option<Provider> {
        let namespace = object.namespace().unwrap_or_default();
        let find = |id: &ProviderId| self.by_id.get(id).cloned();
        provider::choose(object.spec.provider_ref.as_ref(), &namespace, find).ok()
    }

    /// When the next look is due, as far as the objects tell.
    pub(super) fn next_look(&self, object: &ImageRef, now: Timestamp) -> Outlook {
        let provided = provided(self.chosen(object), object);
        let annotations = object.annotations();
        let subject = plan::Object {
            spec: &object.spec,
            generation: object.metadata.generation.unwrap_or_default(),
            uid: object.metadata.uid.as_deref().unwrap_or_default(),
            requested_at: annotations.get(RECONCILE_REQUESTED_AT).map(String::as_str),
        };
        let status = object.status.clone().unwrap_or_default();
        plan::outlook(&subject, &provided, &status, now)
    }
}

/// What the reference is about, as the operator has it but for its flags: an endpoint of the
/// provider's own counts as allowed.
fn provided(provider: Option<Provider>, object: &ImageRef) -> Provided {
    let unavailable = |provider| Provided::Unavailable {
        provider,
        failure: Failure::new(FailureKind::ProviderNotReady, "it is not known"),
    };
    let Some(provider) = provider else {
        return unavailable(None);
    };
    let allowed = AllowedEndpoints::new(&endpoint(&provider), true).unwrap_or_default();
    let Ok(account) = provider.account(provider.project().or(provider.known_project()), &allowed)
    else {
        return unavailable(Some(provider.id()));
    };
    match Query::new(&object.spec.source, &account) {
        Ok(query) => Provided::Target {
            suspended: provider.suspended(),
            min_interval: provider.limits(&Limits::FOR_TENANTS).min_interval,
            target: Target {
                provider: provider.id(),
                account,
                query,
            },
            accept: None,
        },
        Err(_) => unavailable(Some(provider.id())),
    }
}

fn endpoint(provider: &Provider) -> Vec<String> {
    let (model_arts, pai) = match provider {
        Provider::Namespaced(p) => (&p.spec.model_arts, &p.spec.pai),
        Provider::Cluster(p) => (&p.spec.model_arts, &p.spec.pai),
    };
    let model_arts = model_arts.as_ref().and_then(|m| m.endpoint.clone());
    let pai = pai.as_ref().and_then(|p| p.endpoint.clone());
    model_arts.into_iter().chain(pai).collect()
}

/// For a column: `in 48m`.
pub(super) fn brief(outlook: Outlook, now: Timestamp) -> String {
    match outlook {
        Outlook::Never => "never".into(),
        Outlook::Now => "now".into(),
        Outlook::About(at) => format!("in {}", until(at, now)),
        Outlook::By(at) => format!("within {}", until(at, now)),
    }
}

/// For a sentence, with what decides.
pub(super) fn sentence(outlook: Outlook, now: Timestamp) -> String {
    match outlook {
        Outlook::Never => "never, until something changes".into(),
        Outlook::Now => "now, as soon as the operator sees the object".into(),
        Outlook::About(at) => format!(
            "about {at:.0} (in {}); looks that change nothing are not written, so the operator may count from a later one",
            until(at, now)
        ),
        Outlook::By(at) => format!(
            "by {at:.0} at the latest (within {}); the operator tries again later and later, and keeps the count to itself",
            until(at, now)
        ),
    }
}

fn until(at: Timestamp, now: Timestamp) -> String {
    span(now.duration_until(at.max(now)).unsigned_abs())
}

/// How long ago: `12m`; times in the future count as now.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    span(now.duration_since(at.min(now)).unsigned_abs())
}

/// The two largest units: `45s`, `12m`, `3h20m`, `2d4h`.
fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let pair = |large: u64, unit: &str, small: u64, smaller: &str| {
        if small == 0 {
            format!("{large}{unit}")
        } else {
            format!("{large}{unit}{small}{smaller}")
        }
    };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..600 => pair(seconds / 60, "m", seconds % 60, "s"),
        600..3600 => format!("{}m", seconds / 60),
        3600..86_400 => pair(seconds / 3600, "h", seconds / 60 % 60, "m"),
        _ => pair(seconds / 86_400, "d", seconds / 3600 % 24, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_by_their_two_largest_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (61, "1m1s"),
            (3599, "59m"),
            (3600, "1h"),
            (12_000, "3h20m"),
            (187_200, "2d4h"),
            (172_800, "2d"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(ago(at(100), at(40)), "0s", "a clock that is ahead");
        assert_eq!(brief(Outlook::About(at(100)), at(40)), "in 1m");
        assert_eq!(brief(Outlook::By(at(30)), at(40)), "within 0s");
    }
}
