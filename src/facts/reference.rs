//! A reference to an image in a registry: `host/repository:tag@digest`.
//!
//! Owns the grammar. Must not know which registries may be asked, nor how. The invariant that would
//! break first: what is printed is read back as the same reference, so a reference can be a key.
//!
//! Written by hand, since the parsers at hand fill in what is not there: `docker.io`, `library/` and
//! `latest`. An image of a platform always names its host, and a reference that names none is of
//! another image than the one somebody meant. The grammar is that of the OCI distribution
//! specification ("Pulling manifests"), with the host as container runtimes read it. Hosts that are
//! IPv6 addresses are refused: no registry of the platforms has one for a name.

use super::Digest;
use std::fmt;

/// Bound on host and repository together, in characters (OCI distribution specification, "Pulling
/// manifests": what many clients allow).
const LONGEST_NAME: usize = 255;
/// Bound on a tag, in characters.
const LONGEST_TAG: usize = 128;

/// A reference whose every part is well formed. It may have neither tag nor digest: such a one
/// names a repository, and [`Reference::wanted`] says so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    host: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Reads a reference with an explicit host: a first segment with a dot or a port, or
    /// `localhost`. White space around it is ignored; the host becomes lower case.
    ///
    /// ```
    /// use imageref::facts::Reference;
    /// let reference = Reference::parse("swr.cn-north-4.myhuaweicloud.com/ai-team/pytorch:2.1").unwrap();
    /// assert_eq!(reference.host(), "swr.cn-north-4.myhuaweicloud.com");
    /// assert_eq!(reference.repository(), "ai-team/pytorch");
    /// assert_eq!(reference.tag(), Some("2.1"));
    /// assert!(Reference::parse("pytorch:2.1").is_err());
    /// ```
    ///
    /// # Errors
    /// One sentence about the first part that is missing or malformed. It holds no part of the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.contains("://") {
            return Err("an image reference is written without https://".into());
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let digest = digest.map(|digest| {
            Digest::parse(digest)
                .ok_or("behind @ must be sha256: and 64 lower-case hexadecimal digits")
        });
        let (host, path) = name.split_once('/').ok_or(NO_HOST)?;
        if !(host.contains(['.', ':']) || host.eq_ignore_ascii_case("localhost")) {
            return Err(NO_HOST.into());
        }
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        if !is_host(host) {
            return Err(
                "the registry's host must be a name or an IPv4 address, and may have a port".into(),
            );
        }
        if !repository.split('/').all(is_component) {
            return Err(
                "the repository must be of lower-case letters, digits, and single . _ - or __ between them, in segments parted by /"
                    .into(),
            );
        }
        if host.len() + 1 + repository.len() > LONGEST_NAME {
            return Err(format!(
                "host and repository together have more than {LONGEST_NAME} characters"
            ));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(format!(
                "the tag must be of letters, digits, . _ and -, begin with none of . and -, and have at most {LONGEST_TAG} characters"
            ));
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            repository: repository.to_owned(),
            tag: tag.map(Into::into),
            digest: digest.transpose()?,
        })
    }

    /// The registry's host, lower case, with the port if one was given.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository: segments parted by `/`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What a registry is asked for: the digest if there is one, as container runtimes do, else the
    /// tag.
    ///
    /// # Errors
    /// One sentence: there is neither. `latest` is not filled in, because no platform says that it
    /// means this, and the tag that moves most is the last one to guess.
    pub fn wanted(&self) -> Result<&str, String> {
        let digest = self.digest.as_ref().map(Digest::as_str);
        digest
            .or(self.tag())
            .ok_or_else(|| format!("{self} has neither a tag nor a digest: add one, such as :1.0"))
    }

    /// The same image pinned to this digest, in place of the one it may have.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self {
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// The reference as it was before it was pinned.
    #[must_use]
    pub fn without_digest(&self) -> Self {
        Self {
            digest: None,
            ..self.clone()
        }
    }

    /// Whether both are of one repository in one registry.
    pub fn is_same_repository(&self, other: &Self) -> bool {
        (&self.host, &self.repository) == (&other.host, &other.repository)
    }

    /// Whether both are of one repository and say the same of tag and digest wherever both say
    /// something, and at least one of the two is said by both.
    pub fn is_same_image(&self, other: &Self) -> bool {
        let (tag, digest) = (
            agree(self.tag.as_ref(), other.tag.as_ref()),
            agree(self.digest.as_ref(), other.digest.as_ref()),
        );
        self.is_same_repository(other)
            && matches!(
                (tag, digest),
                (Some(true), None | Some(true)) | (None, Some(true))
            )
    }
}

const NO_HOST: &str = "the registry's host is missing: write host/repository:tag, such as registry.example.com/team/image:1.0";

/// Whether two that are both there are equal; `None` if one is not there.
fn agree<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> Option<bool> {
    Some(one? == other?)
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let port = port.is_none_or(|port| !port.starts_with(['0', '+']) && port.parse::<u16>().is_ok());
    port && name.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

/// Letters and digits, parted by `.`, `_`, `__` or any number of `-`.
fn is_component(component: &str) -> bool {
    let is_word = |b: char| b.is_ascii_lowercase() || b.is_ascii_digit();
    let known = component.chars().all(|c| is_word(c) || "._-".contains(c));
    let mut parts = component.split(is_word).filter(|part| !part.is_empty());
    known
        && component.starts_with(is_word)
        && component.ends_with(is_word)
        && parts.all(|part| matches!(part, "." | "_" | "__") || part.bytes().all(|b| b == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=LONGEST_TAG).contains(&tag.len())
        && tag.bytes().all(|b| is_word(b) || b == b'.' || b == b'-')
        && tag.bytes().next().is_some_and(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest(byte: &str) -> String {
        format!("sha256:{}", byte.repeat(32))
    }

    #[test]
    fn each_part_is_found() {
        let d = digest("0a");
        for (text, host, repository, tag, pinned) in [
            (
                "swr.r.myhuaweicloud.com/a/b:1.0",
                "swr.r.myhuaweicloud.com",
                "a/b",
                Some("1.0"),
                false,
            ),
            (
                " REG.example:5000/a/b__c/d-e---f.g \n",
                "reg.example:5000",
                "a/b__c/d-e---f.g",
                None,
                false,
            ),
            (
                "localhost/a:_x-Y.z",
                "localhost",
                "a",
                Some("_x-Y.z"),
                false,
            ),
            (
                &format!("127.0.0.1:1/a@{d}"),
                "127.0.0.1:1",
                "a",
                None,
                true,
            ),
            (
                &format!("h.example/a:1@{d}"),
                "h.example",
                "a",
                Some("1"),
                true,
            ),
        ] {
            let read = Reference::parse(text).unwrap();
            let parts = (
                read.host(),
                read.repository(),
                read.tag(),
                read.digest().is_some(),
            );
            assert_eq!(parts, (host, repository, tag, pinned), "{text}");
            assert_eq!(Reference::parse(&read.to_string()).unwrap(), read);
        }
    }

    #[test]
    fn what_is_missing_or_malformed_is_named() {
        let long = "a".repeat(129);
        let cases = [
            ("without https://", vec!["https://h.example/a:1".to_owned()]),
            (
                "host is missing",
                ["", "a", "a:1", "a/b:1", "library/a", "A/b", "/a"]
                    .map(Into::into)
                    .into(),
            ),
            (
                "host must be",
                [
                    "h..x/a",
                    ".h/a",
                    "h./a",
                    "-h.x/a",
                    "h-.x/a",
                    "h_.x/a",
                    "h.x:/a",
                    "h.x:0/a",
                    "h.x:08/a",
                    "h.x:+8/a",
                    "h.x:65536/a",
                    "h.x:1:2/a",
                    "[::1]:5000/a",
                    "u:p@h.x/a",
                    "hö.x/a",
                    "h%2e.x/a",
                    "h.x\u{0}/a",
                    "h.x /a",
                ]
                .map(Into::into)
                .into(),
            ),
            (
                "repository must be",
                [
                    "h.x/",
                    "h.x//a",
                    "h.x/a/",
                    "h.x/A",
                    "h.x/a..b",
                    "h.x/a___b",
                    "h.x/a._b",
                    "h.x/-a",
                    "h.x/a-",
                    "h.x/../a",
                    "h.x/a%2fb",
                    "h.x/a b",
                    "h.x/a?b",
                    "h.x/a#b",
                    "h.x/a\\b",
                    "h.x/:1",
                    "h.x/ä",
                ]
                .map(Into::into)
                .into(),
            ),
            (
                "the tag must be",
                vec![
                    "h.x/a:".into(),
                    "h.x/a:.b".into(),
                    "h.x/a:-b".into(),
                    "h.x/a:b:c".into(),
                    "h.x/a:b/c".into(),
                    "h.x/a:ä".into(),
                    format!("h.x/a:{long}"),
                ],
            ),
            (
                "behind @",
                vec![
                    "h.x/a@".into(),
                    "h.x/a@sha256:0a".into(),
                    "h.x/a@sha512:0a".into(),
                    format!("h.x/a@{}", digest("0A")),
                    format!("h.x/a@{0}@{0}", digest("0a")),
                ],
            ),
            ("more than 255", vec![format!("h.x/{}", "a".repeat(252))]),
        ];
        for (said, texts) in cases {
            for text in texts {
                let error = Reference::parse(&text).unwrap_err();
                // Somebody who writes a password into a host must not read it in a status.
                let other = text.contains("u:p@") && error.contains("host is missing");
                assert!(error.contains(said) || other, "{text:?}: {error}");
            }
        }
        assert!(Reference::parse(&format!("h.x/{}", "a".repeat(251))).is_ok());
        assert!(Reference::parse(&format!("h.x/a:{}", "a".repeat(128))).is_ok());
    }

    #[test]
    fn no_tag_is_guessed() {
        let bare = Reference::parse("h.x/a").unwrap();
        assert!(
            bare.wanted()
                .unwrap_err()
                .contains("neither a tag nor a digest")
        );
        let tagged = Reference::parse("h.x/a:1").unwrap();
        assert_eq!(tagged.wanted().unwrap(), "1");
        let pinned = tagged.with_digest(Digest::parse(&digest("0a")).unwrap());
        assert_eq!(pinned.wanted().unwrap(), digest("0a"));
        assert_eq!(pinned.without_digest(), tagged);
    }

    #[test]
    fn images_are_the_same_where_nothing_tells_them_apart() {
        let (a, b) = (digest("0a"), digest("0b"));
        let same = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|text| {
                let text = text
                    .replace("@A", &format!("@{a}"))
                    .replace("@B", &format!("@{b}"));
                Reference::parse(&text).unwrap()
            });
            assert_eq!(one.is_same_image(&other), other.is_same_image(&one));
            one.is_same_image(&other)
        };
        for (one, other) in [
            ("h.x/a:1", "H.x/a:1"),
            ("h.x/a:1", "h.x/a:1@A"),
            ("h.x/a@A", "h.x/a:1@A"),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("h.x/a:1", "h.x/a:2"),
            ("h.x/a:1", "h.x/b:1"),
            ("h.x/a:1", "g.x/a:1"),
            ("h.x/a:1", "h.x:443/a:1"),
            ("h.x/a:1@A", "h.x/a:1@B"),
            ("h.x/a:1@A", "h.x/a:2@A"),
            ("h.x/a:1", "h.x/a@A"),
            ("h.x/a", "h.x/a"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn what_is_well_formed_is_read_and_printed_as_it_was(
            host in "([a-z0-9]{1,9}(-[a-z0-9]{1,3})?\\.){1,3}[a-z]{2,5}(:[1-9][0-9]{0,3})?|localhost",
            repository in "[a-z0-9]{1,5}((\\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}(/[a-z0-9]{1,5}){0,4}",
            tag in proptest::option::of("[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"),
            hex in proptest::option::of("[0-9a-f]{64}"),
        ) {
            let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
            let digest = hex.map(|hex| format!("@sha256:{hex}")).unwrap_or_default();
            let text = format!("{host}/{repository}{tag}{digest}");
            let read = Reference::parse(&text);
            prop_assert_eq!(read.map(|read| read.to_string()), Ok(text));
        }

        #[test]
        fn any_text_is_refused_or_safe_in_a_url(text in "\\PC{0,40}|[a-zA-Z0-9./:@_%?#-]{0,60}") {
            if let Ok(read) = Reference::parse(&text) {
                prop_assert_eq!(&Reference::parse(&read.to_string()), &Ok(read.clone()));
                let url: url::Url = format!("https://{}/v2/{}/manifests/x", read.host(), read.repository())
                    .parse()
                    .unwrap();
                prop_assert_eq!(url.path(), format!("/v2/{}/manifests/x", read.repository()));
            }
        }
    }
}
