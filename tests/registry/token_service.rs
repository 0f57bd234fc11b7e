//! A token service for a registry (Docker Registry v2 token authentication), with keys of its own.
//!
//! Owns who may pull what. Must not know the product.

use super::front::{Front, Reply, Seen};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const SERVICE: &str = "test-registry";
pub(crate) const USER: &str = "reader";
pub(crate) const PASSWORD: &str = "right-password";

struct Keys(KeyPair);

impl Keys {
    /// The public half as a JSON Web Key Set.
    fn jwks(&self) -> String {
        let point = self.0.der_bytes();
        assert!(
            point.len() == 65 && point[0] == 4,
            "an uncompressed point of P-256"
        );
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "test",
            "x": part(&point[1..33]), "y": part(&point[33..]),
        }]})
        .to_string()
    }

    /// A token for one repository, or for nothing.
    fn token(&self, repository: Option<(&str, &[&str])>) -> String {
        let now = Timestamp::now().as_second();
        let access: Vec<_> = repository
            .into_iter()
            .map(|(name, actions)| json!({"type": "repository", "name": name, "actions": actions}))
            .collect();
        let header = json!({"typ": "JWT", "alg": "ES256", "kid": "test"});
        let claims = json!({
            "iss": SERVICE, "aud": SERVICE, "sub": "", "jti": "1",
            "iat": now, "nbf": now - 60, "exp": now + 600, "access": access,
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.0.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(fixed(&signature)))
    }
}

/// Two numbers of 32 bytes each out of the DER that signatures come in.
fn fixed(der: &[u8]) -> [u8; 64] {
    let mut whole = [0; 64];
    let mut rest = &der[2..];
    for half in 0..2 {
        let length = usize::from(rest[1]);
        let number = &rest[2..2 + length];
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        let end = (half + 1) * 32;
        whole[end - number.len()..end].copy_from_slice(number);
        rest = &rest[2 + length..];
    }
    whole
}

/// A registry that shows `public/…` to everybody and everything to whom it knows.
pub(crate) struct Guarded {
    pub(crate) registry: cluster::Registry,
    pub(crate) service: Front,
    keys: Arc<Keys>,
    /// What tokens say of their life, in seconds; 0: nothing.
    life: Arc<AtomicU64>,
}

impl Guarded {
    /// One that knows [`USER`] alone; `None` where no registry is built (it says so).
    pub(crate) async fn start() -> Option<Self> {
        Self::knowing(|username, password| (username, password) == (USER, PASSWORD)).await
    }

    /// One that shows everything to whom this knows.
    pub(crate) async fn knowing(
        knows: impl Fn(&str, &str) -> bool + Send + 'static,
    ) -> Option<Self> {
        if !cluster::require_registry() {
            return None;
        }
        let keys = Arc::new(Keys(KeyPair::generate().unwrap()));
        let service = Front::alone().await;
        let realm = format!("{}/token", service.origin());
        let auth = cluster::RegistryAuth::Tokens {
            realm: &realm,
            service: SERVICE,
            jwks: &keys.jwks(),
        };
        let registry = cluster::Registry::start(false, auth).unwrap();
        let life = Arc::new(AtomicU64::new(300));
        let (signer, lives) = (keys.clone(), life.clone());
        service.before(move |seen| {
            let life = lives.load(Ordering::Relaxed);
            Some(issue(seen, &knows, &signer, life))
        });
        Some(Self {
            registry,
            service,
            keys,
            life,
        })
    }

    pub(crate) fn life(&self, seconds: u64) {
        self.life.store(seconds, Ordering::Relaxed);
    }

    /// A token to pull from one repository.
    pub(crate) fn token(&self, repository: &str) -> String {
        self.keys.token(Some((repository, &["pull"])))
    }

    /// A depot that may push to one repository.
    pub(crate) fn depot(&self, repository: &str) -> super::Depot {
        let token = self
            .keys
            .token(Some((repository, &["pull", "push", "delete"])));
        super::depot(&self.registry).authorized(&format!("Bearer {token}"))
    }
}

fn issue(seen: &Seen, knows: &impl Fn(&str, &str) -> bool, keys: &Keys, life: u64) -> Reply {
    let query: Vec<_> = url::form_urlencoded::parse(seen.query.as_bytes()).collect();
    let get = |name: &str| {
        query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_ref())
    };
    assert_eq!(get("service"), Some(SERVICE));
    let is_user = match &seen.authorization {
        None => false,
        Some(shown) if login_in(shown).is_some_and(|(name, word)| knows(&name, &word)) => true,
        Some(_) => return Reply::error(401, "UNAUTHORIZED", "authentication required"),
    };
    let scope = get("scope").unwrap();
    let repository = scope
        .strip_prefix("repository:")
        .and_then(|rest| rest.strip_suffix(":pull"));
    let repository = repository.expect("pull of one repository is asked for");
    let granted =
        (is_user || repository.starts_with("public/")).then_some((repository, &["pull"][..]));
    let mut body = json!({"token": keys.token(granted)});
    if life > 0 {
        body["expires_in"] = life.into();
    }
    Reply::new(200, body.to_string())
}

/// User and password of a Basic authorization.
fn login_in(authorization: &str) -> Option<(String, String)> {
    let encoded = authorization.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}
