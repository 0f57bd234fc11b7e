//! Logins in a Secret of the type `kubernetes.io/dockerconfigjson`.
//!
//! Owns the form of such a Secret and which of its entries is for a repository. Pure. The invariant
//! that would break first: an error names the Secret and the host that was asked for, and nothing that
//! the Secret holds.
//!
//! Read as the kubelet reads it (Kubernetes, *Images*; `config.json` of the Docker command line): an
//! entry's `auth` counts over `username` and `password`. Unlike there, an entry that cannot be read
//! harms no other.

use super::key::Key;
use crate::registry::swr_login::Login;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretString};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;

/// The one key of such a Secret.
pub const DATA_KEY: &str = ".dockerconfigjson";
/// Bound on the value, in bytes: what a Secret may hold.
const LARGEST: usize = 1024 * 1024;
/// At most so many logins are given for one repository, the most exact first: each is one more failed
/// login where all are wrong.
const MOST_LOGINS: usize = 3;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What is wrong with an entry.
#[derive(Clone, Copy)]
enum Flaw {
    IdentityToken,
    Empty,
    Encoding,
    NoColon,
    Name,
    Form,
}

/// The logins of one Secret. Printing it shows none.
pub struct DockerConfig {
    secret: String,
    /// The most exact key first.
    entries: Vec<(Key, Result<Login, Flaw>)>,
}

impl fmt::Debug for DockerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DockerConfig({} entries)", self.entries.len())
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    auths: Option<BTreeMap<String, Maybe>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Maybe {
    Entry(Entry),
    Other(IgnoredAny),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    #[serde(deserialize_with = "secret")]
    auth: Option<SecretString>,
    username: Option<String>,
    #[serde(deserialize_with = "secret")]
    password: Option<SecretString>,
    #[serde(deserialize_with = "secret")]
    identitytoken: Option<SecretString>,
}

/// A text that is not shown; an empty one counts as absent.
pub(super) fn secret<'de, D: Deserializer<'de>>(
    reader: D,
) -> Result<Option<SecretString>, D::Error> {
    let text = Option::<String>::deserialize(reader)?;
    Ok(text.filter(|text| !text.is_empty()).map(SecretString::from))
}

impl DockerConfig {
    /// Reads the data of a Secret; `secret` is its name for people.
    ///
    /// # Errors
    /// One sentence that names the Secret and what it must hold.
    pub fn of_secret(secret: &str, data: &BTreeMap<String, Vec<u8>>) -> Result<Self, String> {
        match data.get(DATA_KEY) {
            Some(value) => Self::parse(secret, value),
            None => Err(format!(
                "the Secret {secret} lacks {DATA_KEY}; it must be of type kubernetes.io/dockerconfigjson"
            )),
        }
    }

    /// Reads the value of [`DATA_KEY`].
    ///
    /// # Errors
    /// As [`DockerConfig::of_secret`].
    pub fn parse(secret: &str, value: &[u8]) -> Result<Self, String> {
        let wrong = |what: &str| {
            format!(
                "the Secret {secret} cannot be used: its {DATA_KEY} {what}; make it anew with kubectl create secret docker-registry"
            )
        };
        if value.len() > LARGEST {
            return Err(wrong("is larger than 1 MiB"));
        }
        // The reader's own words would repeat what it stumbled on.
        let document: Document = serde_json::from_slice(value).map_err(|error| {
            if error.is_data() {
                wrong("is not of the form {\"auths\": {…}}")
            } else {
                let (line, column) = (error.line(), error.column());
                wrong(&format!("is not JSON (line {line}, column {column})"))
            }
        })?;
        let auths = document.auths.ok_or_else(|| wrong("has no auths"))?;
        let entry = |(key, entry): (String, Maybe)| (Key::new(&key), login(entry));
        let mut entries: Vec<_> = auths.into_iter().map(entry).collect();
        entries.sort_by(|(one, _), (other, _)| one.order(other));
        let secret = secret.to_owned();
        Ok(Self { secret, entries })
    }

    /// The logins for a repository, to be tried in this order; none if the Secret has none for it,
    /// which [`DockerConfig::lacks`] says in words. `host` has its port, `repository` no tag.
    ///
    /// # Errors
    /// One sentence: the entry for the host cannot be used.
    pub fn logins(&self, host: &str, repository: &str) -> Result<Vec<Login>, String> {
        let mut found: Vec<_> = self.for_keys(|key| key.matches(host, repository)).collect();
        if found.is_empty() {
            found = self.for_keys(|key| key.is_for_hub(host)).collect();
        }
        let usable = found.iter().filter_map(|entry| entry.as_ref().ok());
        let logins: Vec<_> = usable.take(MOST_LOGINS).cloned().collect();
        match found.first() {
            Some(Err(flaw)) if logins.is_empty() => {
                let secret = &self.secret;
                Err(format!(
                    "the Secret {secret} cannot be used for {host}: {}",
                    flaw.words()
                ))
            }
            _ => Ok(logins),
        }
    }

    fn for_keys(
        &self,
        is_for: impl Fn(&Key) -> bool,
    ) -> impl Iterator<Item = &Result<Login, Flaw>> {
        let entries = self.entries.iter();
        entries
            .filter(move |(key, _)| is_for(key))
            .map(|(_, login)| login)
    }

    /// That no entry is for a host, and what to do.
    pub fn lacks(&self, host: &str) -> String {
        let secret = &self.secret;
        format!("the Secret {secret} has no login for {host}: add one under auths")
    }
}

impl Flaw {
    const fn words(self) -> &'static str {
        match self {
            Self::IdentityToken => {
                "its entry holds an identitytoken, which is not supported: write user name and password"
            }
            Self::Empty => {
                "its entry lacks user name or password: write auth, or username and password"
            }
            Self::Encoding => {
                "the auth of its entry is not base64 of a text: write base64 of NAME:PASSWORD"
            }
            Self::NoColon => {
                "the auth of its entry has no colon once decoded: write base64 of NAME:PASSWORD"
            }
            Self::Name => "the user name of its entry has a colon or a control character",
            Self::Form => {
                "its entry is not an object of texts: write auth, or username and password"
            }
        }
    }
}

fn login(entry: Maybe) -> Result<Login, Flaw> {
    let Maybe::Entry(entry) = entry else {
        return Err(Flaw::Form);
    };
    let (username, password) = match entry.auth {
        Some(auth) => decode(&auth)?,
        None => (
            entry.username.unwrap_or_default(),
            entry.password.unwrap_or_default(),
        ),
    };
    if password.expose_secret().is_empty() || username.is_empty() {
        return Err(match entry.identitytoken {
            Some(_) => Flaw::IdentityToken,
            None => Flaw::Empty,
        });
    }
    if username.contains(|c: char| c == ':' || c.is_control()) {
        return Err(Flaw::Name);
    }
    Ok(Login { username, password })
}

/// Name and password of base64 with white space in it, as line-wrapping tools write it.
fn decode(auth: &SecretString) -> Result<(String, SecretString), Flaw> {
    let exposed = auth.expose_secret();
    let bare: SecretString = exposed.split_ascii_whitespace().collect::<String>().into();
    let bytes = LENIENT
        .decode(bare.expose_secret())
        .map_err(|_| Flaw::Encoding)?;
    let text: SecretString = String::from_utf8(bytes).map_err(|_| Flaw::Encoding)?.into();
    let (name, password) = text.expose_secret().split_once(':').ok_or(Flaw::NoColon)?;
    Ok((name.to_owned(), password.into()))
}

/// The login of an entry's `auth`, as registries' own services write it.
pub(super) fn of_auth(auth: SecretString) -> Option<Login> {
    let entry = Entry {
        auth: Some(auth),
        ..Entry::default()
    };
    login(Maybe::Entry(entry)).ok()
}

#[cfg(test)]
mod tests;
