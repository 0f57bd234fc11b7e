//! Owns whom the clouds' identity services trust: users, agencies, roles, and the identity providers
//! whose tokens they take. Must not be known here: how a token is read, what is given for it. What
//! breaks first: a test that relies on a default subject or audience.

use crate::defaults;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An `OpenID` Connect identity provider as a cloud knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityProvider {
    /// Its resource name at Huawei Cloud; at Alibaba Cloud the ARN is the key and this is not looked at.
    #[serde(default)]
    pub urn: String,
    /// What `iss` must be.
    pub issuer: String,
    /// One of these must be in `aud`.
    pub audiences: Vec<String>,
    /// What `sub` may be; empty for anything.
    #[serde(default)]
    pub subjects: Vec<String>,
}

/// A Huawei Cloud agency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agency {
    /// Its resource name, by which STS knows it.
    pub urn: String,
    /// Names of users and ids of identity providers that may act in its name.
    pub trusted: Vec<String>,
    /// The project its temporary keys work in.
    pub project_id: String,
}

/// An Alibaba Cloud RAM role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// ARNs of the identity providers it trusts.
    pub trusted: Vec<String>,
    /// Account id.
    #[serde(default)]
    pub account: String,
}

/// Who holds a Huawei Cloud token or key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// A user, an agency, or a subject of an identity provider.
    pub(crate) name: String,
    /// Where temporary keys of a token that is of no project work.
    pub(crate) project_id: String,
}

impl Default for Identity {
    fn default() -> Self {
        Identity {
            name: defaults::IAM_USER.to_owned(),
            project_id: defaults::PROJECT_ID.to_owned(),
        }
    }
}

/// Everybody who is trusted.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    /// Huawei Cloud users of the default domain: name and password.
    pub(crate) users: BTreeMap<String, String>,
    /// By name.
    pub(crate) agencies: BTreeMap<String, Agency>,
    /// By id.
    pub(crate) huawei_providers: BTreeMap<String, IdentityProvider>,
    /// By ARN.
    pub(crate) alibaba_providers: BTreeMap<String, IdentityProvider>,
    /// By ARN.
    pub(crate) roles: BTreeMap<String, Role>,
}

impl Default for Trust {
    fn default() -> Self {
        let provider = |urn: &str, audience: &str| IdentityProvider {
            urn: urn.to_owned(),
            issuer: defaults::ID_TOKEN_ISSUER.to_owned(),
            audiences: vec![audience.to_owned()],
            subjects: vec![defaults::ID_TOKEN_SUBJECT.to_owned()],
        };
        let agency = Agency {
            urn: defaults::AGENCY_URN.to_owned(),
            trusted: [
                defaults::IAM_USER,
                defaults::OIDC_PROVIDER,
                defaults::POD_IDENTITY_PROVIDER,
            ]
            .map(str::to_owned)
            .to_vec(),
            project_id: defaults::PROJECT_ID.to_owned(),
        };
        let role = Role {
            trusted: vec![defaults::ALIBABA_OIDC_PROVIDER_ARN.to_owned()],
            account: defaults::ALIBABA_ACCOUNT.to_owned(),
        };
        Trust {
            users: BTreeMap::from([(
                defaults::IAM_USER.to_owned(),
                defaults::IAM_PASSWORD.to_owned(),
            )]),
            agencies: BTreeMap::from([(defaults::AGENCY.to_owned(), agency)]),
            huawei_providers: BTreeMap::from([
                (
                    defaults::OIDC_PROVIDER.to_owned(),
                    provider(
                        defaults::OIDC_PROVIDER_URN,
                        defaults::HUAWEI_ID_TOKEN_AUDIENCE,
                    ),
                ),
                (
                    defaults::POD_IDENTITY_PROVIDER.to_owned(),
                    provider("", defaults::POD_IDENTITY_AUDIENCE),
                ),
            ]),
            alibaba_providers: BTreeMap::from([(
                defaults::ALIBABA_OIDC_PROVIDER_ARN.to_owned(),
                provider("", defaults::ALIBABA_ID_TOKEN_AUDIENCE),
            )]),
            roles: BTreeMap::from([(defaults::ALIBABA_ROLE_ARN.to_owned(), role)]),
        }
    }
}
