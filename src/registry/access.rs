//! Who asks a registry, and what stands for that in caches.
//!
//! Owns the difference between logins. Must not know where they come from. The invariant that would
//! break first: **what one login was told is told to that login alone**.

use super::Login;
use crate::cloud::credential::SHORTEST_SECRET;
use crate::cloud::identity::{Proof, hashed};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// What caches are keyed by. Not to be printed: a weak password could be guessed from a hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Anonymous,
    Login([u8; 32]),
    Identity(Proof),
}

/// A login, or none, with what stands for it.
#[derive(Clone)]
pub struct Access {
    login: Option<Login>,
    key: Key,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.key {
            Key::Anonymous => "Access(anonymous)",
            Key::Login(_) => "Access(login)",
            Key::Identity(_) => "Access(login of an identity)",
        })
    }
}

impl Access {
    /// Without a login: shared by all who have none.
    pub const fn anonymous() -> Self {
        Self {
            login: None,
            key: Key::Anonymous,
        }
    }

    /// With a login that somebody wrote down; answers are shared by those who know all of it.
    pub fn with(login: Login) -> Self {
        let key = Key::Login(fingerprint(Some(&login)));
        Self {
            login: Some(login),
            key,
        }
    }

    /// With a temporary login that was issued for this proof. Answers are kept from one login to
    /// the next.
    pub fn issued(login: Login, proof: Proof) -> Self {
        Self {
            login: Some(login),
            key: Key::Identity(proof),
        }
    }

    pub(super) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// Changes with each login: one that was refused says nothing of the next.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        fingerprint(self.login.as_ref())
    }

    /// Takes the login out of a registry's words.
    pub(super) fn redact(&self, text: &mut String) {
        let Some(login) = &self.login else { return };
        let basic = login.basic_authorization();
        let encoded = basic.expose_secret().trim_start_matches("Basic ");
        for secret in [login.password.expose_secret(), encoded] {
            take_out(secret, text);
        }
    }

    /// The value of the `Authorization` header that shows the login itself.
    pub(super) fn basic(&self) -> Option<SecretString> {
        self.login.as_ref().map(Login::basic_authorization)
    }
}

/// Takes what an `Authorization` header showed out of a registry's words.
pub(super) fn redact_shown(authorization: &SecretString, text: &mut String) {
    let shown = authorization.expose_secret();
    let shown = shown.split_once(' ').map_or(shown, |(_, shown)| shown);
    take_out(shown, text);
    // As the name of a host it comes back in small letters.
    take_out(&shown.to_ascii_lowercase(), text);
}

fn take_out(secret: &str, text: &mut String) {
    if secret.len() >= SHORTEST_SECRET && text.contains(secret) {
        *text = text.replace(secret, "…");
    }
}

fn fingerprint(login: Option<&Login>) -> [u8; 32] {
    let parts = login.map(|login| [login.username.as_str(), login.password.expose_secret()]);
    hashed(parts.iter().flatten().map(|part| part.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn login(username: &str, password: &str) -> Login {
        Login {
            username: username.into(),
            password: password.into(),
        }
    }

    #[test]
    fn logins_that_differ_in_anything_share_nothing() {
        let logins = [
            ("u", "p"),
            ("u", "q"),
            ("v", "p"),
            ("up", ""),
            ("", "up"),
            ("", ""),
        ];
        let all = logins.map(|(username, password)| Access::with(login(username, password)));
        let keys: HashSet<_> = all.iter().map(Access::key).collect();
        assert!(keys.len() == logins.len() && !keys.contains(&Access::anonymous().key()));
        let prints: HashSet<_> = all.iter().map(Access::fingerprint).collect();
        assert!(prints.len() == logins.len());
        assert!(!prints.contains(&Access::anonymous().fingerprint()));
        assert!(keys.contains(&Access::with(login("u", "p")).key()));
    }

    #[test]
    fn neither_printing_nor_quoting_shows_a_login() {
        let access = Access::with(login("user", "secret-password"));
        assert!(!format!("{access:?}").contains("secret"));
        let basic = access.basic().unwrap();
        let mut said = format!("no secret-password and no {}", basic.expose_secret());
        access.redact(&mut said);
        assert_eq!(said, "no … and no Basic …");
    }
}
