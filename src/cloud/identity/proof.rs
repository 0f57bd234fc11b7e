//! One identity, and the hash that stands for its proof.
//!
//! Owns what caches are keyed by. Must not know how a proof is exchanged. The invariant that would
//! break first: **two proofs that differ in anything have two hashes**. What is issued for one is
//! kept under its hash, so naming another's key, role or agency finds nothing.

use super::endpoints::Region;
use super::principal::Principal;
use super::source::{Source, hashed};
use super::token::{TokenSource, read_token};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::fmt;

/// What stands for a proof in caches. Not to be printed: a weak password could be guessed from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Proof([u8; 32]);

impl Proof {
    /// Some bits, to spread things by.
    pub(super) fn seed(&self) -> u64 {
        self.0
            .iter()
            .take(8)
            .fold(0, |seed, byte| (seed << 8) | u64::from(*byte))
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof")
    }
}

/// A checked proof in its region.
#[derive(Clone, Debug)]
pub struct Identity {
    source: Source,
    region: Region,
    proof: Proof,
}

impl Identity {
    /// # Errors
    /// One sentence that says what to write instead; no part of the proof is in it.
    pub fn new(source: Source, region: Region) -> Result<Self, String> {
        source.check()?;
        let parts = source.parts();
        let form = [source.form(), region.as_str()].map(str::as_bytes);
        let proof = Proof(hashed(
            form.into_iter().chain(parts.iter().map(Vec::as_slice)),
        ));
        Ok(Self {
            source,
            region,
            proof,
        })
    }

    /// Whom it is that a platform refuses if it refuses this identity's credential. `None` for keys
    /// that were issued: a refusal of them says nothing of the user they were issued to.
    pub fn asks_as(&self) -> Option<Principal> {
        match &self.source {
            source @ Source::Static(_) => source.principal(),
            _ => None,
        }
    }

    /// The form of proof.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The region.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// What caches are keyed by.
    pub fn proof(&self) -> Proof {
        self.proof
    }

    /// A hash of the file that the proof is read from, if it is: the proof changes with it.
    pub(super) async fn evidence(&self) -> Option<[u8; 32]> {
        let file = match &self.source {
            Source::HuaweiStsOidc { token, .. }
            | Source::HuaweiIdToken { token, .. }
            | Source::AlibabaOidc { token, .. } => match token {
                TokenSource::Projected(path) => path,
                TokenSource::Minted { .. } => return None,
            },
            Source::HuaweiPodIdentity { token_file, .. } => token_file,
            _ => return None,
        };
        let token = read_token(file).await.ok()?;
        Some(Sha256::digest(token.expose_secret()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Credential;
    use crate::cloud::identity::NearUri;
    use crate::cloud::identity::source::AgencyUser;
    use crate::facts::Failure;
    use futures::future::BoxFuture;
    use secrecy::SecretString;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    struct Nobody;

    impl crate::cloud::identity::Mint for Nobody {
        fn mint(&self, _: &'static str) -> BoxFuture<'_, Result<SecretString, Failure>> {
            Box::pin(async { Ok("a.b.c".into()) })
        }
    }

    fn minted(uid: &str) -> TokenSource {
        TokenSource::Minted {
            account_uid: uid.into(),
            mint: Arc::new(Nobody),
        }
    }

    fn password(domain: &str, user: &str, password: &str, project: Option<&str>) -> Source {
        Source::HuaweiPassword {
            domain: domain.into(),
            user: user.into(),
            password: password.into(),
            project: project.map(Into::into),
        }
    }

    fn keys(secret: &str) -> Credential {
        Credential::HuaweiKeys {
            access_key: "AK".into(),
            secret_key: secret.into(),
            security_token: None,
        }
    }

    fn agency(user: AgencyUser, agency: &str) -> Source {
        Source::HuaweiAgency {
            user,
            domain: "d".into(),
            agency: agency.into(),
            duration_s: 3600,
        }
    }

    fn sts(provider: &str, role: &str, token: TokenSource) -> Source {
        Source::HuaweiStsOidc {
            provider_urn: provider.into(),
            agency_urn: role.into(),
            session_name: "imageref".into(),
            duration_s: 3600,
            token,
        }
    }

    fn rrsa(role: &str, token: TokenSource) -> Source {
        Source::AlibabaOidc {
            role_arn: role.into(),
            oidc_provider_arn: "p".into(),
            session_name: "imageref".into(),
            duration_s: 3600,
            token,
        }
    }

    #[test]
    fn proofs_that_differ_in_anything_share_nothing() {
        let file = |path: &str| TokenSource::Projected(path.into());
        let uri = |uri: &str| NearUri::new(uri).unwrap();
        let sources = [
            Source::Static(keys("a")),
            Source::Static(keys("b")),
            password("d", "u", "p", None),
            password("d", "u", "p", Some("")),
            password("d", "u", "q", None),
            password("du", "", "p", None),
            agency(AgencyUser::Keys(keys("a")), "g"),
            agency(AgencyUser::Keys(keys("b")), "g"),
            agency(AgencyUser::Keys(keys("a")), "h"),
            sts("p", "r", minted("uid-1")),
            sts("p", "r", minted("uid-2")),
            sts("p", "r2", minted("uid-1")),
            sts("pr", "r", minted("uid-1")),
            sts("p", "r", file("uid-1")),
            sts("p", "r", file("/t")),
            rrsa("r", minted("uid-1")),
            rrsa("r", minted("uid-2")),
            rrsa("s", minted("uid-1")),
            rrsa("r", file("/t")),
            Source::HuaweiMetadata,
            Source::AlibabaMetadata { role: None },
            Source::AlibabaMetadata {
                role: Some("r".into()),
            },
            Source::AlibabaCredentialsUri {
                uri: uri("http://localhost/a"),
            },
            Source::AlibabaCredentialsUri {
                uri: uri("http://localhost/b"),
            },
            Source::HuaweiPodIdentity {
                uri: uri("http://localhost/a"),
                token_file: "/t".into(),
            },
        ];
        let mut proofs = BTreeSet::new();
        let mut regions = 0;
        for id in ["cn-north-4", "cn-north-1"] {
            regions += 1;
            for source in &sources {
                // The one with an empty name is told apart by its hash, and refused.
                let Ok(identity) = Identity::new(source.clone(), Region::new(id).unwrap()) else {
                    assert!(format!("{source:?}").contains("password"));
                    continue;
                };
                assert!(proofs.insert(identity.proof()), "{source:?}");
            }
        }
        assert_eq!(proofs.len(), regions * (sources.len() - 1));
        let again = Identity::new(sources[0].clone(), Region::new("cn-north-4").unwrap());
        assert!(proofs.contains(&again.unwrap().proof()));
    }

    #[test]
    fn a_principal_is_the_whole_user_or_key_whatever_it_is_used_for() {
        let user = |secret: &str| AgencyUser::Password {
            domain: "d".into(),
            user: "u".into(),
            password: secret.into(),
        };
        let principal = |source: Source| source.principal();
        let wrong = principal(password("d", "u", "p", None));
        assert!(wrong.is_some());
        for same in [
            password("d", "u", "p", Some("project")),
            agency(user("p"), "a"),
            agency(user("p"), "b"),
        ] {
            assert_eq!(principal(same), wrong);
        }
        for other in [
            password("d", "u", "q", None),
            password("du", "", "p", None),
            agency(user("q"), "a"),
        ] {
            assert_ne!(principal(other), wrong);
        }
        let key = principal(Source::Static(keys("a")));
        assert!(key.is_some());
        assert_eq!(principal(agency(AgencyUser::Keys(keys("a")), "g")), key);
        assert_ne!(principal(Source::Static(keys("b"))), key);
        for none in [
            Source::Static(Credential::HuaweiToken("t".into())),
            Source::HuaweiMetadata,
            sts("p", "r", minted("uid")),
            rrsa("r", minted("uid")),
        ] {
            assert_eq!(principal(none), None);
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused_without_being_shown() {
        let refused = |source| {
            Identity::new(source, Region::new("cn-north-4").unwrap())
                .err()
                .unwrap_or_default()
        };
        assert!(refused(password("", "u", "p", None)).contains("account's name"));
        assert!(refused(password("d", "SEEN\n", "p", None)).contains("user's name"));
        let mut long = sts("p", "r", minted("u"));
        if let Source::HuaweiStsOidc { duration_s, .. } = &mut long {
            *duration_s = 86_400;
        }
        assert!(refused(long).contains("900 to 43200"));
        for role in ["", ".", "..", "a/b", "a%2fb", "SEEN b"] {
            let error = refused(Source::AlibabaMetadata {
                role: Some(role.into()),
            });
            assert!(
                error.contains("role's name") && !error.contains("SEEN"),
                "{role}"
            );
        }
    }
}
