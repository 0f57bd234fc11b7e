//! Temporary keys as the clouds' services write them.
//!
//! Owns the names under which keys come. Must not know who gave them. The invariant that would
//! break first: nothing of an answer is shown, whether it can be read or not.
//!
//! Sources: the accessors of the Python packages `huaweicloudsdkcore` and `alibabacloud_credentials`,
//! which take any of these spellings.

use super::Issued;
use crate::cloud::Credential;
pub(super) use crate::cloud::credential::Cloud;
use crate::cloud::transport::{self, Answer};
use crate::facts::{Failure, FailureKind};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

#[derive(Deserialize)]
struct Envelope {
    #[serde(
        default,
        alias = "credentials",
        alias = "Credentials",
        alias = "Credential"
    )]
    credential: Option<Keys>,
}

#[derive(Deserialize)]
struct Keys {
    #[serde(
        default,
        alias = "accessKeyId",
        alias = "access_key_id",
        alias = "AccessKeyId"
    )]
    access: Option<String>,
    #[serde(
        default,
        alias = "secretAccessKey",
        alias = "secret_access_key",
        alias = "AccessKeySecret",
        deserialize_with = "secret"
    )]
    secret: Option<SecretString>,
    #[serde(
        default,
        alias = "securityToken",
        alias = "security_token",
        alias = "SecurityToken",
        deserialize_with = "secret"
    )]
    securitytoken: Option<SecretString>,
    #[serde(default, alias = "expiration", alias = "Expiration")]
    expires_at: Option<Value>,
    #[serde(default, rename = "Code")]
    code: Option<Value>,
}

fn secret<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(reader)?.map(SecretString::from))
}

/// The keys in an answer, with or without something around them.
pub(super) fn read(
    cloud: Cloud,
    origin: &str,
    answer: &Answer,
    now: Timestamp,
) -> Result<Issued, Failure> {
    let host = transport::host(origin);
    let failure = |kind, message: String| Failure {
        request_id: answer.request_id.clone(),
        ..Failure::new(kind, message)
    };
    let around: Envelope = crate::cloud::read(origin, answer)?;
    let keys: Keys = match around.credential {
        Some(keys) => keys,
        None => crate::cloud::read(origin, answer)?,
    };
    if keys.code.is_some_and(|code| code != "Success") {
        let message = format!("{host} has no keys to give");
        return Err(failure(FailureKind::ProviderError, message));
    }
    let missing = || {
        let message = format!("the answer of {host} holds no keys");
        failure(FailureKind::ResponseInvalid, message)
    };
    let access_key = keys.access.filter(|key| {
        // It goes into the Authorization header between commas and slashes.
        let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b',' | b'/');
        (1..=256).contains(&key.len()) && key.bytes().all(plain)
    });
    let (access_key, secret_key) = access_key.zip(keys.secret).ok_or_else(missing)?;
    let security_token = keys.securitytoken;
    let credential = match cloud {
        Cloud::Huawei => Credential::HuaweiKeys {
            access_key,
            secret_key,
            security_token,
        },
        Cloud::Alibaba => Credential::AlibabaKeys {
            access_key,
            secret_key,
            security_token,
        },
    };
    Ok(Issued {
        credential,
        issued_at: answer.date.unwrap_or(now),
        expires_at: keys.expires_at.as_ref().and_then(instant),
    })
}

/// An instant as text, with or without decimals, or as seconds. One that cannot be read counts as not
/// given: then a short life is assumed, which costs a call and no outage.
pub(super) fn instant(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => {
            let number = number.as_i64()?;
            // Milliseconds, if seconds would be beyond the year 5000.
            let seconds = if number > 100_000_000_000 {
                number / 1000
            } else {
                number
            };
            Timestamp::from_second(seconds).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use serde_json::json;

    fn answer(body: &Value) -> Answer {
        Answer {
            status: 200,
            request_id: None,
            retry_after: None,
            subject_token: None,
            expires: None,
            date: None,
            body: body.to_string().into_bytes(),
        }
    }

    fn parse(cloud: Cloud, body: &Value) -> Result<Issued, Failure> {
        read(
            cloud,
            "https://h.example",
            &answer(body),
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn every_spelling_around_and_inside_is_read() {
        let names = [
            ["access", "secret", "securitytoken", "expires_at"],
            [
                "accessKeyId",
                "secretAccessKey",
                "securityToken",
                "expiration",
            ],
            [
                "access_key_id",
                "secret_access_key",
                "security_token",
                "expiration",
            ],
            [
                "AccessKeyId",
                "AccessKeySecret",
                "SecurityToken",
                "Expiration",
            ],
        ];
        for [access, secret, token, expiry] in names {
            for text in [
                "1970-01-01T01:00:00Z",
                "1970-01-01T01:00:00.000000Z",
                "1970-01-01T09:00:00+08:00",
            ] {
                let keys =
                    json!({access: "AK", secret: "SK", token: "T", expiry: text, "more": [1]});
                for body in [
                    keys.clone(),
                    json!({"credential": keys, "more": {}}),
                    json!({"credentials": keys}),
                    json!({"Credentials": keys, "RequestId": "x"}),
                ] {
                    let issued = parse(Cloud::Huawei, &body).unwrap();
                    assert_eq!(issued.expires_at.unwrap().as_second(), 3600);
                    let Credential::HuaweiKeys {
                        access_key,
                        secret_key,
                        security_token,
                    } = issued.credential
                    else {
                        panic!()
                    };
                    assert_eq!(
                        (access_key.as_str(), secret_key.expose_secret()),
                        ("AK", "SK")
                    );
                    assert_eq!(security_token.unwrap().expose_secret(), "T");
                }
            }
        }
        let code = json!({"Code": "Success", "AccessKeyId": "a", "AccessKeySecret": "b", "Expiration": 3600});
        let issued = parse(Cloud::Alibaba, &code).unwrap();
        assert!(matches!(
            issued.credential,
            Credential::AlibabaKeys {
                security_token: None,
                ..
            }
        ));
        assert_eq!(issued.expires_at.unwrap().as_second(), 3600);
    }

    #[test]
    fn what_holds_no_keys_is_a_failure_that_shows_nothing() {
        for body in [
            json!({}),
            json!({"credential": null}),
            json!({"credential": {"access": "SEEN"}}),
            json!({"credential": {"access": "SEEN,", "secret": "SEEN"}}),
            json!({"credential": "SEEN"}),
            json!({"credential": {"access": 7, "secret": "SEEN"}}),
            json!("SEEN"),
            json!({"Code": "SEEN", "AccessKeyId": "SEEN", "AccessKeySecret": "SEEN"}),
        ] {
            let text = format!("{:?}", parse(Cloud::Alibaba, &body).unwrap_err());
            assert!(!text.contains("SEEN"), "{text}");
        }
        let odd = json!({"access": "a", "secret": "b", "expires_at": "soon"});
        assert_eq!(parse(Cloud::Huawei, &odd).unwrap().expires_at, None);
    }
}
