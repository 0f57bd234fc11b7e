//! What the Secret holds.
//!
//! Owns its keys, and what of a text counts. Must not know how a Secret is read or written. The
//! invariant that would break first: what is read is usable (key and certificate belong together,
//! and an authority of the bundle signed it), or it is not there.

use super::bundle::Bundle;
use super::pair::Pair;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The keys of the Secret.
pub(super) const KEYS: [&str; 5] = ["ca.crt", "tls.crt", "tls.key", "next.crt", "next.key"];

/// The keys of a Secret with their texts.
pub(super) type Data = BTreeMap<String, Vec<u8>>;

/// What the Secret holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Held {
    /// What every replica is to serve: all configurations trusted it when it became this.
    pub(super) current: Option<Arc<Pair>>,
    /// What becomes [`Held::current`] when all configurations trust it. Nobody serves it yet.
    pub(super) next: Option<Arc<Pair>>,
    /// Whom the configurations are to trust.
    pub(super) trusted: Bundle,
}

impl Held {
    /// Reads what can be used.
    pub(super) fn read(data: &Data) -> Self {
        let trusted = data.get(KEYS[0]).map(|pem| Bundle::read(pem));
        let trusted = trusted.unwrap_or_default();
        let pair = |certificate: &str, key: &str| {
            let pair = Pair::read(data.get(certificate)?, data.get(key)?).ok()?;
            pair.is_trusted_by(&trusted).then(|| Arc::new(pair))
        };
        Self {
            current: pair(KEYS[1], KEYS[2]),
            next: pair(KEYS[3], KEYS[4]),
            trusted,
        }
    }

    /// As the Secret holds it: [`KEYS`] and no others.
    pub(super) fn data(&self) -> Data {
        let mut data = Data::from([(KEYS[0].to_owned(), self.trusted.pem().into_bytes())]);
        let pairs = [
            (KEYS[1], KEYS[2], &self.current),
            (KEYS[3], KEYS[4], &self.next),
        ];
        for (certificate, key, pair) in pairs {
            if let Some(pair) = pair {
                data.insert(certificate.to_owned(), pair.chain().as_bytes().to_vec());
                data.insert(key.to_owned(), pair.key().as_bytes().to_vec());
            }
        }
        data
    }
}
