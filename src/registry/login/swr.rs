//! The temporary login of Huawei Cloud SWR, for temporary keys and tokens.
//!
//! Owns `CreateSecret`: what is asked and how the answer is read. Must not know caches. The invariant
//! that would break first: of the logins in an answer, only the one for the host that was asked for is
//! taken.
//!
//! Source: SWR API Reference, *Generating a Temporary Login Command*.

use super::docker_config::{of_auth, secret};
use super::{Brought, Granted, Issued};
use crate::cloud::Credential;
use crate::cloud::management::{Ask, Management, Reply};
use crate::facts::Failure;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use serde::Deserialize;
use std::collections::BTreeMap;

const SERVICE: &str = "swr";

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize)]
struct Auth {
    #[serde(default, deserialize_with = "secret")]
    auth: Option<SecretString>,
}

pub(super) async fn issue(
    management: &Management,
    origin: &str,
    credential: &Credential,
    region: &str,
    project_id: &str,
    host: &str,
) -> Result<Brought, Failure> {
    let ask = Ask {
        name: "SWR",
        right: "swr::createLoginSecret",
        fields: "region and projectId",
        origin,
        path: "/v2/manage/utils/secret",
        query: &[("projectname", region)],
        credential,
    };
    let began = management.now();
    let project = Some(project_id).filter(|id| !id.is_empty());
    let reply = management.huawei(&ask, SERVICE, region, project).await?;
    let issued = read(&reply, host)?;
    let life = reply.life(issued.expires_at, began);
    Ok(Brought {
        granted: Granted::Login(issued.into()),
        life,
    })
}

/// The login for a host in an answer.
pub(super) fn read(reply: &Reply, host: &str) -> Result<Issued, Failure> {
    let body: Body = reply.read()?;
    let own = body
        .auths
        .into_iter()
        .find(|(named, _)| bare(named).eq_ignore_ascii_case(host));
    let Some((_, own)) = own else {
        return Err(reply.invalid(&format!("holds no login for {host}")));
    };
    let login = own
        .auth
        .and_then(of_auth)
        .ok_or_else(|| reply.invalid(&format!("holds a login for {host} that cannot be read")))?;
    Ok(Issued::new(login, reply.expires().and_then(instant)))
}

/// The host of a key, which may come with a scheme or a slash.
fn bare(named: &str) -> &str {
    let named = named.strip_prefix("https://").unwrap_or(named);
    named.strip_suffix('/').unwrap_or(named)
}

/// `2025-11-01T12:18:44.382000Z`, as documented; without a zone UTC is meant. Seconds or milliseconds
/// since 1970 are read too. What cannot be read counts as not given: then a short life is assumed.
fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        // Milliseconds, if seconds would be beyond the year 5000.
        return if number > 100_000_000_000 {
            Timestamp::from_millisecond(number).ok()
        } else {
            Timestamp::from_second(number).ok()
        };
    }
    let zoned = text.parse::<Timestamp>().ok();
    zoned.or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_end_is_read_in_every_spelling() {
        for text in [
            "2025-11-01T12:18:44.382000Z",
            "2025-11-01T12:18:44.382Z",
            " 2025-11-01T20:18:44+08:00 ",
            "2025-11-01T12:18:44",
            "2025-11-01 12:18:44",
            "1761999524",
            "1761999524382",
        ] {
            assert_eq!(instant(text).unwrap().as_second(), 1_761_999_524, "{text}");
        }
        for text in ["", "soon", "2025-13-01T00:00:00Z", "9999999999999999999"] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_ends_reading(text in "\\PC{0,30}") {
            let _ = instant(&text);
        }
    }
}
