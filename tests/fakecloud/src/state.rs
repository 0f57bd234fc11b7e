//! Owns everything the fake cloud remembers, behind one lock: accounts, images, options, faults,
//! calls, nonces, lock-outs. Must not be known here: HTTP.

use crate::calls::{Calls, Log};
use crate::defaults;
use crate::faults::Faults;
use crate::images::Images;
use crate::options::Options;
use crate::registry_logins::RegistryLogin;
use crate::temporary::TemporaryKey;
use crate::trust::{Identity, Trust};
use crate::verify::{CLOCK_WINDOW_S, Secret};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// A locked access key stays so for this long.
const LOCK_S: i64 = 5 * 60;

/// A Huawei Cloud access key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HuaweiAccount {
    /// Secret key.
    pub sk: String,
    /// Token that must come with it, for temporary keys.
    #[serde(default)]
    pub security_token: Option<String>,
    /// The project it works in.
    pub project_id: String,
}

/// An Alibaba Cloud access key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlibabaAccount {
    /// Secret.
    pub secret: String,
    /// Token that must come with it, for temporary keys.
    #[serde(default)]
    pub security_token: Option<String>,
    /// Account id.
    #[serde(default)]
    pub account: String,
}

/// A Huawei Cloud token.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// None for a token that is not of a project.
    pub(crate) project_id: Option<String>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) identity: Identity,
}

/// Failures in a row of an access key.
#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    in_a_row: u32,
    locked_until: Option<Timestamp>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) huawei: HashMap<String, HuaweiAccount>,
    pub(crate) alibaba: HashMap<String, AlibabaAccount>,
    pub(crate) tokens: HashMap<String, Token>,
    /// Huawei Cloud projects: id and name.
    pub(crate) projects: BTreeMap<String, String>,
    pub(crate) trust: Trust,
    /// When temporary access keys of either cloud end.
    pub(crate) key_expiries: HashMap<String, Timestamp>,
    /// Who holds a temporary Huawei Cloud key.
    pub(crate) key_identities: HashMap<String, Identity>,
    /// The keys the metadata services gave last, by cloud.
    pub(crate) instance_keys: HashMap<&'static str, TemporaryKey>,
    /// Tokens of the metadata services and when they end.
    pub(crate) metadata_tokens: HashMap<String, Timestamp>,
    /// Logins that were given for registries, oldest first.
    pub(crate) registry_logins: Vec<RegistryLogin>,
    pub(crate) images: Images,
    pub(crate) options: Options,
    pub(crate) faults: Faults,
    pub(crate) calls: Calls,
    pub(crate) log: Log,
    nonces: HashMap<(String, String), Timestamp>,
    failures: HashMap<String, Failures>,
}

impl Default for State {
    fn default() -> Self {
        let huawei = HuaweiAccount {
            sk: defaults::HUAWEI_SK.to_owned(),
            security_token: None,
            project_id: defaults::PROJECT_ID.to_owned(),
        };
        let alibaba = AlibabaAccount {
            secret: defaults::ALIBABA_SECRET.to_owned(),
            security_token: None,
            account: defaults::ALIBABA_ACCOUNT.to_owned(),
        };
        let token = Token {
            project_id: Some(defaults::PROJECT_ID.to_owned()),
            expires_at: None,
            identity: Identity::default(),
        };
        State {
            huawei: HashMap::from([(defaults::HUAWEI_AK.to_owned(), huawei)]),
            alibaba: HashMap::from([(defaults::ALIBABA_AK.to_owned(), alibaba)]),
            tokens: HashMap::from([(defaults::AUTH_TOKEN.to_owned(), token)]),
            projects: BTreeMap::from([(
                defaults::PROJECT_ID.to_owned(),
                defaults::REGION.to_owned(),
            )]),
            trust: Trust::default(),
            key_expiries: HashMap::new(),
            key_identities: HashMap::new(),
            instance_keys: HashMap::new(),
            metadata_tokens: HashMap::new(),
            registry_logins: Vec::new(),
            images: Images::seeded(),
            options: Options::default(),
            faults: Faults::default(),
            calls: Calls::default(),
            log: Log::default(),
            nonces: HashMap::new(),
            failures: HashMap::new(),
        }
    }
}

impl State {
    /// The clouds' notion of now.
    pub(crate) fn now(&self) -> Timestamp {
        let offset = SignedDuration::from_secs(self.options.clock_offset_s);
        Timestamp::now()
            .checked_add(offset)
            .unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn huawei_secret(&self, key: &str) -> Option<Secret> {
        let account = self.huawei.get(key)?;
        Some(Secret {
            secret: account.sk.clone(),
            security_token: account.security_token.clone(),
        })
    }

    pub(crate) fn alibaba_secret(&self, key: &str) -> Option<Secret> {
        let account = self.alibaba.get(key)?;
        Some(Secret {
            secret: account.secret.clone(),
            security_token: account.security_token.clone(),
        })
    }

    /// Whether a temporary key has ended.
    pub(crate) fn key_expired(&self, key: &str, now: Timestamp) -> bool {
        self.key_expiries
            .get(key)
            .is_some_and(|expiry| *expiry <= now)
    }

    /// Who holds a Huawei Cloud key: a permanent one belongs to the default user.
    pub(crate) fn key_identity(&self, key: &str) -> Identity {
        self.key_identities.get(key).cloned().unwrap_or_default()
    }

    /// Adds a token that does not expire, of the default user.
    pub(crate) fn add_token(&mut self, token: &str, project_id: Option<String>) {
        let token_of_user = Token {
            project_id,
            expires_at: None,
            identity: Identity::default(),
        };
        self.tokens.insert(token.to_owned(), token_of_user);
    }

    /// Remembers a nonce; false if the key has used it before.
    pub(crate) fn first_use_of_nonce(&mut self, key: &str, nonce: &str, now: Timestamp) -> bool {
        // A request so old that its nonce is forgotten here is refused for its date.
        self.nonces
            .retain(|_, seen| now.as_second() - seen.as_second() <= 2 * CLOCK_WINDOW_S);
        self.nonces
            .insert((key.to_owned(), nonce.to_owned()), now)
            .is_none()
    }

    pub(crate) fn is_locked(&self, key: &str, now: Timestamp) -> bool {
        self.failures
            .get(key)
            .and_then(|failures| failures.locked_until)
            .is_some_and(|until| now < until)
    }

    pub(crate) fn key_failed(&mut self, key: &str, now: Timestamp) {
        let limit = self.options.lock_after_failures;
        let failures = self.failures.entry(key.to_owned()).or_default();
        failures.in_a_row += 1;
        if limit.is_some_and(|limit| failures.in_a_row > limit) {
            let until = now.checked_add(SignedDuration::from_secs(LOCK_S));
            *failures = Failures {
                in_a_row: 0,
                locked_until: until.ok(),
            };
        }
    }

    pub(crate) fn key_succeeded(&mut self, key: &str) {
        self.failures.remove(key);
    }
}
