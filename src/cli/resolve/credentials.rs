//! Where a provider's credentials come from: a Secret in the files, else the environment.
//!
//! Owns that order. The rules about which Secret a provider may read are `cloud::provider`'s. The
//! invariant that would break first: a Secret that is there is the one that is used, and what is
//! printed names variables and files, never values.

use super::manifests::Manifests;
use crate::cloud::Credential;
use crate::cloud::provider::Provider;
use crate::plan::Account;
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

/// A credential and, for people, where it comes from.
pub(super) type Found = (Credential, String);

/// Finds the credential of a provider. Without `environment`, only Secrets count.
pub(super) fn find(
    provider: &Provider,
    account: &Account,
    manifests: &Manifests,
    operator_namespace: &str,
    environment: Option<Environment>,
) -> Result<Found, Missing> {
    let id = provider.id();
    let Some(key) = provider.secret(operator_namespace) else {
        return Err(Missing {
            message: format!("{id} names no Secret"),
            fix: None,
        });
    };
    let (namespace, name) = &key;
    if let Some(secret) = manifests.secrets.get(&key) {
        let from = format!("Secret {namespace}/{name} in {}", secret.file);
        return Credential::from_secret(account, &secret.data)
            .map(|credential| (credential, from))
            .map_err(|error| Missing {
                message: format!("{id}: Secret {namespace}/{name}: {error}"),
                fix: None,
            });
    }
    if let Some(environment) = environment {
        match from_environment(account, environment) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(error) => {
                return Err(Missing {
                    message: format!("{id}: {error}"),
                    fix: None,
                });
            }
        }
    }
    Err(Missing {
        message: format!(
            "{id}: Secret {namespace}/{name} does not exist: create it, or mend spec.auth.secretRef"
        ),
        fix: Some(fix(
            provider,
            account,
            manifests,
            &key,
            environment.is_some(),
        )),
    })
}

fn fix(
    provider: &Provider,
    account: &Account,
    manifests: &Manifests,
    (namespace, name): &(String, String),
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
    let vendor = match account {
        Account::ModelArts { .. } => HUAWEI,
        Account::Pai { .. } => ALIBABA,
    };
    format!(
        "{file}; or set {} and {}, or {} and {}",
        OWN[0].1, OWN[1].1, vendor[0].1, vendor[1].1
    )
}

/// The first group of which anything is set; a group that is set in part is an error, since a mix of
/// two accounts would be worse.
fn from_environment(account: &Account, environment: Environment) -> Result<Option<Found>, String> {
    let groups = match account {
        Account::ModelArts { .. } => [OWN, HUAWEI],
        Account::Pai { .. } => [OWN_FOR_PAI, ALIBABA],
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
        return match Credential::from_secret(account, &data) {
            Ok(credential) => {
                let from = format!("the environment: {}", names.join(", "));
                Ok(Some((credential, from)))
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

    fn huawei() -> Account {
        Account::ModelArts {
            endpoint: "https://h.example".into(),
            region: "cn-north-4".into(),
            project_id: "p".into(),
            workspace_id: "0".into(),
        }
    }

    fn alibaba() -> Account {
        Account::Pai {
            endpoint: "https://h.example".into(),
            region: "cn-shanghai".into(),
            workspace_id: None,
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
        let from = |account: &Account, environment: Environment| match from_environment(
            account,
            environment,
        ) {
            Ok(found) => found.map_or_else(|| "none".into(), |(_, from)| from),
            Err(error) => error,
        };
        let rows: [(Account, Environment, &str); 9] = [
            (
                huawei(),
                both,
                "the environment: IMAGEREF_ACCESS_KEY_ID, IMAGEREF_ACCESS_KEY_SECRET",
            ),
            (
                alibaba(),
                both,
                "the environment: IMAGEREF_ACCESS_KEY_ID, IMAGEREF_ACCESS_KEY_SECRET",
            ),
            (
                huawei(),
                vendors,
                "the environment: HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK",
            ),
            (
                alibaba(),
                vendors,
                "the environment: ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            ),
            (
                huawei(),
                half,
                "the environment lacks IMAGEREF_ACCESS_KEY_SECRET; it has IMAGEREF_ACCESS_KEY_ID",
            ),
            (
                huawei(),
                token_and_vendor,
                "the environment: IMAGEREF_AUTH_TOKEN",
            ),
            (
                alibaba(),
                token_and_vendor,
                "the environment: ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            ),
            (
                huawei(),
                token_and_keys,
                "the environment holds IMAGEREF_AUTH_TOKEN and an access key: keep one of them",
            ),
            (huawei(), |_| None, "none"),
        ];
        for (account, environment, expected) in rows {
            assert_eq!(from(&account, environment), expected);
        }
    }
}
