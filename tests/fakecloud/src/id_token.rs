//! Owns identity tokens (JSON Web Tokens of an `OpenID` Connect provider): making them for tests and
//! checking their claims. Must not be known here: what is given for them. Signatures are not verified:
//! the fake clouds have no provider's keys, and a wrong claim is what a client gets wrong. What breaks
//! first: the order of the checks, which decides what a token with two faults is refused for.

use crate::defaults;
use crate::trust::IdentityProvider;
use crate::verify::sha256_hex;
use jiff::Timestamp;
use serde_json::{Value, json};

/// A token may be so many seconds ahead of the cloud's clock.
const LEEWAY_S: i64 = 60;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// An identity token to be: a projected service account token as a cluster makes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdToken {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// `aud`.
    pub audiences: Vec<String>,
    /// `iat` and `nbf`.
    pub issued_at: Timestamp,
    /// Seconds to `exp`.
    pub life_s: i64,
}

impl IdToken {
    /// A token of the default issuer and subject, good for an hour.
    pub fn new(audience: &str, issued_at: Timestamp) -> Self {
        IdToken {
            issuer: defaults::ID_TOKEN_ISSUER.to_owned(),
            subject: defaults::ID_TOKEN_SUBJECT.to_owned(),
            audiences: vec![audience.to_owned()],
            issued_at,
            life_s: 3600,
        }
    }

    /// The token as it is sent; its signature is made up.
    pub fn text(&self) -> String {
        let issued = self.issued_at.as_second();
        let header = json!({"alg": "RS256", "kid": "fake", "typ": "JWT"});
        let claims = json!({
            "aud": self.audiences,
            "exp": issued + self.life_s,
            "iat": issued,
            "iss": self.issuer,
            "nbf": issued,
            "sub": self.subject,
        });
        let signed = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let signature = encode(sha256_hex(signed.as_bytes()).as_bytes());
        format!("{signed}.{signature}")
    }
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Malformed,
    Issuer,
    Audience,
    NotYetValid,
    Expired,
    Subject,
}

/// The claims that are reported on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) audiences: Vec<String>,
}

/// Checks a token for a provider at a time.
pub(crate) fn check(
    text: &str,
    provider: &IdentityProvider,
    now: Timestamp,
) -> Result<Claims, Fault> {
    let (claims, document) = read(text).ok_or(Fault::Malformed)?;
    let instant = |name: &str| document.get(name).and_then(Value::as_i64);
    let now = now.as_second();
    if claims.issuer != provider.issuer {
        return Err(Fault::Issuer);
    }
    if !claims
        .audiences
        .iter()
        .any(|audience| provider.audiences.contains(audience))
    {
        return Err(Fault::Audience);
    }
    if instant("exp").ok_or(Fault::Malformed)? <= now {
        return Err(Fault::Expired);
    }
    if ["iat", "nbf"]
        .iter()
        .filter_map(|name| instant(name))
        .any(|from| from > now + LEEWAY_S)
    {
        return Err(Fault::NotYetValid);
    }
    if !provider.subjects.is_empty() && !provider.subjects.contains(&claims.subject) {
        return Err(Fault::Subject);
    }
    Ok(claims)
}

fn read(text: &str) -> Option<(Claims, Value)> {
    let parts: Vec<&str> = text.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else {
        return None;
    };
    let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
    let algorithm = header.get("alg")?.as_str()?;
    if algorithm == "none" || decode(signature)?.is_empty() {
        return None;
    }
    let document: Value = serde_json::from_slice(&decode(payload)?).ok()?;
    let texts = |value: &Value| -> Option<Vec<String>> {
        match value {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(items) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect(),
            _ => None,
        }
    };
    let claims = Claims {
        issuer: document.get("iss")?.as_str()?.to_owned(),
        subject: document.get("sub")?.as_str()?.to_owned(),
        audiences: texts(document.get("aud")?)?,
    };
    Some((claims, document))
}

/// Base64 for URLs, without padding.
fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0_u32, |group, index| {
            (group << 8) | u32::from(chunk.get(index).copied().unwrap_or_default())
        });
        for index in 0..=chunk.len() {
            let digit = (group >> (18 - 6 * index)) & 63;
            text.push(char::from(ALPHABET[digit as usize]));
        }
    }
    text
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for chunk in text.as_bytes().chunks(4) {
        let mut group = 0_u32;
        for index in 0..4 {
            let digit = match chunk.get(index) {
                Some(byte) => ALPHABET.iter().position(|letter| letter == byte)?,
                None => 0,
            };
            group = (group << 6) | u32::try_from(digit).ok()?;
        }
        let whole = match chunk.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return None,
        };
        bytes.extend_from_slice(&group.to_be_bytes()[1..=whole]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Fault, IdToken, check, decode, encode};
    use crate::defaults;
    use crate::trust::Trust;
    use jiff::{SignedDuration, Timestamp};

    #[test]
    fn base64_is_that_of_the_standard() {
        for (bytes, text) in [
            (&b"f"[..], "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg"),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).as_deref(), Some(bytes));
        }
        assert_eq!(encode(&[0xfb, 0xff]), "-_8");
        assert_eq!(decode("Z"), None);
        assert_eq!(decode("Zg=="), None);
    }

    #[test]
    fn every_claim_is_checked() {
        let trust = Trust::default();
        let provider = &trust.huawei_providers[defaults::OIDC_PROVIDER];
        let now = Timestamp::now();
        let good = IdToken::new(defaults::HUAWEI_ID_TOKEN_AUDIENCE, now);
        let verdict = |edit: &dyn Fn(&mut IdToken)| {
            let mut token = good.clone();
            edit(&mut token);
            check(&token.text(), provider, now).map(|claims| claims.subject)
        };
        assert_eq!(verdict(&|_| ()), Ok(defaults::ID_TOKEN_SUBJECT.to_owned()));
        assert_eq!(verdict(&|token| token.issuer.push('/')), Err(Fault::Issuer));
        assert_eq!(
            verdict(&|token| token.audiences = vec!["a".into()]),
            Err(Fault::Audience)
        );
        assert_eq!(verdict(&|token| token.life_s = 0), Err(Fault::Expired));
        assert_eq!(
            verdict(&|token| token.issued_at += SignedDuration::from_secs(90)),
            Err(Fault::NotYetValid)
        );
        assert_eq!(
            verdict(&|token| token.subject.push('x')),
            Err(Fault::Subject)
        );
        for text in ["", "a.b", "a.b.c", "a.b.c.d"] {
            assert_eq!(check(text, provider, now), Err(Fault::Malformed));
        }
        let spaced = format!("{}\n", good.text());
        assert_eq!(check(&spaced, provider, now), Err(Fault::Malformed));
    }
}
