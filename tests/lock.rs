//! `imageref lock`, and `imageref check` by what it wrote, against the fake clouds over loopback.
//!
//! Owns the scene: two references to images of one account. The invariant that would break first:
//! each test runs the real binary and reads what it left in the folder.

mod asking;
mod statuses;

use super::resolve::{Scene, account, image_ref, notebook};
use fakecloud::defaults;

/// Two references, and the account that they are resolved through.
async fn scene() -> Scene {
    let scene = Scene::new().await;
    scene.write("account.yaml", &account());
    let one = image_ref("a", "train", &notebook(defaults::ASCEND_NOTEBOOK_ID), &[]);
    let two = image_ref("a", "serve", &notebook(defaults::SEED_NOTEBOOK_ID), &[]);
    scene.write("refs.yaml", &(one + &two));
    scene
}

fn read(scene: &Scene, name: &str) -> String {
    std::fs::read_to_string(scene.path(name)).unwrap()
}
