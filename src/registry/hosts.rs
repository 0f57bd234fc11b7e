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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hosts(allow: &[&str], mirrors: &[&str]) -> RegistryHosts {
        RegistryHosts::new(allow, mirrors, false).unwrap()
    }

    const VENDORS: [&str; 13] = [
        "swr.cn-north-4.myhuaweicloud.com",
        "swr.eu-west-101.myhuaweicloud.eu",
        "team-a1b2c3.swr-pro.myhuaweicloud.com",
        "registry.cn-hangzhou.aliyuncs.com",
        "registry-vpc.cn-hangzhou.aliyuncs.com",
        "registry-internal.cn-hangzhou.aliyuncs.com",
        "dsw-registry.cn-shanghai.cr.aliyuncs.com",
        "dsw-registry-vpc.cn-shanghai.cr.aliyuncs.com",
        "team-registry.cn-beijing.cr.aliyuncs.com",
        "team-registry-vpc.cn-beijing.cr.aliyuncs.com",
        "crpi-abc123.cn-hangzhou.personal.cr.aliyuncs.com",
        "crpi-abc123-vpc.cn-hangzhou.personal.cr.aliyuncs.com",
        "registry.ap-southeast-1.aliyuncs.com",
    ];

    #[test]
    fn the_vendors_registries_are_asked_and_nothing_that_looks_like_them() {
        let none = RegistryHosts::default();
        for host in VENDORS {
            let origin = format!("https://{host}");
            assert_eq!(none.origin(host, false).unwrap(), origin);
            assert_eq!(none.origin(&format!("{host}:443"), false).unwrap(), origin);
            for other in [
                format!("{host}.evil.example"),
                format!("evil.{host}"),
                format!("evil-{host}")
                    .replace("evil-dsw", "evil.dsw")
                    .replacen("evil-", "evil.", 1),
                format!("{host}:8443"),
                host.replacen('.', "-", 1),
                host.replace(".com", ".co").replace(".eu", ".e"),
                host.replace("aliyuncs", "aliyuncs1")
                    .replace("myhuaweicloud", "myhuaweicloud1"),
            ] {
                let failure = none.origin(&other, false).unwrap_err();
                assert_eq!(failure.kind, FailureKind::PermissionDenied, "{other}");
                assert!(failure.message.contains("--allow-registry"), "{other}");
            }
        }
        for other in [
            "swr.x.myhuaweicloud.com",
            "swr-api.cn-north-4.myhuaweicloud.com",
            "bucket.oss-cn-hangzhou.aliyuncs.com",
            "registry.cn-hangzhou.myhuaweicloud.com",
            "cr.aliyuncs.com",
            "a.cr.aliyuncs.com",
            "swr-pro.myhuaweicloud.com",
            "docker.io",
            "localhost",
            "127.0.0.1:5000",
        ] {
            assert!(none.origin(other, true).is_err(), "{other}");
        }
    }

    #[test]
    fn what_the_operator_names_is_asked_there() {
        let hosts = hosts(
            &["harbor.example:8443"],
            &[
                "swr.cn-north-4.myhuaweicloud.com=mirror.example",
                "docker.io=hub.example:444",
            ],
        );
        for (host, origin) in [
            ("harbor.example:8443", "https://harbor.example:8443"),
            ("swr.cn-north-4.myhuaweicloud.com", "https://mirror.example"),
            ("docker.io", "https://hub.example:444"),
            (
                "swr.cn-north-1.myhuaweicloud.com",
                "https://swr.cn-north-1.myhuaweicloud.com",
            ),
        ] {
            assert_eq!(hosts.origin(host, false).unwrap(), origin);
        }
        for host in [
            "harbor.example",
            "harbor.example:8444",
            "mirror.example",
            "hub.example:444",
        ] {
            assert!(hosts.origin(host, false).is_err(), "{host}");
        }
    }

    #[test]
    fn a_host_inside_a_vpc_has_a_public_twin_that_is_asked_if_wanted() {
        for (host, twin) in [
            (
                "registry-vpc.cn-hangzhou.aliyuncs.com",
                Some("registry.cn-hangzhou.aliyuncs.com"),
            ),
            (
                "team-registry-vpc.cn-beijing.cr.aliyuncs.com",
                Some("team-registry.cn-beijing.cr.aliyuncs.com"),
            ),
            (
                "crpi-a-vpc.cn-beijing.personal.cr.aliyuncs.com",
                Some("crpi-a.cn-beijing.personal.cr.aliyuncs.com"),
            ),
            ("team-vpc.cn-beijing.cr.aliyuncs.com", None),
            ("registry.cn-hangzhou.aliyuncs.com", None),
            ("registry-vpc.cn-hangzhou.aliyuncs.com.evil.example", None),
            ("swr.cn-north-4.myhuaweicloud.com", None),
            ("my-registry-vpc.example.com", None),
        ] {
            assert_eq!(public_twin(host).as_deref(), twin, "{host}");
        }
        let vpc = "registry-vpc.cn-hangzhou.aliyuncs.com";
        let none = RegistryHosts::default();
        assert_eq!(none.origin(vpc, false).unwrap(), format!("https://{vpc}"));
        assert_eq!(
            none.origin(vpc, true).unwrap(),
            "https://registry.cn-hangzhou.aliyuncs.com"
        );
        let mirrored = hosts(&[], &["registry.cn-hangzhou.aliyuncs.com=m.example"]);
        assert_eq!(mirrored.origin(vpc, true).unwrap(), "https://m.example");
        assert_eq!(
            mirrored.origin(vpc, false).unwrap(),
            format!("https://{vpc}")
        );
    }

    #[test]
    fn a_token_service_is_the_registrys_own_the_vendors_or_the_operators() {
        let hosts = hosts(&["auth.example"], &[]);
        let may = |registry: &str, realm: &str| {
            hosts.may_name(&format!("https://{registry}"), &realm.parse().unwrap())
        };
        let (swr, acr) = (
            "swr.cn-north-4.myhuaweicloud.com",
            "registry.cn-hangzhou.aliyuncs.com",
        );
        for (registry, realm) in [
            (
                swr,
                "https://swr.cn-north-4.myhuaweicloud.com/swr/auth/v2/registry/auth/",
            ),
            (acr, "https://dockerauth.cn-hangzhou.aliyuncs.com/auth"),
            (acr, "https://dockerauth.cn-beijing.aliyuncs.com/auth"),
            (acr, "https://dockerauth-vpc.cn-hangzhou.aliyuncs.com/auth"),
            (acr, "https://dockerauth-cn-zhangjiakou.aliyuncs.com/auth"),
            (
                "team-registry.cn-beijing.cr.aliyuncs.com",
                "https://dockerauth-ee.cn-beijing.aliyuncs.com/auth",
            ),
            (swr, "https://auth.example/token"),
            ("h.example:8443", "https://h.example:8443/token?a=b"),
        ] {
            assert!(may(registry, realm), "{registry} {realm}");
        }
        for (registry, realm) in [
            (swr, "https://swr.cn-north-1.myhuaweicloud.com/auth"),
            (swr, "https://dockerauth.cn-hangzhou.aliyuncs.com/auth"),
            (swr, "http://swr.cn-north-4.myhuaweicloud.com/auth"),
            (swr, "https://swr.cn-north-4.myhuaweicloud.com:8443/auth"),
            (
                swr,
                "https://swr.cn-north-4.myhuaweicloud.com@evil.example/auth",
            ),
            (swr, "https://u:p@swr.cn-north-4.myhuaweicloud.com/auth"),
            (
                acr,
                "https://dockerauth.cn-hangzhou.aliyuncs.com.evil.example/auth",
            ),
            (acr, "https://dockerauth.aliyuncs.com/auth"),
            (
                acr,
                "https://dockerauth.oss-cn-hangzhou.evil.aliyuncs.com/auth",
            ),
            (acr, "https://evil.cn-hangzhou.aliyuncs.com/auth"),
            (acr, "http://dockerauth.cn-hangzhou.aliyuncs.com/auth"),
            (acr, "http://auth.example/token"),
            (acr, "https://auth.example:8443/token"),
        ] {
            assert!(!may(registry, realm), "{registry} {realm}");
        }
    }

    #[test]
    fn plain_http_and_this_machine_are_for_tests_and_named_one_by_one() {
        let new = |allow: &str, insecure| RegistryHosts::new(&[allow], &[], insecure);
        assert!(new("http://127.0.0.1:5000", false).is_err());
        assert!(new("127.0.0.1:5000", false).is_err());
        assert!(new("http://h.example", true).is_err());
        let hosts = new("http://127.0.0.1:5000", true).unwrap();
        assert_eq!(
            hosts.origin("127.0.0.1:5000", false).unwrap(),
            "http://127.0.0.1:5000"
        );
        let sendable = |url: &str| hosts.is_sendable(&url.parse().unwrap());
        assert!(sendable("http://127.0.0.1:5000/x") && sendable("https://h.example/x"));
        assert!(!sendable("http://127.0.0.1:5001/x") && !sendable("http://h.example/x"));
        assert!(!sendable("ftp://127.0.0.1:5000/x") && !sendable("https://u@h.example/x"));
        for wrong in [
            "a",
            "a=",
            "=a",
            "a=b=c",
            "a=http://h.example",
            "A.x=b.x",
            "a/b=c",
        ] {
            assert!(RegistryHosts::new(&[], &[wrong], true).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn only_names_under_the_vendors_domains_are_asked(host in "[a-z0-9.:/@-]{0,40}|(swr|registry|x-registry)\\.[a-z0-9.-]{1,20}\\.(cr\\.)?(aliyuncs|myhuaweicloud)\\.(com|eu|net)") {
            if let Ok(origin) = RegistryHosts::default().origin(&host, false) {
                let url: Url = origin.parse().unwrap();
                let name = url.host_str().unwrap().to_owned();
                prop_assert_eq!(url.origin().ascii_serialization(), origin);
                prop_assert!(
                    [".aliyuncs.com", ".myhuaweicloud.com", ".myhuaweicloud.eu"]
                        .iter()
                        .any(|domain| name.ends_with(domain)),
                    "{name}"
                );
            }
        }
    }
}
