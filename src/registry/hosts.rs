//! Which registries are asked, where they are reached, and which token services they may name.
//!
//! Owns the vendors' names and the operator's flags. Pure. Must not know what is asked. The
//! invariant that would break first: names are compared label by label, never by their beginning or
//! end, so that no name of somebody else's passes for a vendor's.

use crate::cloud::AllowedEndpoints;
use crate::cloud::endpoint::{check_origin, check_region};
use crate::facts::{Failure, FailureKind};
use std::collections::BTreeMap;
use url::Url;

/// The registries that may be asked: the vendors' own, and what the operator says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryHosts {
    /// Origins of registries and token services.
    allowed: Vec<String>,
    /// Host in references to the origin where it is read.
    mirrors: BTreeMap<String, String>,
    insecure_loopback: bool,
}

impl RegistryHosts {
    /// From the operator's flags: `allow` has hosts such as `harbor.example.com:8443` of registries
    /// and of token services, `mirrors` has `HOST=HOST[:PORT]` for a registry that is read somewhere
    /// else. With `insecure_loopback`, which is for tests, what is named may be on this machine, and
    /// `http://` in front of it means plain HTTP there.
    ///
    /// # Errors
    /// One sentence about the first that is no host, or an address that nothing may be sent to.
    pub fn new<S: AsRef<str>>(
        allow: &[S],
        mirrors: &[S],
        insecure_loopback: bool,
    ) -> Result<Self, String> {
        let origin = |flag: &str, host: &str| {
            let origin = if host.contains("://") {
                host.to_owned()
            } else {
                format!("https://{host}")
            };
            check_origin(flag, &origin, insecure_loopback).map(|()| origin)
        };
        let allowed = allow
            .iter()
            .map(|host| origin("--allow-registry", host.as_ref()));
        let mirrors = mirrors.iter().map(|mirror| {
            let (host, mirror) = mirror
                .as_ref()
                .split_once('=')
                .ok_or("--registry-mirror must be HOST=HOST[:PORT]")?;
            let from = origin("--registry-mirror", host)?;
            let to = origin("--registry-mirror", mirror)?;
            Ok::<_, String>((without_scheme(&from).to_owned(), to))
        });
        Ok(Self {
            allowed: allowed.collect::<Result<_, _>>()?,
            mirrors: mirrors.collect::<Result<_, _>>()?,
            insecure_loopback,
        })
    }

    /// Where references to `host` are read, as an origin. With `public`, a host inside a VPC is read
    /// at its public twin.
    ///
    /// # Errors
    /// The host is neither a vendor's nor allowed.
    pub(super) fn origin(&self, host: &str, public: bool) -> Result<String, Failure> {
        let host = host.strip_suffix(":443").unwrap_or(host);
        let twin = public_twin(host).filter(|_| public);
        let mirror = |host: &str| self.mirrors.get(host).cloned();
        if let Some(mirror) = mirror(host).or_else(|| mirror(twin.as_deref()?)) {
            return Ok(mirror);
        }
        let host = twin.as_deref().unwrap_or(host);
        if let Some(allowed) = self
            .allowed
            .iter()
            .find(|origin| without_scheme(origin) == host)
        {
            return Ok(allowed.clone());
        }
        if is_swr(host) || is_acr(host) {
            return Ok(format!("https://{host}"));
        }
        Err(Failure::new(
            FailureKind::PermissionDenied,
            format!(
                "registry {host} is neither SWR's nor ACR's: to read it, the operator allows it with --allow-registry={host}"
            ),
        ))
    }

    /// Whether a registry may send those who ask it to this token service.
    pub(super) fn may_name(&self, registry: &str, realm: &Url) -> bool {
        let service = realm.origin().ascii_serialization();
        self.is_sendable(realm)
            && (service == registry
                || self.allowed.contains(&service)
                || (is_acr(without_scheme(registry))
                    && service
                        .strip_prefix("https://")
                        .is_some_and(is_acr_token_service)))
    }

    /// Whether anything may be sent to a URL that a registry gave: over TLS, or to this machine
    /// where the operator named that very origin; and not with a user's name in it.
    pub(super) fn is_sendable(&self, url: &Url) -> bool {
        let origin = url.origin().ascii_serialization();
        let named = || {
            self.insecure_loopback
                && (self.allowed.contains(&origin) || self.mirrors.values().any(|to| *to == origin))
        };
        (url.scheme() == "https" || (url.scheme() == "http" && named()))
            && url.username().is_empty()
            && url.password().is_none()
    }

    /// What the network has to let through to this machine.
    pub(super) fn endpoints(&self) -> Result<AllowedEndpoints, String> {
        let origins: Vec<_> = self.allowed.iter().chain(self.mirrors.values()).collect();
        AllowedEndpoints::new(&origins, self.insecure_loopback)
    }
}

/// The public name of a registry whose name is known inside a VPC alone; `None` for other names
/// (Container Registry User Guide, "Endpoints").
///
/// ```
/// use imageref::registry::public_twin;
/// let twin = public_twin("dsw-registry-vpc.cn-shanghai.cr.aliyuncs.com");
/// assert_eq!(twin.as_deref(), Some("dsw-registry.cn-shanghai.cr.aliyuncs.com"));
/// assert_eq!(public_twin("registry.cn-shanghai.aliyuncs.com"), None);
/// ```
pub fn public_twin(host: &str) -> Option<String> {
    if !is_acr(host) {
        return None;
    }
    let (name, rest) = host.split_once('.')?;
    let public = name.strip_suffix("-vpc")?;
    // An instance may be called so: `my-vpc-registry` has no twin, `my-registry-vpc` has.
    let known = public == "registry"
        || public.ends_with("-registry")
        || rest.ends_with(".personal.cr.aliyuncs.com");
    known.then(|| format!("{public}.{rest}"))
}

fn without_scheme(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_, host)| host)
}

/// SWR: the shared edition by region, and instances of the enterprise edition.
fn is_swr(host: &str) -> bool {
    match *host.split('.').collect::<Vec<_>>() {
        ["swr", region, "myhuaweicloud", "com" | "eu"] => check_region(region).is_ok(),
        [instance, "swr-pro", "myhuaweicloud", "com"] => is_label(instance),
        _ => false,
    }
}

/// ACR: the older names of the personal edition, its newer ones, and instances of the enterprise
/// edition, those of PAI among them.
fn is_acr(host: &str) -> bool {
    let region = |region: &str| check_region(region).is_ok();
    match *host.split('.').collect::<Vec<_>>() {
        [
            "registry" | "registry-vpc" | "registry-internal",
            id,
            "aliyuncs",
            "com",
        ] => region(id),
        [name, id, "cr", "aliyuncs", "com"] | [name, id, "personal", "cr", "aliyuncs", "com"] => {
            is_label(name) && region(id)
        }
        _ => false,
    }
}

/// ACR's token services (Container Service User Guide, "Network requirements of registered
/// clusters"). The challenge may name that of another region.
fn is_acr_token_service(host: &str) -> bool {
    const SERVICES: [&str; 4] = [
        "dockerauth",
        "dockerauth-ee",
        "dockerauth-vpc",
        "dockerauth-ee-vpc",
    ];
    match *host.split('.').collect::<Vec<_>>() {
        // The one with its region in the name.
        ["dockerauth-cn-zhangjiakou", "aliyuncs", "com"] => true,
        [service, region, "aliyuncs", "com"] => {
            SERVICES.contains(&service) && check_region(region).is_ok()
        }
        _ => false,
    }
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests;
