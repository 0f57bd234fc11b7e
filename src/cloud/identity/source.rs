//! How a provider proves who it is.
//!
//! Owns the forms of proof and what each consists of. Must not know how a proof is exchanged. The
//! invariant that would break first: `parts` holds everything that a proof consists of; what it left
//! out, two tenants would share.

use super::endpoints::NearUri;
use super::principal::Principal;
use super::token::TokenSource;
use crate::cloud::Credential;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::PathBuf;

/// Who acts as an agency.
#[derive(Clone)]
pub enum AgencyUser {
    /// The access key of a user.
    Keys(Credential),
    /// A user by password.
    Password {
        /// Account name.
        domain: String,
        /// User name.
        user: String,
        /// Password.
        password: SecretString,
    },
}

/// A form of proof.
#[derive(Clone)]
pub enum Source {
    /// A credential as it is.
    Static(Credential),
    /// A user's password, for a token of a project.
    HuaweiPassword {
        /// Account name.
        domain: String,
        /// User name.
        user: String,
        /// Password.
        password: SecretString,
        /// Project id; without one the region's own project.
        project: Option<String>,
    },
    /// A user who acts as an agency of another account, for temporary keys.
    HuaweiAgency {
        /// The user.
        user: AgencyUser,
        /// Name of the account that the agency belongs to.
        domain: String,
        /// Name of the agency.
        agency: String,
        /// Life of the keys, 900 to 86400 s.
        duration_s: u32,
    },
    /// An id token at STS, for temporary keys of an agency.
    HuaweiStsOidc {
        /// URN of the identity provider.
        provider_urn: String,
        /// URN of the agency.
        agency_urn: String,
        /// Name of the session, as the audit log shows it.
        session_name: String,
        /// Life of the keys, 900 to 43200 s.
        duration_s: u32,
        /// The id token.
        token: TokenSource,
    },
    /// An id token at IAM, the older way: a token, then temporary keys for it.
    HuaweiIdToken {
        /// Id of the identity provider.
        idp_id: String,
        /// Life of the keys, 900 to 86400 s.
        duration_s: u32,
        /// The id token.
        token: TokenSource,
    },
    /// The agency of the node.
    HuaweiMetadata,
    /// The agency of the operator's pod.
    HuaweiPodIdentity {
        /// Address of the node's agent.
        uri: NearUri,
        /// File with the whole value of `Authorization`.
        token_file: PathBuf,
    },
    /// An id token at STS, for temporary keys of a RAM role (RRSA).
    AlibabaOidc {
        /// ARN of the role.
        role_arn: String,
        /// ARN of the identity provider.
        oidc_provider_arn: String,
        /// Name of the session, as the audit log shows it.
        session_name: String,
        /// Life of the keys, 900 to 43200 s.
        duration_s: u32,
        /// The id token.
        token: TokenSource,
    },
    /// The RAM role of the node.
    AlibabaMetadata {
        /// Name of the role; asked for if `None`.
        role: Option<String>,
    },
    /// An agent that gives keys by GET.
    AlibabaCredentialsUri {
        /// Its address.
        uri: NearUri,
    },
}

impl Source {
    /// The form's name in logs and metrics.
    pub const fn form(&self) -> &'static str {
        match self {
            Self::Static(_) => "static",
            Self::HuaweiPassword { .. } => "huawei_password",
            Self::HuaweiAgency { .. } => "huawei_agency",
            Self::HuaweiStsOidc { .. } => "huawei_sts_oidc",
            Self::HuaweiIdToken { .. } => "huawei_id_token",
            Self::HuaweiMetadata => "huawei_metadata",
            Self::HuaweiPodIdentity { .. } => "huawei_pod_identity",
            Self::AlibabaOidc { .. } => "alibaba_oidc",
            Self::AlibabaMetadata { .. } => "alibaba_metadata",
            Self::AlibabaCredentialsUri { .. } => "alibaba_credentials_uri",
        }
    }

    /// The user or key that a cloud may lock: all of it, and nothing of what it is used for. None for
    /// tokens and identities, which are not locked.
    pub fn principal(&self) -> Option<Principal> {
        let keys = |keys: &Credential| match keys {
            Credential::HuaweiKeys { .. } | Credential::AlibabaKeys { .. } => {
                Some(Principal::new(keys.fingerprint()))
            }
            Credential::HuaweiToken(_) => None,
        };
        match self {
            Self::Static(credential)
            | Self::HuaweiAgency {
                user: AgencyUser::Keys(credential),
                ..
            } => keys(credential),
            Self::HuaweiPassword {
                domain,
                user,
                password,
                ..
            }
            | Self::HuaweiAgency {
                user:
                    AgencyUser::Password {
                        domain,
                        user,
                        password,
                    },
                ..
            } => {
                let parts = ["huawei-user", domain, user, password.expose_secret()];
                Some(Principal::new(hashed(parts.map(str::as_bytes))))
            }
            _ => None,
        }
    }

    /// The UID of the ServiceAccount whose tokens are exchanged.
    pub fn account_uid(&self) -> Option<&str> {
        match self {
            Self::HuaweiStsOidc { token, .. }
            | Self::HuaweiIdToken { token, .. }
            | Self::AlibabaOidc { token, .. } => match token {
                TokenSource::Minted { account_uid, .. } => Some(account_uid),
                TokenSource::Projected(_) => None,
            },
            _ => None,
        }
    }

    /// Everything that makes this proof what it is, secrets included.
    pub(super) fn parts(&self) -> Vec<Vec<u8>> {
        let text = |text: &str| text.as_bytes().to_vec();
        let secret = |secret: &SecretString| text(secret.expose_secret());
        let near = |uri: &NearUri| [&uri.origin, &uri.path, &uri.query].map(|part| text(part));
        match self {
            Self::Static(credential) => vec![credential.fingerprint().to_vec()],
            Self::HuaweiPassword {
                domain,
                user,
                password,
                project,
            } => {
                let given = text(if project.is_some() {
                    "project"
                } else {
                    "region"
                });
                let project = text(project.as_deref().unwrap_or_default());
                vec![text(domain), text(user), secret(password), given, project]
            }
            Self::HuaweiAgency {
                user,
                domain,
                agency,
                duration_s,
            } => {
                let who = match user {
                    AgencyUser::Keys(keys) => vec![text("keys"), keys.fingerprint().to_vec()],
                    AgencyUser::Password {
                        domain,
                        user,
                        password,
                    } => vec![text("password"), text(domain), text(user), secret(password)],
                };
                [
                    who,
                    vec![text(domain), text(agency), text(&duration_s.to_string())],
                ]
                .concat()
            }
            Self::HuaweiStsOidc {
                provider_urn: provider,
                agency_urn: role,
                session_name,
                duration_s,
                token,
            }
            | Self::AlibabaOidc {
                oidc_provider_arn: provider,
                role_arn: role,
                session_name,
                duration_s,
                token,
            } => {
                let life = duration_s.to_string();
                let texts = [provider, role, session_name, &life].map(|part| text(part));
                [texts.to_vec(), token.parts()].concat()
            }
            Self::HuaweiIdToken {
                idp_id,
                duration_s,
                token,
            } => [
                vec![text(idp_id), text(&duration_s.to_string())],
                token.parts(),
            ]
            .concat(),
            Self::HuaweiMetadata => Vec::new(),
            Self::HuaweiPodIdentity { uri, token_file } => {
                let file = token_file.as_os_str().as_encoded_bytes().to_vec();
                [near(uri).to_vec(), vec![file]].concat()
            }
            Self::AlibabaMetadata { role } => role.iter().map(|role| text(role)).collect(),
            Self::AlibabaCredentialsUri { uri } => near(uri).to_vec(),
        }
    }

    /// One sentence about what cannot be sent as it is.
    pub(super) fn check(&self) -> Result<(), String> {
        let life = |seconds: u32, most: u32| {
            if (900..=most).contains(&seconds) {
                Ok(())
            } else {
                Err(format!("the life of the keys must be 900 to {most} s"))
            }
        };
        let plain = |name: &str, text: &str| {
            let fits = (1..=1024).contains(&text.len()) && !text.chars().any(char::is_control);
            fits.then_some(())
                .ok_or_else(|| format!("{name} is empty, too long or has control characters"))
        };
        let session = |name: &str| {
            let fits = (2..=64).contains(&name.len())
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b".@_-".contains(&b));
            fits.then_some(()).ok_or_else(|| {
                "the session name must have 2 to 64 letters, digits and . @ _ -".to_owned()
            })
        };
        match self {
            Self::Static(_)
            | Self::HuaweiMetadata
            | Self::HuaweiPodIdentity { .. }
            | Self::AlibabaCredentialsUri { .. } => Ok(()),
            Self::HuaweiPassword { domain, user, .. } => {
                plain("the account's name", domain)?;
                plain("the user's name", user)
            }
            Self::HuaweiAgency {
                user,
                domain,
                agency,
                duration_s,
            } => {
                if matches!(user, AgencyUser::Keys(Credential::AlibabaKeys { .. })) {
                    return Err("the access key of an agency's user must be Huawei Cloud's".into());
                }
                plain("the account's name", domain)?;
                plain("the agency's name", agency)?;
                life(*duration_s, 86_400)
            }
            Self::HuaweiStsOidc {
                provider_urn: provider,
                agency_urn: role,
                session_name,
                duration_s,
                ..
            }
            | Self::AlibabaOidc {
                oidc_provider_arn: provider,
                role_arn: role,
                session_name,
                duration_s,
                ..
            } => {
                plain("the identity provider", provider)?;
                plain("the agency or role", role)?;
                session(session_name)?;
                life(*duration_s, 43_200)
            }
            Self::HuaweiIdToken {
                idp_id, duration_s, ..
            } => {
                plain("the identity provider's id", idp_id)?;
                life(*duration_s, 86_400)
            }
            Self::AlibabaMetadata { role } => role.as_deref().map_or(Ok(()), check_role),
        }
    }
}

/// A hash of parts in their order.
pub(crate) fn hashed<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        // The length in front: "ab" + "c" and "a" + "bc" are different proofs.
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// A role's name as a path segment.
pub(super) fn check_role(role: &str) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    // A dot is allowed in names; `.` and `..` alone would be another path.
    let fits = (1..=64).contains(&role.len())
        && role.bytes().all(|b| plain(b) || b == b'.')
        && role.bytes().any(plain);
    fits.then_some(())
        .ok_or_else(|| "the role's name must have 1 to 64 letters, digits and . _ -".to_owned())
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.form())
    }
}
