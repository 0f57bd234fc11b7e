//! Owns the logins of the vendors' registries: those that were given, when they end, and the long-term
//! ones that follow from a key. Must not be known here: how a registry uses them. What breaks first: a
//! login that is good at another host than it was given for.

use crate::FakeCloud;
use crate::answer::Answer;
use crate::server::lock;
use crate::state::State;
use crate::temporary::{fresh, later};
use crate::verify::hmac_sha256;
use jiff::Timestamp;

/// A login that was given for a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryLogin {
    /// The registry's host; for Container Registry the instance's id.
    pub place: String,
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
    /// When it ends, by the clouds' clock.
    pub expires_at: Timestamp,
}

/// Gives a new login.
pub(crate) fn issue(
    state: &mut State,
    now: Timestamp,
    place: &str,
    username: String,
) -> RegistryLogin {
    let life = state.options.registry_login_ttl_s;
    // Answers have no more than milliseconds.
    let expires_at = Timestamp::from_millisecond(later(now, life).as_millisecond());
    let login = RegistryLogin {
        place: place.to_owned(),
        username,
        password: format!("fake{}", fresh(60)),
        expires_at: expires_at.unwrap_or(now),
    };
    state.registry_logins.push(login.clone());
    login
}

/// The clouds' own time, by which a login ends.
pub(crate) fn dated(answer: Answer, now: Timestamp) -> Answer {
    answer.with(
        "date",
        now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
    )
}

impl State {
    /// The user of SWR's long-term login is `REGION@KEY`, the password a hash of the key by its secret.
    fn is_long_term(&self, username: &str, password: &str) -> bool {
        let account = username
            .split_once('@')
            .and_then(|(_, key)| Some((key, self.huawei.get(key)?)));
        account.is_some_and(|(key, account)| {
            account.security_token.is_none()
                && hex::encode(hmac_sha256(account.sk.as_bytes(), key.as_bytes())) == password
        })
    }
}

impl FakeCloud {
    /// All logins that were given, oldest first.
    pub fn registry_logins(&self) -> Vec<RegistryLogin> {
        lock(&self.state).registry_logins.clone()
    }

    /// Whether a login is good at a registry now: one that was given for it, or SWR's long-term login.
    pub fn accepts_registry_login(&self, host: &str, username: &str, password: &str) -> bool {
        let state = lock(&self.state);
        let now = state.now();
        let instance = state.options.acr_domains.iter().any(|own| own == host);
        let place = if instance {
            &state.options.acr_instance
        } else {
            host
        };
        let given = state.registry_logins.iter().any(|login| {
            login.place == place
                && login.username == username
                && login.password == password
                && login.expires_at > now
        });
        given || (host == state.options.swr_host && state.is_long_term(username, password))
    }
}
