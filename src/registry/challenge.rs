//! What a registry wants to see before it answers: the `WWW-Authenticate` header.
//!
//! Owns its grammar (RFC 9110, "HTTP Authentication"; Docker Registry v2 token authentication).
//! Pure. Must not know whether a realm may be followed. The invariant that would break first:
//! reading ends, whatever the header holds.
//!
//! A challenge's `scope` is read past: what is asked for is always `pull` of the repository of the
//! question. SWR's may end in a colon without an action, and a registry that named another
//! repository would get a token for that.

/// Bound on what is read of all the headers, in bytes.
const LONGEST: usize = 8 * 1024;
/// Bound on the challenges of one answer.
const MOST: usize = 8;

/// How to prove oneself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// With a token of this service.
    Bearer {
        /// The token service, as it came.
        realm: String,
        /// How the registry is called there.
        service: Option<String>,
    },
    /// With the login itself.
    Basic,
}

impl Challenge {
    /// The way to take: a token where one is offered. `None` if no way is known.
    pub(super) fn choose<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut left = LONGEST;
        let mut schemes = Vec::new();
        for header in headers {
            let header = header.get(..header.len().min(left)).unwrap_or_default();
            left -= header.len();
            read(header, &mut schemes);
        }
        let bearer = schemes.iter().find_map(Scheme::bearer);
        bearer.or_else(|| {
            let is_basic = |scheme: &Scheme| scheme.name.eq_ignore_ascii_case("basic");
            schemes.iter().any(is_basic).then_some(Self::Basic)
        })
    }
}

struct Scheme {
    name: String,
    parameters: Vec<(String, String)>,
}

impl Scheme {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self
            .parameters
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn bearer(&self) -> Option<Challenge> {
        if !self.name.eq_ignore_ascii_case("bearer") {
            return None;
        }
        Some(Challenge::Bearer {
            realm: self.get("realm")?.to_owned(),
            service: self.get("service").map(Into::into),
        })
    }
}

/// Adds the schemes of one header. A word is a scheme's name, one with `=` behind it a parameter of
/// the last scheme.
fn read(header: &str, schemes: &mut Vec<Scheme>) {
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
        let end = rest
            .find(|c: char| c == '=' || c == ',' || c.is_whitespace())
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let parameter = after.trim_start().strip_prefix('=');
        match parameter {
            Some(value) => {
                let (value, after) = read_value(value.trim_start());
                if let Some(scheme) = schemes.last_mut() {
                    scheme.parameters.push((word.to_owned(), value));
                }
                rest = after;
            }
            None if word.is_empty() => return,
            None if schemes.len() >= MOST => return,
            None => {
                schemes.push(Scheme {
                    name: word.to_owned(),
                    parameters: Vec::new(),
                });
                rest = after;
            }
        }
    }
}

/// A value, in quotes or not, and what comes behind it. A quote that is never closed ends with the
/// header.
fn read_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text
            .find(|c: char| c == ',' || c.is_whitespace())
            .unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        return (value.to_owned(), after);
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => value.extend(chars.next()),
            c => value.push(c),
        }
    }
    (value, chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bearer(realm: &str, service: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.into(),
            service: service.map(Into::into),
        }
    }

    #[test]
    fn the_ways_registries_ask() {
        let realm = "https://h.example/auth";
        for (headers, chosen) in [
            // SWR, ACR, the distribution registry.
            (
                vec![
                    r#"Bearer realm="https://h.example/auth",service="dockyard",scope="repository:a/b:""#,
                ],
                Some(bearer(realm, Some("dockyard"))),
            ),
            (
                vec![
                    r#"Bearer realm="https://h.example/auth",service="registry.aliyuncs.com:cn-hangzhou:26842",scope="repository:a/b:pull,push""#,
                ],
                Some(bearer(
                    realm,
                    Some("registry.aliyuncs.com:cn-hangzhou:26842"),
                )),
            ),
            (
                vec![
                    r#"Bearer realm="https://h.example/auth",service="r",scope="repository:a:pull",error="invalid_token""#,
                ],
                Some(bearer(realm, Some("r"))),
            ),
            (
                vec![r#"Basic realm="Registry Realm""#],
                Some(Challenge::Basic),
            ),
            // Order, case, space, several headers, several challenges in one, commas and quotes in quotes.
            (
                vec![r#"bearer SERVICE = "r" , Realm="https://h.example/auth""#],
                Some(bearer(realm, Some("r"))),
            ),
            (
                vec!["Bearer realm=https://h.example/auth"],
                Some(bearer(realm, None)),
            ),
            (
                vec![
                    r#"Basic realm="x""#,
                    r#"Bearer realm="https://h.example/auth""#,
                ],
                Some(bearer(realm, None)),
            ),
            (
                vec![
                    r#"Basic realm="a, Bearer realm=\"evil\"", Bearer realm="https://h.example/auth",service="a,b \"c\"""#,
                ],
                Some(bearer(realm, Some(r#"a,b "c""#))),
            ),
            (
                vec![r#"Negotiate, Basic realm="x""#],
                Some(Challenge::Basic),
            ),
            (vec!["Negotiate YWJj==, Basic"], Some(Challenge::Basic)),
            (
                vec![r#"Bearer realm="https://h.example/auth"#],
                Some(bearer(realm, None)),
            ),
            // Nothing to follow.
            (vec![], None),
            (vec![""], None),
            (vec!["Bearer"], None),
            (vec![r#"Bearer realm="""#], None),
            (vec![r#"realm="https://h.example/auth""#], None),
            (vec!["Negotiate"], None),
            (vec![r#"Bearerrealm="https://h.example/auth""#], None),
        ] {
            assert_eq!(Challenge::choose(headers.clone()), chosen, "{headers:?}");
        }
    }

    #[test]
    fn a_long_header_is_read_to_its_bound() {
        let padding = "x ".repeat(LONGEST);
        let late = format!(r#"{padding} Bearer realm="https://h.example""#);
        assert_eq!(Challenge::choose([late.as_str()]), None);
        let late = format!("{padding}{}", r#"Bearer realm="https://h.example""#);
        assert_eq!(Challenge::choose([padding.as_str(), late.as_str()]), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read_to_its_end(header in "\\PC{0,80}|[a-zA-Z\"\\\\=, ]{0,80}") {
            let _ = Challenge::choose([header.as_str()]);
        }

        #[test]
        fn what_is_quoted_comes_back(realm in "[ -~]{1,40}", service in "[ -~]{1,40}") {
            let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!(r#"Bearer realm="{}",service="{}""#, quoted(&realm), quoted(&service));
            prop_assert_eq!(Challenge::choose([header.as_str()]), Some(bearer(&realm, Some(&service))));
        }
    }
}
