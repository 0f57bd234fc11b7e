//! Owns what both signature verifiers share: a request as it was on the wire, percent coding, hashes.
//! Must not be known here: the server, its state, and the product, whose signatures this code judges
//! by an implementation of its own.

pub mod acs3;
pub mod huawei;
#[cfg(test)]
mod vectors;

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use sha2::{Digest, Sha256};

/// Both clouds refuse a request whose date is further than this from their own clock.
pub const CLOCK_WINDOW_S: i64 = 15 * 60;

/// Everything outside `A–Z a–z 0–9 - _ . ~` is encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A request exactly as it was on the wire.
#[derive(Clone, Copy, Debug)]
pub struct WireRequest<'a> {
    /// Method as sent.
    pub method: &'a str,
    /// Path as sent, still percent-encoded.
    pub path: &'a str,
    /// Query as sent, still percent-encoded, without the question mark.
    pub query: &'a str,
    /// Headers in the order sent; names in any case, values untrimmed.
    pub headers: &'a [(String, String)],
    /// Body bytes.
    pub body: &'a [u8],
}

impl WireRequest<'_> {
    /// The first value of a header, trimmed.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_values(name).next()
    }

    /// All values of a header in the order sent, trimmed.
    pub fn header_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// The decoded query parameters in the order sent.
    pub fn parameters(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(key), decode(value))
            })
            .collect()
    }
}

/// What belongs to an access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// The secret key.
    pub secret: String,
    /// The token that must come with it, for temporary keys.
    pub security_token: Option<String>,
}

/// Percent-decodes once; a stray `%` stays as it is.
pub fn decode(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(text).collect()
}

/// Percent-encodes all but the unreserved characters, with upper-case digits.
pub fn encode(bytes: &[u8]) -> String {
    percent_encoding::percent_encode(bytes, RESERVED).to_string()
}

/// Lower-case hex of SHA-256.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// HMAC-SHA256.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    // A key longer than a block is hashed first and a shorter one padded: no length is refused.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// Reads a UTC instant in one strict layout, in which `0` stands for a digit and the rest for itself.
pub(crate) fn strict_instant(text: &str, layout: &str, format: &str) -> Option<jiff::Timestamp> {
    let fits = text.len() == layout.len()
        && text
            .bytes()
            .zip(layout.bytes())
            .all(|(byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                other => byte == other,
            });
    if !fits {
        return None;
    }
    let civil = jiff::civil::DateTime::strptime(format, text).ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

/// Whether an instant is within the window around now.
fn within_window(instant: jiff::Timestamp, now: jiff::Timestamp) -> bool {
    (now.as_second() - instant.as_second()).abs() <= CLOCK_WINDOW_S
}
