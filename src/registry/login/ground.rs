//! Whether a provider's identity gives a login for a registry, and whose.
//!
//! Owns the names of the vendors' registries and management APIs, and the operator's own. Pure. The
//! invariant that would break first: **a login goes to no host but the vendor's own of the provider's
//! region**. Images name hosts, tenants name images, and a password must not follow them.
//!
//! Sources: the region table of the Python package `huaweicloudsdkswr`; SWR User Guide; Alibaba Cloud
//! Container Registry, *Endpoints* and *`ListInstanceEndpoint`*.

use crate::cloud::management::{check_origin, is_region};
use crate::plan::target::Account;

/// The longest id of an instance.
const LONGEST_INSTANCE: usize = 64;

/// The operator's own addresses; `None` is the vendor's. Never from a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginEndpoints {
    /// Origin of SWR's management API.
    pub swr_api: Option<String>,
    /// Host of SWR's registry as images name it, with its port: also gets the provider's logins.
    pub swr_registry: Option<String>,
    /// Origin of Container Registry's management API.
    pub acr_api: Option<String>,
    /// Host of a registry of Container Registry as images name it, with its port: also gets the
    /// provider's logins, if it is the instance's.
    pub acr_registry: Option<String>,
}

impl LoginEndpoints {
    /// Checks every address that is given. Plain HTTP is for tests (`insecure_loopback`).
    ///
    /// # Errors
    /// One sentence about the first that is no origin or no host.
    pub fn check(&self, insecure_loopback: bool) -> Result<(), String> {
        for (name, origin) in [
            ("the endpoint of SWR's management API", &self.swr_api),
            (
                "the endpoint of Container Registry's management API",
                &self.acr_api,
            ),
        ] {
            if let Some(origin) = origin {
                check_origin(name, origin, insecure_loopback)?;
            }
        }
        for (name, host) in [
            ("the host of SWR's registry", &self.swr_registry),
            (
                "the host of Container Registry's registry",
                &self.acr_registry,
            ),
        ] {
            if let Some(host) = host {
                check_origin(name, &format!("https://{host}"), insecure_loopback)?;
            }
        }
        Ok(())
    }

    pub(super) fn origins(&self) -> impl Iterator<Item = String> {
        [&self.swr_api, &self.acr_api]
            .into_iter()
            .flatten()
            .cloned()
    }

    pub(super) fn swr_api(&self, region: &str) -> String {
        let vendors = || format!("https://swr-api.{region}.{}", huawei_domain(region));
        self.swr_api.clone().unwrap_or_else(vendors)
    }

    pub(super) fn acr_api(&self, region: &str) -> String {
        let vendors = || format!("https://cr.{region}.aliyuncs.com");
        self.acr_api.clone().unwrap_or_else(vendors)
    }
}

/// Whose login a host gets. The same for two hosts only if they are the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ground {
    /// SWR of the provider's region.
    Swr {
        region: String,
        project_id: String,
        host: String,
    },
    /// An instance of Container Registry in the provider's region, if the host turns out to be its.
    Acr {
        region: String,
        instance: String,
        host: String,
    },
    /// Nobody's: why, and what to do.
    Nobody(String),
}

impl Ground {
    /// `host` is the image's, with its port.
    pub(super) fn of(
        account: &Account,
        host: &str,
        instance: Option<&str>,
        own: &LoginEndpoints,
    ) -> Self {
        let host = host.to_ascii_lowercase();
        match account {
            Account::ModelArts {
                region, project_id, ..
            } => huawei(region, project_id, host, own),
            Account::Pai { region, .. } => alibaba(region, instance, host, own),
        }
    }
}

fn huawei(region: &str, project_id: &str, host: String, own: &LoginEndpoints) -> Ground {
    let swr = |region: &str| format!("swr.{region}.{}", huawei_domain(region));
    if (is_region(region) && host == swr(region)) || own.swr_registry.as_ref() == Some(&host) {
        return Ground::Swr {
            region: region.into(),
            project_id: project_id.into(),
            host,
        };
    }
    let other = host
        .strip_prefix("swr.")
        .and_then(|rest| rest.split('.').next())
        .is_some_and(|named| host == swr(named));
    Ground::Nobody(if other {
        format!(
            "{host} is SWR of another region than the provider's ({region}): use a provider of that region, or a secretRef"
        )
    } else if host.ends_with(".swr-pro.myhuaweicloud.com") {
        format!(
            "{host} is an enterprise edition of SWR, for which no login is made from the provider's credentials: use a secretRef"
        )
    } else {
        foreign(&host, "SWR")
    })
}

fn alibaba(region: &str, instance: Option<&str>, host: String, own: &LoginEndpoints) -> Ground {
    let operators = own.acr_registry.as_ref() == Some(&host);
    let named = enterprise(&host);
    if !operators && named != Some(region) {
        return Ground::Nobody(match named {
            Some(_) => format!(
                "{host} is Container Registry of another region than the provider's ({region}): use a provider of that region, or a secretRef"
            ),
            None if is_personal(&host) => format!(
                "{host} is the personal edition of Container Registry, which gives no temporary logins: use a secretRef"
            ),
            None => foreign(&host, "Container Registry"),
        });
    }
    match instance {
        None => Ground::Nobody(format!(
            "which instance of Container Registry {host} is of is not known: set acrInstanceId, or use a secretRef"
        )),
        Some(instance) if is_instance(instance) && is_region(region) => Ground::Acr {
            region: region.into(),
            instance: instance.into(),
            host,
        },
        Some(_) => Ground::Nobody(
            "acrInstanceId must be the id of an instance such as cri-0123456789abcdef".into(),
        ),
    }
}

fn foreign(host: &str, registry: &str) -> String {
    format!(
        "{host} is no registry of {registry}, and the provider's credentials are for that alone: use a secretRef"
    )
}

/// One region is under another top-level domain.
fn huawei_domain(region: &str) -> &'static str {
    if region == "eu-west-101" {
        "myhuaweicloud.eu"
    } else {
        "myhuaweicloud.com"
    }
}

/// The region of `NAME-registry[-vpc|-internal].REGION.cr.aliyuncs.com`.
fn enterprise(host: &str) -> Option<&str> {
    let (first, rest) = host.split_once('.')?;
    let region = rest.strip_suffix(".cr.aliyuncs.com")?;
    let name = ["-registry", "-registry-vpc", "-registry-internal"]
        .iter()
        .find_map(|end| first.strip_suffix(end))?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (is_region(region) && !name.is_empty() && name.bytes().all(plain)).then_some(region)
}

/// `registry[-vpc|-internal].REGION.aliyuncs.com`, and the newer `NAME.REGION.personal.cr.aliyuncs.com`.
fn is_personal(host: &str) -> bool {
    let old = ["registry.", "registry-vpc.", "registry-internal."]
        .iter()
        .find_map(|service| host.strip_prefix(service)?.strip_suffix(".aliyuncs.com"));
    old.is_some_and(is_region) || host.ends_with(".personal.cr.aliyuncs.com")
}

fn is_instance(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    (1..=LONGEST_INSTANCE).contains(&id.len()) && id.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn huawei_account(region: &str) -> Account {
        Account::ModelArts {
            endpoint: "https://e".into(),
            region: region.into(),
            project_id: "p".into(),
            workspace_id: "0".into(),
        }
    }

    fn alibaba_account(region: &str) -> Account {
        Account::Pai {
            endpoint: "https://e".into(),
            region: region.into(),
            workspace_id: None,
        }
    }

    fn why(account: &Account, host: &str, instance: Option<&str>) -> Option<String> {
        match Ground::of(account, host, instance, &LoginEndpoints::default()) {
            Ground::Nobody(why) => Some(why),
            Ground::Swr { host: own, .. } | Ground::Acr { host: own, .. } => {
                assert_eq!(own, host.to_ascii_lowercase());
                None
            }
        }
    }

    #[test]
    fn swr_of_the_region_gets_a_login_and_nothing_else_does() {
        let account = huawei_account("cn-north-4");
        for host in [
            "swr.cn-north-4.myhuaweicloud.com",
            "SWR.cn-north-4.myhuaweicloud.com",
        ] {
            assert_eq!(why(&account, host, None), None, "{host}");
        }
        let europe = huawei_account("eu-west-101");
        assert_eq!(why(&europe, "swr.eu-west-101.myhuaweicloud.eu", None), None);
        for (host, words) in [
            ("swr.cn-north-1.myhuaweicloud.com", "another region"),
            ("swr.eu-west-101.myhuaweicloud.eu", "another region"),
            ("swr.eu-west-101.myhuaweicloud.com", "no registry"),
            (
                "team-a1b2c3.swr-pro.myhuaweicloud.com",
                "enterprise edition",
            ),
            ("swr.cn-north-4.myhuaweicloud.com:443", "no registry"),
            ("swr.cn-north-4.myhuaweicloud.com.", "no registry"),
            (
                "swr.cn-north-4.myhuaweicloud.com.evil.example",
                "no registry",
            ),
            (
                "swr.cn-north-4.myhuaweicloud.com@evil.example",
                "no registry",
            ),
            ("evil.swr.cn-north-4.myhuaweicloud.com", "no registry"),
            ("swr-api.cn-north-4.myhuaweicloud.com", "no registry"),
            ("swr.cn-north-4.myhuaweicloud.cn", "no registry"),
            ("a-registry.cn-shanghai.cr.aliyuncs.com", "no registry"),
            ("docker.io", "no registry"),
            ("", "no registry"),
        ] {
            let why = why(&account, host, Some("cri-1")).unwrap();
            assert!(
                why.contains(words) && why.contains("secretRef"),
                "{host}: {why}"
            );
        }
    }

    #[test]
    fn instances_of_the_region_get_a_login_and_nothing_else_does() {
        let account = alibaba_account("cn-shanghai");
        for host in [
            "team-registry.cn-shanghai.cr.aliyuncs.com",
            "team-registry-vpc.cn-shanghai.cr.aliyuncs.com",
            "a-b-registry.cn-shanghai.cr.aliyuncs.com",
        ] {
            assert_eq!(why(&account, host, Some("cri-1")), None, "{host}");
            let unnamed = why(&account, host, None).unwrap();
            assert!(unnamed.contains("set acrInstanceId"), "{unnamed}");
        }
        for (host, words) in [
            ("team-registry.cn-beijing.cr.aliyuncs.com", "another region"),
            ("registry.cn-shanghai.aliyuncs.com", "personal edition"),
            ("registry-vpc.cn-beijing.aliyuncs.com", "personal edition"),
            (
                "crpi-1.cn-shanghai.personal.cr.aliyuncs.com",
                "personal edition",
            ),
            ("team.cn-shanghai.cr.aliyuncs.com", "no registry"),
            ("-registry.cn-shanghai.cr.aliyuncs.com", "no registry"),
            (
                "team-registry.cn-shanghai.cr.aliyuncs.com:8443",
                "no registry",
            ),
            (
                "team-registry.cn-shanghai.cr.aliyuncs.com.evil.example",
                "no registry",
            ),
            (
                "evil.team-registry.cn-shanghai.cr.aliyuncs.com",
                "no registry",
            ),
            ("a@b-registry.cn-shanghai.cr.aliyuncs.com", "no registry"),
            ("swr.cn-north-4.myhuaweicloud.com", "no registry"),
            ("docker.io", "no registry"),
        ] {
            let why = why(&account, host, Some("cri-1")).unwrap();
            assert!(
                why.contains(words) && why.contains("secretRef"),
                "{host}: {why}"
            );
        }
        for instance in ["", "cri/1", "cri 1", "cri-1&Action=x", &"a".repeat(65)] {
            let why = why(
                &account,
                "team-registry.cn-shanghai.cr.aliyuncs.com",
                Some(instance),
            );
            assert!(why.unwrap().contains("acrInstanceId must be"), "{instance}");
        }
    }

    #[test]
    fn management_apis_are_the_vendors_unless_the_operator_says_otherwise() {
        let vendors = LoginEndpoints::default();
        let rows = [
            (
                vendors.swr_api("cn-north-4"),
                "https://swr-api.cn-north-4.myhuaweicloud.com",
            ),
            (
                vendors.swr_api("eu-west-101"),
                "https://swr-api.eu-west-101.myhuaweicloud.eu",
            ),
            (
                vendors.acr_api("cn-shanghai"),
                "https://cr.cn-shanghai.aliyuncs.com",
            ),
        ];
        for (origin, expected) in rows {
            assert_eq!(origin, expected);
        }
        let own = LoginEndpoints {
            swr_api: Some("https://swr-api.internal.example".into()),
            swr_registry: Some("swr.internal.example:5000".into()),
            acr_api: Some("https://cr-vpc.cn-shanghai.aliyuncs.com".into()),
            acr_registry: None,
        };
        own.check(false).unwrap();
        assert_eq!(own.swr_api("x"), "https://swr-api.internal.example");
        let ground = |host: &str| Ground::of(&huawei_account("cn-north-4"), host, None, &own);
        for host in [
            "swr.internal.example:5000",
            "swr.cn-north-4.myhuaweicloud.com",
        ] {
            assert!(matches!(ground(host), Ground::Swr { .. }), "{host}");
        }
        assert!(matches!(ground("swr.internal.example"), Ground::Nobody(_)));
        for odd in ["http://a", "https://a/b", "a"] {
            let odd = LoginEndpoints {
                acr_api: Some(odd.into()),
                ..LoginEndpoints::default()
            };
            assert!(odd.check(true).is_err());
        }
        for odd in ["https://a", "a/b", "u@a", ""] {
            let odd = LoginEndpoints {
                swr_registry: Some(odd.into()),
                ..LoginEndpoints::default()
            };
            assert!(odd.check(true).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_host_but_the_vendors_own_of_the_region_gets_a_login(
            host in "[a-z.@:/-]{0,12}(swr|team-registry)[a-z.@:-]{0,3}\\.?(cn-north-4|cn-south-1)(\\.cr)?\\.(myhuaweicloud|aliyuncs)\\.com[a-z.@:/]{0,6}",
        ) {
            let swr = huawei_account("cn-north-4");
            prop_assert_eq!(why(&swr, &host, None).is_none(), host == "swr.cn-north-4.myhuaweicloud.com");
            if why(&alibaba_account("cn-north-4"), &host, Some("cri-1")).is_none() {
                let pattern = "^[a-z0-9-]+-registry(-vpc|-internal)?\\.cn-north-4\\.cr\\.aliyuncs\\.com$";
                prop_assert!(regex::Regex::new(pattern).unwrap().is_match(&host), "{host}");
            }
        }
    }
}
