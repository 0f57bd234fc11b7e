//! What a request to one cloud is signed with.
//!
//! Owns which keys of a Secret mean what, and the fingerprint that caches are keyed by. Must not
//! know where the Secret comes from. The invariant that would break first: nothing that this file
//! prints, errors included, holds a value of the Secret.

use crate::plan::target::Account;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;

const ACCESS_KEY_ID: &str = "accessKeyId";
const ACCESS_KEY_SECRET: &str = "accessKeySecret";
const SECURITY_TOKEN: &str = "securityToken";
const AUTH_TOKEN: &str = "authToken";

/// How many keys of a Secret an error names: enough to see a misspelling.
const NAMED_KEYS: usize = 8;
/// Shorter texts are left alone by [`Credential::redact`]: they would match by chance.
pub(crate) const SHORTEST_SECRET: usize = 6;

/// Whose clouds these are. One cloud has several platforms and one way to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cloud {
    /// Huawei Cloud: `ModelArts`.
    Huawei,
    /// Alibaba Cloud: PAI.
    Alibaba,
}

impl From<&Account> for Cloud {
    fn from(account: &Account) -> Self {
        match account {
            Account::ModelArts { .. } => Self::Huawei,
            Account::Pai { .. } => Self::Alibaba,
        }
    }
}

/// A credential. Printing it shows its form and nothing else.
#[derive(Clone)]
pub enum Credential {
    /// Access key of Huawei Cloud.
    HuaweiKeys {
        /// Access key id (AK).
        access_key: String,
        /// Secret key (SK).
        secret_key: SecretString,
        /// With temporary keys.
        security_token: Option<SecretString>,
    },
    /// IAM token of Huawei Cloud, scoped to the project.
    HuaweiToken(SecretString),
    /// `AccessKey` of Alibaba Cloud.
    AlibabaKeys {
        /// `AccessKey` id.
        access_key: String,
        /// `AccessKey` secret.
        secret_key: SecretString,
        /// With temporary keys from STS.
        security_token: Option<SecretString>,
    },
}

impl Credential {
    /// Reads the data of a Secret for one cloud: `accessKeyId`, `accessKeySecret`
    /// and, for temporary keys, `securityToken`; or, for `ModelArts`, `authToken`. White space around
    /// the values is dropped: files made with an editor end in a line feed.
    ///
    /// # Errors
    /// One sentence that names keys, never values.
    pub fn from_secret(cloud: Cloud, data: &BTreeMap<String, Vec<u8>>) -> Result<Self, String> {
        let access_key = value(data, ACCESS_KEY_ID)?;
        let secret_key = value(data, ACCESS_KEY_SECRET)?.map(SecretString::from);
        let security_token = value(data, SECURITY_TOKEN)?.map(SecretString::from);
        let auth_token = value(data, AUTH_TOKEN)?.map(SecretString::from);
        let has_keys = access_key.is_some() || secret_key.is_some() || security_token.is_some();
        let huawei = cloud == Cloud::Huawei;
        match auth_token {
            Some(_) if !huawei => {
                return Err(format!(
                    "the Secret holds {AUTH_TOKEN}, which is for ModelArts: PAI takes {ACCESS_KEY_ID} and {ACCESS_KEY_SECRET}"
                ));
            }
            Some(_) if has_keys => {
                return Err(format!(
                    "the Secret holds {AUTH_TOKEN} and an access key: keep one of them"
                ));
            }
            Some(token) => return Ok(Self::HuaweiToken(token)),
            None => {}
        }
        let (Some(access_key), Some(secret_key)) = (&access_key, &secret_key) else {
            let wanted = [
                (ACCESS_KEY_ID, access_key.is_none()),
                (ACCESS_KEY_SECRET, secret_key.is_none()),
            ];
            let missing: Vec<_> = wanted
                .iter()
                .filter(|(_, missing)| *missing)
                .map(|(key, _)| *key)
                .collect();
            return Err(format!(
                "the Secret lacks {}; it has {}",
                missing.join(" and "),
                named_keys(data)
            ));
        };
        // It goes into the Authorization header between commas and slashes.
        if !access_key
            .bytes()
            .all(|b| b.is_ascii_graphic() && !matches!(b, b',' | b'/'))
        {
            return Err(format!(
                "the Secret's {ACCESS_KEY_ID} is not an access key id"
            ));
        }
        let (access_key, secret_key) = (access_key.clone(), secret_key.clone());
        Ok(if huawei {
            Self::HuaweiKeys {
                access_key,
                secret_key,
                security_token,
            }
        } else {
            Self::AlibabaKeys {
                access_key,
                secret_key,
                security_token,
            }
        })
    }

    /// SHA-256 over the form and every part. Two credentials that differ in anything differ here:
    /// what is cached under it is shared by nobody who lacks the whole proof.
    pub fn fingerprint(&self) -> [u8; 32] {
        let form: &str = match self {
            Self::HuaweiKeys { .. } => "huawei-keys",
            Self::HuaweiToken(_) => "huawei-token",
            Self::AlibabaKeys { .. } => "alibaba-keys",
        };
        let mut hash = Sha256::new();
        for part in std::iter::once(form).chain(self.parts()) {
            // The length in front: "ab" + "c" and "a" + "bc" are different proofs.
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    /// Every part that must not be seen, the access key's id among them: a platform may echo it.
    fn parts(&self) -> impl Iterator<Item = &str> {
        let (first, rest) = match self {
            Self::HuaweiKeys {
                access_key,
                secret_key,
                security_token,
            }
            | Self::AlibabaKeys {
                access_key,
                secret_key,
                security_token,
            } => (access_key.as_str(), Some((secret_key, security_token))),
            Self::HuaweiToken(token) => (token.expose_secret(), None),
        };
        let rest = rest.into_iter().flat_map(|(secret, token)| {
            std::iter::once(secret.expose_secret())
                .chain(token.as_ref().map(ExposeSecret::expose_secret))
        });
        std::iter::once(first).chain(rest)
    }

    /// Takes every part of this credential out of a platform's words.
    pub(crate) fn redact(&self, text: &mut String) {
        for part in self.parts().filter(|part| part.len() >= SHORTEST_SECRET) {
            if text.contains(part) {
                *text = text.replace(part, "…");
            }
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HuaweiKeys {
                security_token: None,
                ..
            } => "HuaweiKeys([REDACTED])",
            Self::HuaweiKeys { .. } => "HuaweiKeys([REDACTED], temporary)",
            Self::HuaweiToken(_) => "HuaweiToken([REDACTED])",
            Self::AlibabaKeys {
                security_token: None,
                ..
            } => "AlibabaKeys([REDACTED])",
            Self::AlibabaKeys { .. } => "AlibabaKeys([REDACTED], temporary)",
        })
    }
}

/// The value of a key; an empty one counts as absent.
pub(super) fn value(data: &BTreeMap<String, Vec<u8>>, key: &str) -> Result<Option<String>, String> {
    let Some(bytes) = data.get(key) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(bytes)
        .map_err(|_| format!("the Secret's {key} is not text"))?
        .trim();
    if text.chars().any(char::is_control) {
        return Err(format!(
            "the Secret's {key} has a line break or another control character inside"
        ));
    }
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

fn named_keys(data: &BTreeMap<String, Vec<u8>>) -> String {
    if data.is_empty() {
        return "no keys".into();
    }
    let mut names: Vec<_> = data.keys().take(NAMED_KEYS).map(String::as_str).collect();
    if data.len() > NAMED_KEYS {
        names.push("…");
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        pairs.iter().map(|&(k, v)| (k.into(), v.into())).collect()
    }

    #[test]
    fn the_documented_forms_are_read_and_trimmed() {
        let keys = data(&[
            ("accessKeyId", " AK1\n"),
            ("accessKeySecret", "hidden\r\n"),
            ("note", "x"),
        ]);
        let token = data(&[("authToken", "hidden\n")]);
        let mut temporary = keys.clone();
        temporary.insert("securityToken".into(), b"hidden".to_vec());
        match Credential::from_secret(Cloud::Huawei, &keys).unwrap() {
            Credential::HuaweiKeys {
                access_key,
                secret_key,
                security_token: None,
            } => {
                assert_eq!(
                    (access_key.as_str(), secret_key.expose_secret()),
                    ("AK1", "hidden")
                );
            }
            other => panic!("{other:?}"),
        }
        let read =
            |cloud: Cloud, data: &_| format!("{:?}", Credential::from_secret(cloud, data).unwrap());
        assert_eq!(read(Cloud::Huawei, &token), "HuaweiToken([REDACTED])");
        assert_eq!(
            read(Cloud::Huawei, &temporary),
            "HuaweiKeys([REDACTED], temporary)"
        );
        assert_eq!(read(Cloud::Alibaba, &keys), "AlibabaKeys([REDACTED])");
        assert_eq!(
            read(Cloud::Alibaba, &temporary),
            "AlibabaKeys([REDACTED], temporary)"
        );
    }

    #[test]
    fn a_secret_that_cannot_be_used_says_which_keys_are_the_matter() {
        let error =
            |cloud: Cloud, pairs: &[_]| Credential::from_secret(cloud, &data(pairs)).unwrap_err();
        let h = Cloud::Huawei;
        assert_eq!(
            error(h, &[]),
            "the Secret lacks accessKeyId and accessKeySecret; it has no keys"
        );
        assert_eq!(
            error(h, &[("accessKeyID", "a"), ("accessKeySecret", "s")]),
            "the Secret lacks accessKeyId; it has accessKeyID, accessKeySecret"
        );
        assert!(
            error(h, &[("accessKeyId", "a"), ("accessKeySecret", " \n")])
                .contains("lacks accessKeySecret")
        );
        assert!(error(h, &[("authToken", "t"), ("accessKeyId", "a")]).contains("keep one"));
        assert!(error(Cloud::Alibaba, &[("authToken", "t")]).contains("is for ModelArts"));
        assert!(error(h, &[("accessKeyId", "a"), ("accessKeySecret", "a\nb")]).contains("control"));
        assert!(
            error(h, &[("accessKeyId", "a, b"), ("accessKeySecret", "s")]).contains("accessKeyId")
        );
        let raw = BTreeMap::from([("accessKeyId".to_owned(), vec![0xff])]);
        assert_eq!(
            Credential::from_secret(h, &raw).unwrap_err(),
            "the Secret's accessKeyId is not text"
        );
    }

    #[test]
    fn every_part_and_the_form_count_for_the_fingerprint() {
        let keys = |a: &str, s: &str, t: Option<&str>| Credential::HuaweiKeys {
            access_key: a.into(),
            secret_key: s.into(),
            security_token: t.map(SecretString::from),
        };
        let all = [
            keys("ab", "c", None),
            keys("a", "bc", None),
            keys("ab", "c", Some("")),
            keys("ab", "c", Some("t")),
            Credential::HuaweiToken("abc".into()),
            Credential::AlibabaKeys {
                access_key: "ab".into(),
                secret_key: "c".into(),
                security_token: None,
            },
        ];
        let distinct: std::collections::BTreeSet<_> =
            all.iter().map(Credential::fingerprint).collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(all[0].fingerprint(), keys("ab", "c", None).fingerprint());
    }

    proptest! {
        #[test]
        fn no_value_shows_in_an_error_or_in_debug(
            key in "[A-Z]{2}SEEN[\n, -~]{0,9}", secret in ".{0,3}SEEN.{0,9}", which in 0..16_u8,
        ) {
            let names = [ACCESS_KEY_ID, ACCESS_KEY_SECRET, SECURITY_TOKEN, AUTH_TOKEN];
            let data: BTreeMap<_, _> = names.iter().enumerate().filter(|(at, _)| which >> at & 1 == 1)
                .map(|(at, name)| ((*name).to_owned(), if at == 0 { key.clone() } else { secret.clone() }.into_bytes()))
                .collect();
            for cloud in [Cloud::Huawei, Cloud::Alibaba] {
                let text = format!("{:?}", Credential::from_secret(cloud, &data));
                prop_assert!(!text.contains("SEEN"), "{text}");
            }
        }
    }
}
