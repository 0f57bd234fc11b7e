//! Which origins a signed request may go to.
//!
//! Owns the operator's allow list and the check of a provider's `endpoint`. Must not know how an
//! origin follows from a region: each platform says that. The invariant that would break first: an
//! origin from a provider is compared as text with ones from us or the operator, never interpreted.

use super::guard::{Rule, check_literal};
use super::transport::is_loopback;
use url::{Host, Url};

/// Origins that the operator allows next to the vendors' own, for private endpoints and mirrors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedEndpoints {
    origins: Vec<String>,
    insecure_loopback: bool,
}

impl AllowedEndpoints {
    /// From the operator's flags, each an origin such as `https://modelarts.internal.example:8443`.
    /// With `insecure_loopback`, which is for tests, they may be on this machine, and use plain HTTP
    /// there.
    ///
    /// # Errors
    /// One sentence about the first that is no origin, or an address that nothing may be sent to.
    pub fn new<S: AsRef<str>>(origins: &[S], insecure_loopback: bool) -> Result<Self, String> {
        let checked = origins.iter().map(|origin| {
            let origin = origin.as_ref();
            check_origin("--allow-endpoint", origin, insecure_loopback).map(|()| origin.to_owned())
        });
        Ok(Self {
            origins: checked.collect::<Result<_, _>>()?,
            insecure_loopback,
        })
    }

    /// With further origins of the operator's, which were checked where they were given.
    pub(super) fn and(mut self, origins: impl IntoIterator<Item = String>) -> Self {
        self.origins.extend(origins);
        self
    }

    /// Whether any origin may be on this machine.
    pub(super) fn allows_loopback(&self) -> bool {
        self.insecure_loopback && !self.origins.is_empty()
    }

    /// Whether this origin may be on this machine: a vendor's own may not, unless it is listed.
    pub(super) fn is_loopback_for_tests(&self, origin: &str) -> bool {
        self.insecure_loopback && self.origins.iter().any(|allowed| allowed == origin)
    }

    /// The origin to use: `given`, if the vendor's own or an allowed one, else the vendor's first.
    pub(super) fn choose(
        &self,
        given: Option<&str>,
        own: &[String],
        region: &str,
    ) -> Result<String, String> {
        match (given, own.first()) {
            (None, Some(own)) => Ok(own.clone()),
            (None, None) => Err(format!(
                "region {region} has no endpoint that is known; set endpoint, and have the operator allow it with --allow-endpoint"
            )),
            (Some(given), _) if self.origins.iter().chain(own).any(|origin| origin == given) => {
                Ok(given.to_owned())
            }
            (Some(_), Some(own)) => Err(format!(
                "endpoint must be {own} or one that the operator allows with --allow-endpoint"
            )),
            (Some(_), None) => {
                Err("endpoint must be one that the operator allows with --allow-endpoint".into())
            }
        }
    }
}

/// An origin in the one spelling that a URL parser keeps; `flag` is who gave it.
pub(crate) fn check_origin(
    flag: &str,
    origin: &str,
    insecure_loopback: bool,
) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{flag} {origin:?}: {what}"));
    let Ok(url) = origin.parse::<Url>() else {
        return wrong("not a URL");
    };
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" => {}
        "http" if insecure_loopback && is_loopback(host) => {}
        "http" => return wrong("must begin with https://"),
        _ => return wrong("not an origin such as https://modelarts.internal.example"),
    }
    let rule = if insecure_loopback {
        Rule::NetworkOrLoopback
    } else {
        Rule::Network
    };
    if let Some(Host::Ipv4(ip)) = url.host()
        && let Err(refused) = check_literal(ip.into(), rule)
    {
        return wrong(&refused.to_string());
    }
    let labels = host.split('.').all(|label| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    });
    if labels && url.origin().ascii_serialization() == origin {
        Ok(())
    } else {
        wrong(
            "must be scheme, lower-case host and, if not the scheme's own, port; nothing before or after",
        )
    }
}

/// Whether text is a region's id, and so safe inside a host name: `cn-north-4`.
pub(crate) fn check_region(region: &str) -> Result<(), String> {
    let mut parts = region.split('-');
    let country = parts
        .next()
        .is_some_and(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_lowercase()));
    let rest: Vec<_> = parts.collect();
    let plain = |part: &&str| {
        (1..=20).contains(&part.len())
            && part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9'))
    };
    if country && (1..=3).contains(&rest.len()) && rest.iter().all(plain) {
        Ok(())
    } else {
        Err("region must be a region's id such as cn-north-4".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Origins that look like `https://own.example` or like an origin at all, and are not.
    pub(crate) const HOSTILE: [&str; 24] = [
        "https://own.example.evil.example",
        "https://own.example@evil.example",
        "https://evil.example#own.example",
        "https://evil.example?own.example",
        "https://evil.example/own.example",
        "https://user:pass@own.example",
        "https://OWN.example",
        "https://own.example.",
        "https://own.example:443",
        "https://own.example:8443",
        "https://own.example/",
        "https://own.example/path",
        "https://own.example/..",
        "https://own..example",
        "https://own.example\\@evil.example",
        "https://own.example%2eevil.example",
        "https://own\u{3002}example",
        "https://оwn.example",
        " https://own.example",
        "https://own.example\n",
        "http://own.example",
        "https:own.example",
        "own.example",
        "",
    ];

    #[test]
    fn nothing_but_the_exact_origin_is_accepted() {
        let own = ["https://own.example".to_owned()];
        let none = AllowedEndpoints::default();
        assert_eq!(none.choose(Some(&own[0]), &own, "r").unwrap(), own[0]);
        assert_eq!(none.choose(None, &own, "r").unwrap(), own[0]);
        for origin in HOSTILE {
            assert!(none.choose(Some(origin), &own, "r").is_err(), "{origin}");
        }
        assert!(
            none.choose(None, &[], "r")
                .unwrap_err()
                .contains("--allow-endpoint")
        );
        let allowed = AllowedEndpoints::new(&["https://mirror.example:8443"], false).unwrap();
        for origin in ["https://mirror.example:8443", "https://own.example"] {
            assert_eq!(allowed.choose(Some(origin), &own, "r").unwrap(), origin);
        }
        for origin in [
            "https://mirror.example",
            "https://mirror.example:8444",
            "http://mirror.example:8443",
        ] {
            assert!(allowed.choose(Some(origin), &own, "r").is_err(), "{origin}");
        }
    }

    #[test]
    fn an_allowed_endpoint_is_written_in_one_way() {
        let fine = |origin: &str, loopback| AllowedEndpoints::new(&[origin], loopback).is_ok();
        for origin in [
            "https://own.example",
            "https://own.example:8443",
            "https://10.0.0.1",
            "https://a-b.c9",
        ] {
            assert!(fine(origin, false) && fine(origin, true), "{origin}");
        }
        for origin in [
            "http://127.0.0.1:8080",
            "http://localhost:8080",
            "http://127.8.0.1",
        ] {
            assert!(fine(origin, true) && !fine(origin, false), "{origin}");
        }
        let lookalikes = [
            "http://127.0.0.1.evil.example",
            "http://10.0.0.1",
            "http://127.1",
            "http://2130706433",
            "http://[::1]",
        ];
        let real = [
            "https://own.example.evil.example",
            "https://own.example:8443",
        ];
        for origin in HOSTILE
            .iter()
            .filter(|origin| !real.contains(origin))
            .chain(&lookalikes)
        {
            assert!(!fine(origin, true), "{origin}");
        }
    }

    proptest! {
        #[test]
        fn a_region_that_passes_is_safe_in_a_host(region in "[a-zA-Z0-9./@:-]{0,24}|[a-z]{2}(-[a-z0-9]{1,21}){0,4}") {
            let pattern = regex::Regex::new("^[a-z]{2}(-[a-z0-9]{1,20}){1,3}$").unwrap();
            prop_assert_eq!(check_region(&region).is_ok(), pattern.is_match(&region));
        }
    }
}
