//! How a provider signs in: which form of proof its spec means.
//!
//! Owns the way from `spec.auth`, and from what it names, to a [`Source`]. Must not know how objects
//! are read or proofs exchanged. The invariant that would break first: the operator's own identity
//! comes from its flags and serves cluster providers alone.

use super::Credential;
use super::credential::{Cloud, value};
use super::identity::{AgencyUser, NearUri, Source, TokenSource};
use crate::api::auth::{
    Agency, AlibabaRrsa, DURATION_SECONDS, HuaweiIdToken, HuaweiSts, OperatorIdentity,
    TokenExchange,
};
use crate::plan::ProviderId;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;

const DOMAIN_NAME: &str = "domainName";
const USER_NAME: &str = "userName";
const PASSWORD: &str = "password";

/// Longest name of a session that both clouds take.
const LONGEST_SESSION: usize = 64;

/// Namespace and name of an object.
pub type ObjectKey = (String, String);

/// A way to sign in, as a provider names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignIn<'a> {
    /// With what a Secret holds.
    Secret {
        /// The Secret.
        secret: ObjectKey,
        /// The agency to act as.
        agency: Option<&'a Agency>,
    },
    /// With tokens of a ServiceAccount.
    ServiceAccount {
        /// The ServiceAccount.
        account: ObjectKey,
        /// What they are exchanged for.
        exchange: &'a TokenExchange,
    },
    /// As the operator.
    Operator(&'a OperatorIdentity),
}

/// The proof that a Secret holds: a credential as it is, or a user's name and password. White space
/// around the values is dropped. `project` is the one that the provider's spec names.
///
/// # Errors
/// One sentence that names keys, never values.
pub fn of_secret(
    cloud: Cloud,
    data: &BTreeMap<String, Vec<u8>>,
    agency: Option<&Agency>,
    project: Option<&str>,
) -> Result<Source, String> {
    let user = user(cloud, data)?;
    let Some(agency) = agency else {
        return Ok(match user {
            Some((domain, user, password)) => Source::HuaweiPassword {
                domain,
                user,
                password,
                project: project.map(Into::into),
            },
            None => Source::Static(Credential::from_secret(cloud, data)?),
        });
    };
    let user = match user {
        Some((domain, user, password)) => AgencyUser::Password {
            domain,
            user,
            password,
        },
        None => match Credential::from_secret(cloud, data)? {
            Credential::HuaweiToken(_) => {
                return Err(
                    "the Secret holds authToken, which cannot act as an agency: write an access key, or name and password of a user".into(),
                );
            }
            keys => AgencyUser::Keys(keys),
        },
    };
    Ok(Source::HuaweiAgency {
        user,
        domain: agency.domain_name.clone(),
        agency: agency.name.clone(),
        duration_s: agency.duration_seconds.unwrap_or(DURATION_SECONDS),
    })
}

type User = (String, String, SecretString);

fn user(cloud: Cloud, data: &BTreeMap<String, Vec<u8>>) -> Result<Option<User>, String> {
    let domain = value(data, DOMAIN_NAME)?;
    let user = value(data, USER_NAME)?;
    let password = value(data, PASSWORD)?.map(SecretString::from);
    if domain.is_none() && user.is_none() && password.is_none() {
        return Ok(None);
    }
    if cloud != Cloud::Huawei {
        return Err(format!(
            "the Secret holds {DOMAIN_NAME}, {USER_NAME} or {PASSWORD}, which are for ModelArts: PAI takes accessKeyId and accessKeySecret"
        ));
    }
    for key in [
        "accessKeyId",
        "accessKeySecret",
        "securityToken",
        "authToken",
    ] {
        if value(data, key)?.is_some() {
            return Err(format!(
                "the Secret holds {key} beside a user's name or password: keep one of them"
            ));
        }
    }
    let missing: Vec<_> = [
        (DOMAIN_NAME, domain.is_none()),
        (USER_NAME, user.is_none()),
        (PASSWORD, password.is_none()),
    ]
    .into_iter()
    .filter_map(|(key, missing)| missing.then_some(key))
    .collect();
    match (domain, user, password) {
        (Some(domain), Some(user), Some(password)) => Ok(Some((domain, user, password))),
        _ => Err(format!("the Secret lacks {}", missing.join(" and "))),
    }
}

/// The proof that an id token is, where it is exchanged as `exchange` says for `provider`, whose name
/// the cloud's audit log then shows.
///
/// # Errors
/// One sentence that says which field to mend.
pub fn of_token(
    cloud: Cloud,
    exchange: &TokenExchange,
    provider: &ProviderId,
    token: TokenSource,
) -> Result<Source, String> {
    let duration_s = exchange.duration_seconds.unwrap_or(DURATION_SECONDS);
    let session_name = session_name(provider);
    match (
        cloud,
        &exchange.huawei_sts,
        &exchange.huawei_id_token,
        &exchange.alibaba_rrsa,
    ) {
        (
            Cloud::Huawei,
            Some(HuaweiSts {
                provider_urn,
                agency_urn,
            }),
            None,
            None,
        ) => Ok(Source::HuaweiStsOidc {
            provider_urn: provider_urn.clone(),
            agency_urn: agency_urn.clone(),
            session_name,
            duration_s,
            token,
        }),
        (
            Cloud::Huawei,
            None,
            Some(HuaweiIdToken {
                identity_provider_id,
            }),
            None,
        ) => Ok(Source::HuaweiIdToken {
            idp_id: identity_provider_id.clone(),
            duration_s,
            token,
        }),
        (
            Cloud::Alibaba,
            None,
            None,
            Some(AlibabaRrsa {
                role_arn,
                oidc_provider_arn,
            }),
        ) => Ok(Source::AlibabaOidc {
            role_arn: role_arn.clone(),
            oidc_provider_arn: oidc_provider_arn.clone(),
            session_name,
            duration_s,
            token,
        }),
        _ => Err(
            "exchange must name one way of the provider's own cloud: huaweiSts or huaweiIdToken for modelArts, alibabaRrsa for pai".into(),
        ),
    }
}

/// `imageref.NAMESPACE.NAME`, or `imageref.cluster_NAME` of the cluster kind: no namespace has a `_`.
/// What is too long for STS ends with a hash of the whole, so that two providers still have two names.
fn session_name(provider: &ProviderId) -> String {
    let whole = match &provider.namespace {
        Some(namespace) => format!("imageref.{namespace}.{}", provider.name),
        None => format!("imageref.cluster_{}", provider.name),
    };
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = whole.chars().filter(plain).collect();
    if name.len() <= LONGEST_SESSION {
        return name;
    }
    let digest = Sha256::digest(&whole);
    let bits = digest.iter().take(4);
    let hash = bits.fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
    let hash = format!("{hash:08x}");
    let kept = LONGEST_SESSION - hash.len() - 1;
    let name: String = name.chars().take(kept).collect();
    format!("{name}-{hash}")
}

/// What the operator's owner says of its own identity: where agents and files are.
#[derive(Clone, Debug, Default)]
pub struct OperatorIdentities {
    /// Huawei Cloud's pod identity agent, and the file with its token.
    pub pod_identity: Option<(NearUri, PathBuf)>,
    /// Alibaba Cloud's credentials agent.
    pub credentials_uri: Option<NearUri>,
    /// A projected token with the audience `sts.myhuaweicloud.com`.
    pub huawei_token_file: Option<PathBuf>,
    /// A projected token with the audience `sts.aliyuncs.com`.
    pub alibaba_token_file: Option<PathBuf>,
}

impl OperatorIdentities {
    /// The proof that a cluster provider means.
    ///
    /// # Errors
    /// One sentence that names the field or the operator's flag to set.
    pub fn source(
        &self,
        cloud: Cloud,
        wanted: &OperatorIdentity,
        provider: &ProviderId,
    ) -> Result<Source, String> {
        let flag = |flags: &str| format!("the operator runs without {flags}");
        match (
            cloud,
            &wanted.metadata,
            &wanted.pod_identity,
            &wanted.credentials_uri,
            &wanted.projected_token,
        ) {
            (Cloud::Huawei, Some(_), None, None, None) => Ok(Source::HuaweiMetadata),
            (Cloud::Alibaba, Some(metadata), None, None, None) => Ok(Source::AlibabaMetadata {
                role: metadata.role_name.clone(),
            }),
            (Cloud::Huawei, None, Some(_), None, None) => {
                let (uri, token_file) = self.pod_identity.clone().ok_or_else(|| {
                    flag("--huawei-pod-identity-uri and --huawei-pod-identity-token-file")
                })?;
                Ok(Source::HuaweiPodIdentity { uri, token_file })
            }
            (Cloud::Alibaba, None, None, Some(_), None) => {
                let uri = self.credentials_uri.clone();
                let uri = uri.ok_or_else(|| flag("--alibaba-credentials-uri"))?;
                Ok(Source::AlibabaCredentialsUri { uri })
            }
            (_, None, None, None, Some(projected)) => {
                let (file, name) = match cloud {
                    Cloud::Huawei => (&self.huawei_token_file, "--huawei-token-file"),
                    Cloud::Alibaba => (&self.alibaba_token_file, "--alibaba-token-file"),
                };
                let file = file.clone().ok_or_else(|| flag(name))?;
                let token = TokenSource::Projected(file);
                of_token(cloud, &projected.exchange, provider, token)
            }
            _ => Err("operatorIdentity must name one identity of the provider's own cloud".into()),
        }
    }
}

#[cfg(test)]
mod tests;
