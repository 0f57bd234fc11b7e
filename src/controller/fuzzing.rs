//! The way in for fuzzing: tokens that no API server made.
//!
//! Owns nothing. Must not be used by the product. The invariant that would break first: what is read
//! here is read as the controller reads it.

use super::tokens;
use secrecy::SecretString;

/// Whether a token says that it is of this ServiceAccount and for this audience alone.
pub fn is_of(token: &SecretString, uid: &str, audience: &str) -> bool {
    tokens::is_of(token, uid, audience)
}
