//! The references, and the images that they mean.
//!
//! Owns names, namespaces, specs and who provides what. Must not know the time or what is broken. The
//! invariant that would break first: a number stands for the same reference in every run.

use fakecloud::defaults;
use serde_json::{Value, json};
use site::{IMAGES, image_id, image_name};

/// Namespaces that references are in.
pub(crate) const NAMESPACES: u32 = 10;

/// PAI images.
pub(crate) const PAI_IMAGES: u32 = 50;

/// The first notebook images, whose contents are in the registry.
pub(crate) const PUSHED: u32 = 40;

/// How often references are looked at: as often as the CRD allows.
pub(crate) const INTERVAL: &str = "1m";

/// Longer than any fault.
pub(crate) const MAX_STALENESS: &str = "15m";

/// `metadata.name` of the provider whose cloud is behind TLS.
pub(crate) const FRONT: &str = "front";

/// `metadata.name` of the provider of PAI.
pub(crate) const PAI: &str = "pai";

/// What a reference means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    /// A notebook image by its id.
    Id(u32),
    /// A notebook image by its name.
    Name(u32),
    /// A PAI image by its id.
    Pai(u32),
    /// A notebook image by its id, asked for through TLS.
    Front(u32),
    /// A notebook image by its id, whose digest is read at each look.
    Digest(u32),
    /// An id that no image has.
    Nothing,
}

impl Means {
    /// Of twenty references twelve mean an image by id, three by name, two are of PAI, one each is
    /// behind TLS, has its digest read, and is broken.
    pub(crate) fn of(number: u32) -> Self {
        let turn = number / 20;
        match number % 20 {
            0..=11 => Self::Id((turn * 12 + number % 20) % IMAGES),
            12..=14 => Self::Name((turn * 3 + number % 20 + 7) % IMAGES),
            15 | 16 => Self::Pai((turn * 2 + number % 20) % PAI_IMAGES),
            17 => Self::Front((turn * 7) % IMAGES),
            18 => Self::Digest(turn % PUSHED),
            _ => Self::Nothing,
        }
    }
}

/// The name of a reference.
pub(crate) fn name(number: u32) -> String {
    format!("ref-{number:06}")
}

/// Its namespace.
pub(crate) fn namespace(number: u32) -> String {
    format!("team-{}", number % NAMESPACES)
}

/// The path of the collection that it is in.
pub(crate) fn path(number: u32) -> String {
    let namespace = namespace(number);
    format!("/apis/imageref.dev/v1alpha1/namespaces/{namespace}/imagerefs")
}

/// The object that is created.
pub(crate) fn manifest(number: u32, means: Means) -> Value {
    let mut spec = json!({
        "interval": INTERVAL,
        "maxStaleness": MAX_STALENESS,
        "digestPolicy": "Never",
        "source": match means {
            Means::Id(image) | Means::Front(image) | Means::Digest(image) => {
                json!({"notebook": {"id": image_id(image)}})
            }
            Means::Name(image) => json!({"notebook": {"name": image_name(image)}}),
            Means::Pai(image) => json!({"pai": {"id": pai_id(image)}}),
            Means::Nothing => json!({"notebook": {"id": format!("dead0000-0000-4000-8000-{number:012x}")}}),
        },
    });
    let provider = match means {
        Means::Pai(_) => Some(PAI),
        Means::Front(_) => Some(FRONT),
        _ => None,
    };
    if let Some(name) = provider {
        spec["providerRef"] = json!({"kind": "ClusterImageProvider", "name": name});
    }
    if matches!(means, Means::Digest(_)) {
        spec["digestPolicy"] = "Always".into();
    }
    json!({
        "apiVersion": "imageref.dev/v1alpha1",
        "kind": "ImageRef",
        "metadata": {"name": name(number), "namespace": namespace(number)},
        "spec": spec,
    })
}

/// The id of the image that a source means.
pub(crate) fn image_of(source: &Value) -> Option<String> {
    let notebook = &source["notebook"];
    let id = notebook["id"].as_str().or(source["pai"]["id"].as_str());
    if let Some(id) = id {
        return Some(id.to_owned());
    }
    let name = notebook["name"].as_str()?;
    (0..IMAGES)
        .find(|image| image_name(*image) == name)
        .map(image_id)
}

/// Whether an image stays as it is, and a reference to it too: what admission must let through.
pub(crate) fn is_steady(number: u32) -> bool {
    matches!(Means::of(number), Means::Id(image) if is_steady_image(image))
}

/// Whether an image stays as it is.
pub(crate) fn is_steady_image(image: u32) -> bool {
    image.is_multiple_of(5)
}

/// The id of a PAI image.
pub(crate) fn pai_id(image: u32) -> String {
    format!("image-chaos{image:012x}")
}

/// A PAI image as the platform returns it.
pub(crate) fn pai_image(image: u32) -> Value {
    json!({
        "ImageId": pai_id(image),
        "Name": format!("train-{image:04}"),
        "Description": "",
        "ImageUri": pai_uri(image, "v1"),
        "Accessibility": "PRIVATE",
        "WorkspaceId": "15945",
        "UserId": defaults::ALIBABA_ACCOUNT,
        "ParentUserId": defaults::ALIBABA_ACCOUNT,
        "SourceType": "Import",
        "Size": 1_234_567,
        "Labels": [
            {"Key": "system.chipType", "Value": "GPU"},
        ],
        "GmtCreateTime": "2026-01-21T17:12:35.232Z",
        "GmtModifiedTime": "2026-01-21T17:12:35.232Z",
    })
}

/// The path of a PAI image with a tag.
pub(crate) fn pai_uri(image: u32, tag: &str) -> String {
    format!("registry.cn-shanghai.aliyuncs.com/ai-team/train-{image:04}:{tag}")
}

/// The accounts: one provider for all, one behind TLS, and PAI.
pub(crate) fn accounts(cloud: &str, front: &str) -> Value {
    let mut list = site::account(cloud);
    let behind_tls = json!({
        "apiVersion": "imageref.dev/v1alpha1",
        "kind": "ClusterImageProvider",
        "metadata": {"name": FRONT},
        "spec": {
            "allowedNamespaces": {"selector": {}},
            "modelArts": {
                "region": defaults::REGION,
                "projectId": defaults::PROJECT_ID,
                "endpoint": front,
            },
            "auth": {"secretRef": {"name": "account"}},
        },
    });
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "pai", "namespace": "imageref-system"},
        "stringData": {
            "accessKeyId": defaults::ALIBABA_AK,
            "accessKeySecret": defaults::ALIBABA_SECRET,
        },
    });
    let pai = json!({
        "apiVersion": "imageref.dev/v1alpha1",
        "kind": "ClusterImageProvider",
        "metadata": {"name": PAI},
        "spec": {
            "allowedNamespaces": {"selector": {}},
            "pai": {"region": "cn-shanghai", "endpoint": cloud},
            "auth": {"secretRef": {"name": "pai"}},
        },
    });
    if let Some(items) = list["items"].as_array_mut() {
        items.extend([behind_tls, secret, pai]);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_references_are_of_every_sort_in_the_stated_parts() {
        let of = |so: fn(&Means) -> bool| (0..1_000).map(Means::of).filter(so).count();
        assert_eq!(of(|means| matches!(means, Means::Id(_))), 600);
        assert_eq!(of(|means| matches!(means, Means::Name(_))), 150);
        assert_eq!(of(|means| matches!(means, Means::Pai(_))), 100);
        assert_eq!(of(|means| matches!(means, Means::Front(_))), 50);
        assert_eq!(of(|means| matches!(means, Means::Digest(_))), 50);
        assert_eq!(of(|means| matches!(means, Means::Nothing)), 50);
        let namespaces: std::collections::BTreeSet<_> = (0..1_000).map(namespace).collect();
        assert_eq!(namespaces.len(), 10);
    }
}
