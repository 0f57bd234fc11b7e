//! What a manifest, an index and an image's config say, as far as platforms need it.
//!
//! Owns the reading of their JSON (OCI image specification; Docker image manifest version 2,
//! schema 2). Pure. Must not know where they come from. The invariant that would break first: what
//! is kept of a body is bounded by its entries, not by its size.
//!
//! The form decides what a body is, not the media type that a registry writes in front of it. One
//! that is both index and manifest is refused: another reader could take it for the other.

use crate::facts::text::{WORDS_MAX, clean};
use crate::facts::{Digest, Platform};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// The media types that a registry is asked for: a list of platforms first, since a registry that
/// has to choose gives the first that it has.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// Bound on the entries of an index.
pub const MOST_ENTRIES: usize = 512;
/// Bound on each word of a platform, in bytes.
const LONGEST_WORD: usize = 64;
/// Configs that are of images; other artifacts (charts, signatures) run on nothing.
const IMAGE_CONFIGS: [&str; 2] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

/// What a body is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Manifest {
    /// A list of manifests, without attestations and entries for no platform.
    Index(Vec<Entry>),
    /// One image; its config, if that is an image's.
    Image(Option<Digest>),
}

/// One manifest of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) digest: Digest,
    /// What it runs on; `None` if the index does not say.
    pub(super) platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "schemaVersion")]
    schema_version: Option<u64>,
    manifests: Option<Entries>,
    config: Option<Descriptor>,
    layers: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Descriptor {
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    digest: Option<String>,
    platform: Option<Platformed>,
    annotations: Option<Annotations>,
}

#[derive(Deserialize)]
struct Annotations {
    #[serde(rename = "vnd.docker.reference.type")]
    reference_type: Option<IgnoredAny>,
}

/// A platform as indexes and configs write it.
#[derive(Deserialize)]
struct Platformed {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
}

impl Platformed {
    /// The platform, if it is one: a name that is no word names nothing.
    fn platform(&self) -> Option<Platform> {
        // Words are written with slashes between them: one inside would make another platform.
        let word = |text: &Option<String>| {
            clean(text.as_deref()?, LONGEST_WORD).filter(|word| !word.contains('/'))
        };
        Some(Platform {
            os: word(&self.os)?,
            architecture: word(&self.architecture)?,
            variant: word(&self.variant),
        })
    }

    fn is_unknown(&self) -> bool {
        let unknown = |text: &Option<String>| {
            let word = text.as_deref().and_then(|text| clean(text, LONGEST_WORD));
            word.as_deref() == Some("unknown")
        };
        unknown(&self.os) && unknown(&self.architecture)
    }
}

/// At most [`MOST_ENTRIES`] of them: a body of four megabytes could have a million.
struct Entries(Vec<Descriptor>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounded;
        impl<'de> Visitor<'de> for Bounded {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MOST_ENTRIES} manifests")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = seq.next_element()? {
                    if entries.len() == MOST_ENTRIES {
                        return Err(serde::de::Error::invalid_length(MOST_ENTRIES + 1, &self));
                    }
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_seq(Bounded)
    }
}

/// Reads a manifest or an index.
///
/// # Errors
/// What it is instead, behind "the manifest".
pub(super) fn read(body: &[u8]) -> Result<Manifest, String> {
    let body: Body = json(body)?;
    match (body.manifests, body.config) {
        (Some(_), Some(_)) => Err("is both an index and an image".into()),
        (Some(_), None) if body.layers.is_some() => Err("is both an index and an image".into()),
        (Some(entries), None) => index(entries).map(Manifest::Index),
        (None, Some(config)) => {
            let media_type = config.media_type.as_deref().unwrap_or_default();
            if !IMAGE_CONFIGS.contains(&media_type) {
                return Ok(Manifest::Image(None));
            }
            digest(&config).map(Some).map(Manifest::Image)
        }
        (None, None) if body.schema_version == Some(1) => Err(
            "is of Docker's schema 1, which no current runtime pulls: push the image again".into(),
        ),
        (None, None) => Err("is neither an index nor an image".into()),
    }
}

fn index(entries: Entries) -> Result<Vec<Entry>, String> {
    let runs = |entry: &Descriptor| {
        let attests = entry
            .annotations
            .as_ref()
            .is_some_and(|a| a.reference_type.is_some());
        !attests && !entry.platform.as_ref().is_some_and(Platformed::is_unknown)
    };
    let entries = entries.0.into_iter().filter(runs);
    entries
        .map(|entry| {
            Ok(Entry {
                digest: digest(&entry)?,
                platform: entry.platform.as_ref().and_then(Platformed::platform),
            })
        })
        .collect()
}

fn digest(descriptor: &Descriptor) -> Result<Digest, String> {
    let text = descriptor.digest.as_deref().unwrap_or_default();
    Digest::parse(text).ok_or_else(|| "has an entry without a sha256 digest".into())
}

/// What an image's config says that it runs on; `None` if it does not say.
///
/// # Errors
/// What it is instead, behind "the config".
pub(super) fn platform(config: &[u8]) -> Result<Option<Platform>, String> {
    Ok(json::<Platformed>(config)?.platform())
}

/// Platforms as they are kept: sorted, without repeats, and as many as words of any list.
pub(super) fn kept(platforms: Vec<Platform>) -> Vec<Platform> {
    let mut platforms = platforms;
    platforms.sort_unstable();
    platforms.dedup();
    platforms.truncate(WORDS_MAX);
    platforms
}

fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| {
        let what = if error.is_data() {
            "is not of the documented form"
        } else {
            "is not JSON"
        };
        format!("{what} (line {}, column {})", error.line(), error.column())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn sha(byte: &str) -> String {
        format!("sha256:{}", byte.repeat(32))
    }

    fn parsed(body: &Value) -> Result<Manifest, String> {
        read(body.to_string().as_bytes())
    }

    fn entry(platform: &Value) -> Value {
        json!({"mediaType": "m", "digest": sha("0a"), "size": 3, "platform": platform})
    }

    fn platforms(entries: &[Value]) -> Vec<Option<String>> {
        match parsed(&json!({"schemaVersion": 2, "manifests": entries})).unwrap() {
            Manifest::Index(entries) => entries
                .iter()
                .map(|entry| entry.platform.as_ref().map(ToString::to_string))
                .collect(),
            Manifest::Image(_) => panic!("an index"),
        }
    }

    #[test]
    fn an_index_names_platforms_and_attestations_are_none() {
        let mut attestation = entry(&json!({"os": "linux", "architecture": "amd64"}));
        attestation["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
        let mut annotated = entry(&json!({"os": "linux", "architecture": "amd64"}));
        annotated["annotations"] = json!({"org.opencontainers.image.title": "x"});
        let entries = [
            attestation,
            annotated,
            entry(&json!({"os": "unknown", "architecture": "unknown"})),
            entry(
                &json!({"os": "linux", "architecture": "arm64", "variant": "v8", "os.version": "1"}),
            ),
            entry(&json!({"os": "linux", "architecture": ""})),
            entry(&Value::Null),
            entry(&json!({"os": "unknown", "architecture": "arm64"})),
        ];
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            platforms(&entries),
            [
                text("linux/amd64"),
                text("linux/arm64/v8"),
                None,
                None,
                text("unknown/arm64")
            ]
        );
        assert!(platforms(&[]).is_empty());
    }

    #[test]
    fn an_image_names_its_config_and_another_artifact_none() {
        let image = |media_type: &str| {
            parsed(&json!({"config": {"mediaType": media_type, "digest": sha("0b")}, "layers": []}))
        };
        for media_type in IMAGE_CONFIGS {
            assert_eq!(
                image(media_type),
                Ok(Manifest::Image(Digest::parse(&sha("0b"))))
            );
        }
        assert_eq!(
            image("application/vnd.cncf.helm.config.v1+json"),
            Ok(Manifest::Image(None))
        );
    }

    #[test]
    fn what_is_no_manifest_is_refused_and_not_quoted() {
        let config = json!({"mediaType": IMAGE_CONFIGS[0], "digest": "SEEN"});
        for (body, said) in [
            (json!({"manifests": [], "config": {}}), "both"),
            (json!({"manifests": [], "layers": []}), "both"),
            (json!({"schemaVersion": 1, "fsLayers": []}), "schema 1"),
            (json!({"schemaVersion": 2}), "neither"),
            (json!([]), "documented form"),
            (json!({"manifests": {}}), "documented form"),
            (json!({"manifests": [{"digest": "sha512:SEEN"}]}), "sha256"),
            (json!({"config": config, "layers": []}), "sha256"),
            (
                json!({"manifests": vec![entry(&Value::Null); MOST_ENTRIES + 1]}),
                "documented form",
            ),
        ] {
            let error = parsed(&body).unwrap_err();
            assert!(error.contains(said) && !error.contains("SEEN"), "{error}");
        }
        assert!(parsed(&json!({"manifests": vec![entry(&Value::Null); MOST_ENTRIES]})).is_ok());
        assert!(read(b"<html>SEEN").unwrap_err().contains("not JSON"));
    }

    #[test]
    fn a_config_says_what_it_runs_on_or_nothing() {
        let of = |config: Value| {
            platform(config.to_string().as_bytes()).map(|p| p.map(|p| p.to_string()))
        };
        let full =
            json!({"os": "linux", "architecture": "arm", "variant": "v7", "rootfs": {"a": [1]}});
        assert_eq!(of(full), Ok(Some("linux/arm/v7".into())));
        assert_eq!(of(json!({"os": "linux"})), Ok(None));
        assert_eq!(of(json!({"os": " ", "architecture": "a"})), Ok(None));
        assert!(of(json!({"os": 3, "architecture": "a"})).is_err());
        // Read back, it would be arm64.
        assert_eq!(
            of(json!({"os": "linux/arm64", "architecture": "amd64"})),
            Ok(None)
        );
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(body in "\\PC{0,99}|[\\[\\]{}\":,a-z0-9]{0,99}") {
            let _ = (read(body.as_bytes()), platform(body.as_bytes()));
        }

        #[test]
        fn kept_platforms_do_not_depend_on_the_registrys_order(
            words in proptest::collection::vec("[a-c]{1,2}", 0..200), turn in 0..200usize,
        ) {
            let platforms: Vec<_> = words.iter().map(|word| Platform {
                os: "linux".into(), architecture: word.clone(), variant: None,
            }).collect();
            let mut turned = platforms.clone();
            turned.rotate_left(turn % platforms.len().max(1));
            prop_assert_eq!(kept(platforms), kept(turned));
        }
    }
}
