//! Owns temporary keys: making them, when they end, and their spelling in answers. Must not be known
//! here: why a key is given, and to whom. What breaks first: the format of an expiry, which official
//! readers parse strictly.

use crate::options::{KeyEnvelope, KeyNames};
use crate::state::{AlibabaAccount, HuaweiAccount, State};
use crate::trust::Identity;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A security token is long, so that no client gets away with a small limit.
const TOKEN_LENGTH: usize = 1200;

/// A temporary key just made.
#[derive(Clone, Debug)]
pub(crate) struct TemporaryKey {
    pub(crate) access_key: String,
    pub(crate) secret: String,
    pub(crate) security_token: String,
    pub(crate) expires_at: Timestamp,
}

/// So many seconds later; the end of time at most.
pub(crate) fn later(from: Timestamp, seconds: i64) -> Timestamp {
    from.checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}

/// Hex digits that were not given before.
pub(crate) fn fresh(length: usize) -> String {
    let mut text = String::new();
    while text.len() < length {
        text.push_str(&Uuid::new_v4().simple().to_string());
    }
    text.truncate(length);
    text
}

fn made(state: &State, access_key: String, now: Timestamp, duration_s: i64) -> TemporaryKey {
    let life = state.options.temporary_ttl_s.unwrap_or(duration_s);
    // Answers have no more than milliseconds.
    let expires_at = Timestamp::from_millisecond(later(now, life).as_millisecond());
    TemporaryKey {
        access_key,
        secret: fresh(40),
        security_token: format!("fake{}", fresh(TOKEN_LENGTH)),
        expires_at: expires_at.unwrap_or(now),
    }
}

/// Gives a Huawei Cloud key that works in the identity's project.
pub(crate) fn issue_huawei(
    state: &mut State,
    now: Timestamp,
    identity: Identity,
    duration_s: i64,
) -> TemporaryKey {
    let access_key = format!("HST{}", fresh(17).to_uppercase());
    let key = made(state, access_key, now, duration_s);
    let account = HuaweiAccount {
        sk: key.secret.clone(),
        security_token: Some(key.security_token.clone()),
        project_id: identity.project_id.clone(),
    };
    state.huawei.insert(key.access_key.clone(), account);
    state
        .key_expiries
        .insert(key.access_key.clone(), key.expires_at);
    state
        .key_identities
        .insert(key.access_key.clone(), identity);
    key
}

/// Gives an Alibaba Cloud key.
pub(crate) fn issue_alibaba(
    state: &mut State,
    now: Timestamp,
    account: &str,
    duration_s: i64,
) -> TemporaryKey {
    let key = made(state, format!("STS.{}", fresh(24)), now, duration_s);
    let account = AlibabaAccount {
        secret: key.secret.clone(),
        security_token: Some(key.security_token.clone()),
        account: account.to_owned(),
    };
    state.alibaba.insert(key.access_key.clone(), account);
    state
        .key_expiries
        .insert(key.access_key.clone(), key.expires_at);
    key
}

/// Huawei Cloud's spelling of a key, unless an option wants another.
pub(crate) fn huawei_body(
    state: &State,
    key: &TemporaryKey,
    names: KeyNames,
    envelope: KeyEnvelope,
) -> Value {
    let options = &state.options;
    let names = match options.key_names {
        KeyNames::Vendor => names,
        other => other,
    };
    let envelope = match options.key_envelope {
        KeyEnvelope::Vendor => envelope,
        other => other,
    };
    let words = match names {
        KeyNames::Vendor | KeyNames::Short => ["access", "secret", "securitytoken", "expires_at"],
        KeyNames::Camel => [
            "accessKeyId",
            "secretAccessKey",
            "securityToken",
            "expiration",
        ],
        KeyNames::Snake => [
            "access_key_id",
            "secret_access_key",
            "security_token",
            "expiration",
        ],
    };
    let expiry = match names {
        KeyNames::Vendor | KeyNames::Short => six_decimals(key.expires_at),
        // STS has three decimals; its official reader wants at least one.
        _ => key
            .expires_at
            .strftime("%Y-%m-%dT%H:%M:%S.%3fZ")
            .to_string(),
    };
    let values = [
        key.access_key.clone(),
        key.secret.clone(),
        key.security_token.clone(),
        expiry,
    ];
    let members: Map<String, Value> = words
        .into_iter()
        .zip(values)
        .map(|(word, value)| (word.to_owned(), Value::from(value)))
        .collect();
    match envelope {
        KeyEnvelope::Vendor | KeyEnvelope::Credential => json!({ "credential": members }),
        KeyEnvelope::Credentials => json!({ "credentials": members }),
        KeyEnvelope::None => Value::Object(members),
    }
}

/// Alibaba Cloud's spelling of a key.
pub(crate) fn alibaba_body(key: &TemporaryKey) -> Value {
    json!({
        "AccessKeyId": key.access_key,
        "AccessKeySecret": key.secret,
        "Expiration": key.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "SecurityToken": key.security_token,
    })
}

/// UTC with six decimals.
pub(crate) fn six_decimals(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// The key an instance was given last, or a new one when that has a quarter of an hour left: both
/// clouds' metadata services give the same key for hours.
pub(crate) fn for_instance(
    state: &mut State,
    cloud: &'static str,
    now: Timestamp,
    issue: impl FnOnce(&mut State) -> TemporaryKey,
) -> TemporaryKey {
    let worth = later(now, 15 * 60);
    if let Some(key) = state.instance_keys.get(cloud) {
        let known = state.huawei.contains_key(&key.access_key)
            || state.alibaba.contains_key(&key.access_key);
        let lasts = state
            .key_expiries
            .get(&key.access_key)
            .is_some_and(|expiry| *expiry > worth);
        if known && lasts {
            return key.clone();
        }
    }
    let key = issue(state);
    state.instance_keys.insert(cloud, key.clone());
    key
}
