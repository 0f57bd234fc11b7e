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

/// The longest id of an instance: `cri-` and 64 characters, as the kinds of providers take it.
const LONGEST_INSTANCE: usize = 68;

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
mod tests;
