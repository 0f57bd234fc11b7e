//! Owns the images of the three APIs as JSON objects keyed by id, and the exact bytes of those that
//! are served as a document shows them. Must not be known here: routes, filters, options.

use crate::defaults;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The three image APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageApi {
    /// `ModelArts` notebook images.
    Notebook,
    /// `ModelArts` Lite Server images.
    LiteServer,
    /// PAI `AIWorkSpace` images.
    Pai,
}

impl ImageApi {
    /// The member that holds an image's id.
    pub fn id_member(self) -> &'static str {
        match self {
            ImageApi::Notebook => "id",
            ImageApi::LiteServer => "image_id",
            ImageApi::Pai => "ImageId",
        }
    }

    /// The API of a path segment of the admin API.
    pub(crate) fn from_segment(segment: &str) -> Option<Self> {
        serde_json::from_value(Value::from(segment)).ok()
    }
}

/// One image.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) value: Value,
    /// The answer's exact bytes, until the image is changed.
    pub(crate) raw: Option<&'static [u8]>,
}

/// All images.
#[derive(Clone, Debug, Default)]
pub(crate) struct Images(BTreeMap<ImageApi, BTreeMap<String, Image>>);

impl Images {
    /// The images every fake cloud starts with.
    pub(crate) fn seeded() -> Self {
        let mut images = Images::default();
        let seeds: [(ImageApi, &str, &'static [u8]); 3] = [
            (
                ImageApi::Notebook,
                defaults::SEED_NOTEBOOK_ID,
                include_bytes!("../../fixtures/seeds/notebook-show-image.json"),
            ),
            (
                ImageApi::LiteServer,
                defaults::SEED_LITE_SERVER_ID,
                include_bytes!("../../fixtures/seeds/lite-server-image.json"),
            ),
            (
                ImageApi::Pai,
                defaults::SEED_PAI_ID,
                include_bytes!("../../fixtures/seeds/pai-get-image.json"),
            ),
        ];
        for (api, id, raw) in seeds {
            let value = serde_json::from_slice(raw).unwrap_or_default();
            images.put(api, id, value);
            if let Some(image) = images.0.get_mut(&api).and_then(|images| images.get_mut(id)) {
                image.raw = Some(raw);
            }
        }
        for value in notebook_images() {
            images.put_by_member(ImageApi::Notebook, value);
        }
        images.put_by_member(
            ImageApi::LiteServer,
            json!({
                "arch": "X86",
                "image_id": defaults::INACTIVE_LITE_SERVER_ID,
                "name": "Ubuntu-22.04-x86-for-Vnt1-ECS",
                "server_type": "ECS",
                "status": "INACTIVE",
            }),
        );
        for value in pai_images() {
            images.put_by_member(ImageApi::Pai, value);
        }
        images
    }

    /// Stores an image under an id and writes the id into it. A value that is no object becomes one.
    pub(crate) fn put(&mut self, api: ImageApi, id: &str, mut value: Value) {
        if !value.is_object() {
            value = json!({});
        }
        value[api.id_member()] = Value::from(id);
        self.0
            .entry(api)
            .or_default()
            .insert(id.to_owned(), Image { value, raw: None });
    }

    /// Stores an image under the id it carries, or under a new one.
    pub(crate) fn put_by_member(&mut self, api: ImageApi, value: Value) -> String {
        let id = match value.get(api.id_member()).and_then(Value::as_str) {
            Some(id) => id.to_owned(),
            None if api == ImageApi::Pai => {
                let letters = uuid::Uuid::new_v4().simple().to_string();
                format!("image-{}", letters.get(..18).unwrap_or_default())
            }
            None => uuid::Uuid::new_v4().to_string(),
        };
        self.put(api, &id, value);
        id
    }

    /// Changes an image in place; false if there is none.
    pub(crate) fn update(
        &mut self,
        api: ImageApi,
        id: &str,
        change: impl FnOnce(&mut Value),
    ) -> bool {
        let Some(image) = self.0.get_mut(&api).and_then(|images| images.get_mut(id)) else {
            return false;
        };
        change(&mut image.value);
        image.raw = None;
        true
    }

    pub(crate) fn remove(&mut self, api: ImageApi, id: &str) -> bool {
        self.0
            .get_mut(&api)
            .is_some_and(|images| images.remove(id).is_some())
    }

    pub(crate) fn clear(&mut self, api: ImageApi) {
        self.0.remove(&api);
    }

    pub(crate) fn get(&self, api: ImageApi, id: &str) -> Option<&Image> {
        self.0.get(&api)?.get(id)
    }

    /// All images of an API in the order of their ids.
    pub(crate) fn all(&self, api: ImageApi) -> impl Iterator<Item = &Image> {
        self.0.get(&api).into_iter().flat_map(BTreeMap::values)
    }
}

fn notebook_images() -> Vec<Value> {
    let list: Value = serde_json::from_slice(include_bytes!(
        "../../fixtures/seeds/notebook-list-images.json"
    ))
    .unwrap_or_default();
    // The second item is the seed of ShowImage, with another time of creation.
    let modelbox = list["data"][0].clone();
    let own = |id: &str, repository: &str, tag: &str, more: Value| {
        let mut value = json!({
            "arch": "x86_64",
            "create_at": 1_716_610_822_000_i64,
            "description": "",
            "dev_services": ["NOTEBOOK", "SSH"],
            "id": id,
            "name": repository,
            "namespace": "ai-team",
            "origin": "CUSTOMIZE",
            "resource_categories": ["CPU"],
            "service_type": "COMMON",
            "size": 3_376_133_259_i64,
            "status": "ACTIVE",
            "status_message": "",
            "support_res_categories": ["CPU"],
            "swr_path": format!("swr.{}.myhuaweicloud.com/ai-team/{repository}:{tag}", defaults::REGION),
            "tag": tag,
            "type": "DEDICATED",
            "update_at": 1_716_614_422_000_i64,
            "visibility": "PRIVATE",
            "workspace_id": "0",
        });
        merge(&mut value, &more);
        value
    };
    vec![
        modelbox,
        own(
            defaults::ASCEND_NOTEBOOK_ID,
            "mindspore-train",
            "2.3.0-aarch64-snt9b-20240525100222-259922e",
            json!({
                "arch": "aarch64",
                "description": "MindSpore for Ascend",
                "flavor_type": "ASCEND_SNT9B",
                "resource_categories": ["ASCEND", "CPU"],
                "service_type": "TRAIN",
                "support_res_categories": ["ASCEND", "CPU"],
            }),
        ),
        own(
            defaults::CREATING_NOTEBOOK_ID,
            "notebook-snapshot",
            "20261101",
            json!({"origin": "IMAGE_SAVE", "size": null, "status": "CREATING", "status_message": "saving"}),
        ),
        own(
            defaults::TWO_TAGS_FIRST_NOTEBOOK_ID,
            "llm-serving",
            "v1.0",
            json!({"create_at": 1_725_000_000_000_i64, "service_type": "INFERENCE"}),
        ),
        own(
            defaults::TWO_TAGS_SECOND_NOTEBOOK_ID,
            "llm-serving",
            "v1.1",
            json!({"create_at": 1_726_000_000_000_i64, "service_type": "INFERENCE"}),
        ),
    ]
}

fn pai_images() -> [Value; 2] {
    [
        json!({
            "Accessibility": "PUBLIC",
            "Description": "TorchEasyRec",
            "GmtCreateTime": "2026-07-02T04:35:35.000Z",
            "GmtModifiedTime": "2026-07-02T04:35:35.000Z",
            "ImageId": defaults::OFFICIAL_PAI_ID,
            "ImageUri": "dsw-registry-vpc.cn-shanghai.cr.aliyuncs.com/pai/torcheasyrec:1.3.0-pytorch2.12.1-cpu-py311-ubuntu22.04",
            "Labels": [
                {"Key": "system.official", "Value": "true"},
                {"Key": "system.chipType", "Value": "CPU"},
                {"Key": "system.origin", "Value": "PAI"},
                {"Key": "system.supported.dlc", "Value": "true"},
            ],
            "Name": "torcheasyrec:1.3.0-pytorch2.12.1-cpu-py311-ubuntu22.04",
            "ParentUserId": "1000000000000000",
            "Size": 3_803_970_629_i64,
            "SourceId": "",
            "SourceType": "Import",
            "UserId": "1000000000000000",
        }),
        json!({
            "Accessibility": "PRIVATE",
            "Description": "own training image",
            "GmtCreateTime": "2026-09-01T08:00:00.000Z",
            "GmtModifiedTime": "2026-09-02T08:00:00.000Z",
            "ImageId": defaults::WORKSPACE_PAI_ID,
            "ImageUri": "demo-registry.cn-hangzhou.cr.aliyuncs.com/ai-team/train:v3",
            "Labels": [{"Key": "system.chipType", "Value": "GPU"}, {"Key": "team", "Value": "nlp"}],
            "Name": "own-train",
            "ParentUserId": defaults::ALIBABA_ACCOUNT,
            "Size": 5_368_709_120_i64,
            "SourceId": "",
            "SourceType": "Import",
            "UserId": defaults::ALIBABA_ACCOUNT,
            "WorkspaceId": "15945",
        }),
    ]
}

/// Merges a patch into a value as RFC 7396 says: null removes a member.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(members) = target.as_object_mut() else {
        return;
    };
    for (name, change) in patch {
        if change.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}
