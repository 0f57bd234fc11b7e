//! The way in for fuzzing: the Secret of the webhook as anybody may have left it.
//!
//! Owns nothing. Must not be used by the product. The invariant that would break first: what is read
//! here is read as the webhook reads it.

use super::BadPair;
use super::bundle::Bundle;
use super::held::Held;
use super::pair::Pair;
use std::collections::BTreeMap;

/// The keys and texts of a Secret.
pub type Data = BTreeMap<String, Vec<u8>>;

/// What is kept of a Secret, as it would be written back, and how it prints.
pub fn held(data: &Data) -> (Data, String) {
    let held = Held::read(data);
    (held.data(), format!("{held:?}"))
}

/// What is kept of a bundle, as it would be written back, and how many authorities it has.
pub fn bundle(pem: &[u8]) -> (String, usize) {
    let bundle = Bundle::read(pem);
    (bundle.pem(), bundle.len())
}

/// The names of a pair, and how it prints.
///
/// # Errors
/// It is none.
pub fn pair(chain: &[u8], key: &[u8]) -> Result<(Vec<String>, String), BadPair> {
    let pair = Pair::read(chain, key)?;
    Ok((pair.names().to_vec(), format!("{pair:?}")))
}
