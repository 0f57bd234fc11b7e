//! Where a provider's credentials come from: a Secret in the files, else the environment.
//!
//! Owns that order. The rules about which Secret a provider may read are `cloud::provider`'s. The
//! invariant that would break first: a Secret that is there is the one that is used, and what is
//! printed names variables and files, never values.

use super::manifests::Manifests;
use crate::api::auth::Agency;
use crate::cloud::Cloud;
use crate::cloud::identity::Source;
use crate::cloud::provider::Provider;
use crate::cloud::sign_in::{ObjectKey, SignIn, of_secret};
use std::collections::BTreeMap;

/// The variables of one group, each with the Secret's key that it stands for.
type Group = &'static [(&'static str, &'static str)];

const OWN: Group = &[
    ("accessKeyId", "IMAGEREF_ACCESS_KEY_ID"),
    ("accessKeySecret", "IMAGEREF_ACCESS_KEY_SECRET"),
    ("securityToken", "IMAGEREF_SECURITY_TOKEN"),
    ("authToken", "IMAGEREF_AUTH_TOKEN"),
];

/// PAI knows no such token: one that is set is meant for a `ModelArts` provider of the same run.
const OWN_FOR_PAI: Group = OWN.split_at(3).0;

const HUAWEI: Group = &[
    ("accessKeyId", "HUAWEICLOUD_SDK_AK"),
    ("accessKeySecret", "HUAWEICLOUD_SDK_SK"),
    ("securityToken", "HUAWEICLOUD_SDK_SECURITY_TOKEN"),
];

const ALIBABA: Group = &[
    ("accessKeyId", "ALIBABA_CLOUD_ACCESS_KEY_ID"),
    ("accessKeySecret", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
    ("securityToken", "ALIBABA_CLOUD_SECURITY_TOKEN"),
];

/// A variable's value.
pub(super) type Environment = fn(&str) -> Option<String>;

/// The environment of the process.
pub(super) fn process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// No credentials: the reason as a status shows it, and what helps here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) message: String,
    pub(super) fix: Option<String>,
}

/// A proof and, for people, where it comes from.
pub(super) type Found = (Source, String);

/// What a provider says of its proof, beside what it holds.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    cloud: Cloud,
    agency: Option<&'a Agency>,
    project: Option<&'a str>,
}

/// Finds the proof of a provider. Without `environment`, only Secrets count.
pub(super) fn find(
    provider: &Provider,
    cloud: Cloud,
    manifests: &Manifests,
    operator_namespace: &str,
    environment: Option<Environment>,
) -> Result<Found, Missing> {
    let id = provider.id();
    let missing = |message: &str, fix| Missing {
        message: format!("{id}: {message}"),
        fix,
    };
    let sign_in = provider
        .sign_in(operator_namespace)
        .map_err(|error| missing(&error, None))?;
    let (key, agency) = match &sign_in {
        SignIn::Secret { secret, agency } => (Some(secret), *agency),
        SignIn::ServiceAccount { .. } | SignIn::Operator(_) => (None, None),
    };
    let wanted = Wanted {
        cloud,
        agency,
        project: provider.project(),
    };
    if let Some(key) = key
        && let Some(secret) = manifests.secrets.get(key)
    {
        let label = format!("Secret {}/{}", key.0, key.1);
        let from = format!("{label} in {}", secret.file);
        return of_secret(cloud, &secret.data, agency, wanted.project)
            .map(|source| (source, from))
            .map_err(|error| missing(&format!("{label}: {error}"), None));
    }
    if let Some(environment) = environment {
        match from_environment(wanted, environment) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(error) => return Err(missing(&error, None)),
        }
    }
    let Some(key) = key else {
        let message = match &sign_in {
            SignIn::ServiceAccount {
                account: (namespace, name),
                ..
            } => format!(
                "it signs in with ServiceAccount {namespace}/{name}, which only the operator can"
            ),
            _ => "it signs in as the operator itself, which only the operator can".into(),
        };
        let fix = environment.map_or_else(
            || "leave out --no-env and set the variables of an access key".into(),
            |_| variables(cloud),
        );
        return Err(missing(&message, Some(fix)));
    };
    let message = format!(
        "Secret {}/{} does not exist: create it, or mend spec.auth.secretRef",
        key.0, key.1
    );
    let fix = fix(provider, cloud, manifests, key, environment.is_some());
    Err(missing(&message, Some(fix)))
}

fn fix(
    provider: &Provider,
    cloud: Cloud,
    manifests: &Manifests,
    (namespace, name): &ObjectKey,
    environment: bool,
) -> String {
    let elsewhere = manifests.secrets.keys().find(|(_, other)| other == name);
    let file = match elsewhere {
        Some((other, _)) if matches!(provider, Provider::Cluster(_)) => format!(
            "the files have it in namespace {other}, and a ClusterImageProvider's must be in the operator's: set its namespace to {namespace}, or give --operator-namespace"
        ),
        Some((other, _)) => format!(
            "the files have it in namespace {other}, and an ImageProvider's must be in its own: set its namespace to {namespace}"
        ),
        None => format!("add the file of Secret {namespace}/{name} with -f"),
    };
    if !environment {
        return format!("{file} (--no-env leaves the environment out)");
    }
    format!("{file}; or {}", variables(cloud))
}

/// Which variables can hold an access key.
fn variables(cloud: Cloud) -> String {
    let vendor = match cloud {
        Cloud::Huawei => HUAWEI,
        Cloud::Alibaba => ALIBABA,
    };
    format!(
        "set {} and {}, or {} and {}",
        OWN[0].1, OWN[1].1, vendor[0].1, vendor[1].1
    )
}

/// The first group of which anything is set; a group that is set in part is an error, since a mix of
/// two accounts would be worse.
fn from_environment(wanted: Wanted<'_>, environment: Environment) -> Result<Option<Found>, String> {
    let groups = match wanted.cloud {
        Cloud::Huawei => [OWN, HUAWEI],
        Cloud::Alibaba => [OWN_FOR_PAI, ALIBABA],
    };
    for group in groups {
        let set: BTreeMap<_, _> = group
            .iter()
            .filter_map(|(key, variable)| Some((*key, environment(variable)?)))
            .filter(|(_, value)| !value.trim().is_empty())
            .collect();
        if set.is_empty() {
            continue;
        }
        let data = set
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone().into_bytes()))
            .collect();
        let names: Vec<_> = group
            .iter()
            .filter(|(key, _)| set.contains_key(key))
            .map(|(_, variable)| *variable)
            .collect();
        return match of_secret(wanted.cloud, &data, wanted.agency, wanted.project) {
            Ok(source) => {
                let from = format!("the environment: {}", names.join(", "));
                Ok(Some((source, from)))
            }
            Err(error) => Err(in_variables(&error, group)),
        };
    }
    Ok(None)
}

/// An error about a Secret's keys, as one about variables.
fn in_variables(error: &str, group: Group) -> String {
    let mut error = error.replace("the Secret", "the environment");
    for (key, variable) in group {
        error = error.replace(key, variable);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn wanted(cloud: Cloud) -> Wanted<'static> {
        Wanted {
            cloud,
            agency: None,
            project: None,
        }
    }

    fn both(name: &str) -> Option<String> {
        (name.ends_with("_ID")
            || name.ends_with("_SECRET")
            || name.ends_with("_AK")
            || name.ends_with("_SK"))
        .then(|| "SEEN-value".to_owned())
    }

    fn vendors(name: &str) -> Option<String> {
        both(name).map(|value| {
            if name.starts_with("IMAGEREF") {
                " ".into()
            } else {
                value
            }
        })
    }

    fn half(name: &str) -> Option<String> {
        both(name).filter(|_| name != "IMAGEREF_ACCESS_KEY_SECRET")
    }

    fn token_and_vendor(name: &str) -> Option<String> {
        match name {
            "IMAGEREF_AUTH_TOKEN" => Some("SEEN-token".into()),
            _ => vendors(name),
        }
    }

    fn token_and_keys(name: &str) -> Option<String> {
        token_and_vendor(name)
            .filter(|v| v != " ")
            .or_else(|| both(name))
    }

    #[test]
    fn our_variables_come_before_the_vendors_and_groups_do_not_mix() {
        let from = |cloud: Cloud, environment: Environment| match from_environment(
            wanted(cloud),
            environment,
        ) {
            Ok(found) => found.map_or_else(|| "none".into(), |(_, from)| from),
            Err(error) => error,
        };
        let rows: [(Cloud, Environment, &str); 9] = [
            (
                Cloud::Huawei,
                both,
                "the environment: IMAGEREF_ACCESS_KEY_ID, IMAGEREF_ACCESS_KEY_SECRET",
            ),
            (
                Cloud::Alibaba,
                both,
                "the environment: IMAGEREF_ACCESS_KEY_ID, IMAGEREF_ACCESS_KEY_SECRET",
            ),
            (
                Cloud::Huawei,
                vendors,
                "the environment: HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK",
            ),
            (
                Cloud::Alibaba,
                vendors,
                "the environment: ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            ),
            (
                Cloud::Huawei,
                half,
                "the environment lacks IMAGEREF_ACCESS_KEY_SECRET; it has IMAGEREF_ACCESS_KEY_ID",
            ),
            (
                Cloud::Huawei,
                token_and_vendor,
                "the environment: IMAGEREF_AUTH_TOKEN",
            ),
            (
                Cloud::Alibaba,
                token_and_vendor,
                "the environment: ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            ),
            (
                Cloud::Huawei,
                token_and_keys,
                "the environment holds IMAGEREF_AUTH_TOKEN and an access key: keep one of them",
            ),
            (Cloud::Huawei, |_| None, "none"),
        ];
        for (cloud, environment, expected) in rows {
            assert_eq!(from(cloud, environment), expected);
        }
    }
}
