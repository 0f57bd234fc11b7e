//! Images of a project, as the platform would return them.
//!
//! Owns their ids, names and paths. Must not know who refers to them. The invariant that would break
//! first: no two have the same id, name or path.

use serde_json::{Value, json};

/// Images in the project.
pub const IMAGES: u32 = 500;

/// The registry that the images are in.
pub const REGISTRY: &str = "swr.cn-north-4.myhuaweicloud.com";

/// The id of an image.
pub fn image_id(image: u32) -> String {
    format!("be9c0000-0000-4000-8000-{image:012x}")
}

/// The name of an image.
pub fn image_name(image: u32) -> String {
    format!("pytorch-train-{image:04}")
}

/// A notebook image as `ModelArts` returns it.
pub fn notebook(image: u32) -> Value {
    let name = image_name(image);
    let tag = "2.3.0-aarch64-snt9b-20240525100222-259922e";
    json!({
        "arch": "aarch64",
        "create_at": 1_716_610_822_000_i64,
        "description": "",
        "dev_services": ["NOTEBOOK", "SSH"],
        "flavor_type": "ASCEND_SNT9B",
        "id": image_id(image),
        "name": name,
        "namespace": "ai-team",
        "origin": "CUSTOMIZE",
        "resource_categories": ["ASCEND", "CPU"],
        "service_type": "TRAIN",
        "size": 3_376_133_259_i64,
        "status": "ACTIVE",
        "status_message": "",
        "support_res_categories": ["ASCEND", "CPU"],
        "swr_path": format!("{REGISTRY}/ai-team/{name}:{tag}"),
        "tag": tag,
        "type": "DEDICATED",
        "update_at": 1_716_614_422_000_i64,
        "visibility": "PRIVATE",
        "workspace_id": "0",
    })
}
