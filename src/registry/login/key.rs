//! Which repositories a key of a docker config is for.
//!
//! Owns reading and matching one key. Pure. The invariant that would break first: a key never matches
//! another host or port than it names: a password would go there.
//!
//! The rules are the kubelet's (Kubernetes, *Images*, "Interpretation of config.json"), so that a
//! Secret that pulls an image also resolves it: a scheme and a leading `/v1/` or `/v2/` say nothing,
//! labels of the host may hold `*` and `?`, ports are equal or both absent, and the path is the
//! beginning of the repository's as text. Character classes in brackets are not read: such a key
//! matches nothing.

use std::cmp::Ordering;

/// Docker Hub by the name that old keys have.
const HUB: &str = "index.docker.io";

/// A key, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    host: String,
    port: String,
    /// With its slash, or empty.
    path: String,
}

impl Key {
    /// Reads any text; one that names no host matches nothing.
    pub(super) fn new(text: &str) -> Self {
        let text = text.trim();
        let bare = ["https://", "http://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme))
            .unwrap_or(text);
        let (place, path) = bare.split_at(bare.find('/').unwrap_or(bare.len()));
        let path = match path.get(..3) {
            Some("/v1" | "/v2") if matches!(path.as_bytes().get(3), None | Some(b'/')) => {
                path.get(3..).unwrap_or_default()
            }
            _ => path,
        };
        let (host, port) = split(place);
        Self {
            host: host.to_ascii_lowercase(),
            port: port.to_owned(),
            path: if path == "/" { "" } else { path }.to_owned(),
        }
    }

    /// Whether it is for a repository of a host; `host` has its port.
    pub(super) fn matches(&self, host: &str, repository: &str) -> bool {
        let (name, port) = split(host);
        self.port == port
            && matches_host(&self.host, &name.to_ascii_lowercase())
            && self.is_above(repository)
    }

    fn is_above(&self, repository: &str) -> bool {
        match self.path.strip_prefix('/') {
            None => true,
            Some(path) => repository.starts_with(path),
        }
    }

    /// Whether it is Docker Hub's own key, which counts where no other does.
    pub(super) fn is_for_hub(&self, host: &str) -> bool {
        self.host == HUB
            && self.port.is_empty()
            && self.path.is_empty()
            && ["docker.io", HUB].contains(&host)
    }

    /// The more exact key first: a longer one before its beginning, plain text before a wildcard.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let text = |key: &Self| {
            let colon = if key.port.is_empty() { "" } else { ":" };
            format!("{}{colon}{}{}", key.host, key.port, key.path)
        };
        text(other).cmp(&text(self))
    }
}

fn split(place: &str) -> (&str, &str) {
    match place.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, port),
        _ => (place, ""),
    }
}

fn matches_host(pattern: &str, host: &str) -> bool {
    let plain = |text: &str| !text.is_empty() && !text.contains(['[', ']', '@', '\\']);
    let labels = pattern.split('.').count() == host.split('.').count();
    plain(pattern)
        && plain(host)
        && labels
        && pattern
            .split('.')
            .zip(host.split('.'))
            .all(|(pattern, label)| matches_label(pattern.as_bytes(), label.as_bytes()))
}

/// In time of at most length times length: back to the last star, never to one before it.
fn matches_label(pattern: &[u8], label: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < label.len() {
        match (pattern.get(at), label.get(read)) {
            (Some(b'*'), _) => {
                star = Some((at, read));
                at += 1;
            }
            (Some(wanted), Some(byte)) if *wanted == b'?' || wanted == byte => {
                at += 1;
                read += 1;
            }
            _ => match &mut star {
                Some((begin, taken)) => {
                    *taken += 1;
                    (at, read) = (*begin + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern
        .get(at..)
        .is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_match_as_the_kubelet_matches_them() {
        let swr = "swr.cn-north-4.myhuaweicloud.com";
        let rows = [
            // key, host, repository, matches
            (swr, swr, "ai-team/pytorch", true),
            ("https://swr.cn-north-4.myhuaweicloud.com", swr, "a/b", true),
            ("http://swr.cn-north-4.myhuaweicloud.com/", swr, "a/b", true),
            (
                "https://swr.cn-north-4.myhuaweicloud.com/v1/",
                swr,
                "a/b",
                true,
            ),
            (
                "https://swr.cn-north-4.myhuaweicloud.com/v2",
                swr,
                "a/b",
                true,
            ),
            (
                "SWR.cn-north-4.myhuaweicloud.com",
                "swr.CN-north-4.myhuaweicloud.com",
                "a/b",
                true,
            ),
            (
                "swr.cn-north-4.myhuaweicloud.com/a",
                swr,
                "ai-team/pytorch",
                true,
            ),
            (
                "swr.cn-north-4.myhuaweicloud.com/ai-team",
                swr,
                "ai-team/pytorch",
                true,
            ),
            (
                "swr.cn-north-4.myhuaweicloud.com/ai-team/",
                swr,
                "ai-team/pytorch",
                true,
            ),
            (
                "swr.cn-north-4.myhuaweicloud.com/other",
                swr,
                "ai-team/pytorch",
                false,
            ),
            (
                "swr.cn-north-4.myhuaweicloud.com/v1/ai-team",
                swr,
                "ai-team/pytorch",
                true,
            ),
            ("swr.cn-north-1.myhuaweicloud.com", swr, "a/b", false),
            ("*.myhuaweicloud.com", swr, "a/b", false),
            ("*.*.myhuaweicloud.com", swr, "a/b", true),
            ("swr.*.myhuaweicloud.com/a", swr, "a/b", true),
            ("swr.cn-*-?.myhuaweicloud.com", swr, "a/b", true),
            ("swr.cn-*-??.myhuaweicloud.com", swr, "a/b", false),
            ("s[v-x]r.cn-north-4.myhuaweicloud.com", swr, "a/b", false),
            ("*.com", "evil.example.com", "a", false),
            ("*", "localhost", "a", true),
            ("host:5000", "host:5000", "a", true),
            ("host:5000/team", "host:5000", "team/a", true),
            ("host", "host:5000", "a", false),
            ("host:5000", "host", "a", false),
            ("host:5000", "host:500", "a", false),
            ("host:*", "host:5000", "a", false),
            ("user@host", "host", "a", false),
            ("", "host", "a", false),
            ("/a", "host", "a", false),
            ("https://", "host", "a", false),
        ];
        for (key, host, repository, matches) in rows {
            assert_eq!(
                Key::new(key).matches(host, repository),
                matches,
                "{key} {host} {repository}"
            );
        }
    }

    #[test]
    fn the_key_of_docker_hub_is_known_by_its_old_name() {
        let hub = Key::new("https://index.docker.io/v1/");
        assert!(hub.is_for_hub("docker.io") && hub.is_for_hub("index.docker.io"));
        assert!(!hub.is_for_hub("ghcr.io") && !Key::new("docker.io").is_for_hub("ghcr.io"));
    }

    #[test]
    fn more_exact_keys_come_first() {
        let mut keys = ["*.io", "gcr.io", "gcr.io/a/b", "gcr.io:443", "gcr.io/a"].map(Key::new);
        keys.sort_by(Key::order);
        let expected = ["gcr.io:443", "gcr.io/a/b", "gcr.io/a", "gcr.io", "*.io"].map(Key::new);
        assert_eq!(keys, expected);
    }

    proptest! {
        #[test]
        fn a_key_without_wildcards_matches_its_own_host_and_no_other(
            own in "[a-z0-9-]{1,9}(\\.[a-z0-9-]{1,9}){0,3}(:[0-9]{1,5})?",
            other in "[a-z0-9-]{1,9}(\\.[a-z0-9-]{1,9}){0,3}(:[0-9]{1,5})?",
        ) {
            prop_assert!(Key::new(&own).matches(&own, "a/b"));
            prop_assert_eq!(Key::new(&own).matches(&other, "a/b"), own == other);
        }

        #[test]
        fn a_wildcard_stays_within_its_label(
            labels in prop::collection::vec("[a-z0-9-]{1,9}", 1..5), at in 0..5_usize,
            host in "[a-z0-9-]{1,9}(\\.[a-z0-9-]{1,9}){0,4}",
        ) {
            let at = at % labels.len();
            let mut starred = labels.clone();
            starred[at] = "*".into();
            let key = Key::new(&starred.join("."));
            let own: Vec<_> = host.split('.').collect();
            let same = own.len() == labels.len()
                && own.iter().zip(&labels).enumerate().all(|(n, (a, b))| n == at || *a == b.as_str());
            prop_assert!(key.matches(&labels.join("."), "a"));
            prop_assert_eq!(key.matches(&host, "a"), same);
        }

        #[test]
        fn labels_match_as_the_same_pattern_does_as_a_regular_expression(
            pattern in "[ab*?]{0,8}", label in "[ab]{0,8}",
        ) {
            let regex = pattern.replace('*', ".*").replace('?', ".");
            let regex = regex::Regex::new(&format!("^{regex}$")).unwrap();
            prop_assert_eq!(matches_label(pattern.as_bytes(), label.as_bytes()), regex.is_match(&label));
        }

        #[test]
        fn no_text_ends_reading(key in "\\PC{0,40}", host in "\\PC{0,40}", repository in "\\PC{0,40}") {
            let key = Key::new(&key);
            let _ = (key.matches(&host, &repository), key.is_for_hub(&host), key.order(&Key::new(&host)));
        }
    }
}
