//! The simulated platform: notebook images of `ModelArts`, as three accounts see them.
//!
//! Owns which images there are, in which version, and what was ever said of them. Must not know any
//! operator. The invariant that would break first: every field of one answer names the account, the
//! project and the version that it is about, so that two answers mixed in one status are seen.

use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) const PROJECTS: [&str; 2] = [
    "a0000000000000000000000000000001",
    "b0000000000000000000000000000002",
];
pub(super) const IMAGES: u64 = 18;

/// An image as it is now.
#[derive(Clone)]
pub(super) struct Image {
    pub(super) version: u64,
    /// `None`: it is gone.
    pub(super) status: Option<&'static str>,
    /// Since when no pod should use it.
    pub(super) unusable_since: Option<u64>,
    pub(super) changed: u64,
    /// When it was first and last said to be gone.
    pub(super) said_gone: Option<(u64, u64)>,
    /// When it was last said not to be active.
    pub(super) said_inactive: Option<u64>,
    /// The status of each version.
    pub(super) versions: Vec<&'static str>,
}

/// What befalls all calls for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    Fine,
    Failing,
    Hanging,
    Throttling,
    Garbled,
    /// Every image is gone, says the platform.
    Empty,
    /// One account is to wait until it is over; the others are answered.
    Pausing,
}

pub(super) struct Cloud {
    pub(super) images: BTreeMap<String, Image>,
    pub(super) weather: Weather,
    /// Until when, and the account that it befalls if that is one alone.
    pub(super) well_at: u64,
    pub(super) only: &'static str,
    /// Access keys that are accepted, by account.
    pub(super) keys: BTreeMap<String, String>,
}

pub(super) fn id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

pub(super) const fn arch(version: u64) -> (&'static str, &'static str) {
    if version.is_multiple_of(2) {
        ("AARCH64", "arm64")
    } else {
        ("X86_64", "amd64")
    }
}

pub(super) fn organization(account: &str, project: &str) -> String {
    format!("{account}-{}", &project[..1])
}

impl Image {
    fn say_gone(&mut self, now: u64) {
        self.said_gone = Some((self.said_gone.map_or(now, |said| said.0), now));
    }
}

impl Cloud {
    pub(super) fn new() -> Self {
        let image = Image {
            version: 0,
            status: Some("ACTIVE"),
            unusable_since: None,
            changed: 0,
            said_gone: None,
            said_inactive: None,
            versions: vec!["ACTIVE"],
        };
        Self {
            images: (0..IMAGES).map(|n| (id(n), image.clone())).collect(),
            weather: Weather::Fine,
            well_at: 0,
            only: "",
            keys: BTreeMap::new(),
        }
    }

    /// What befalls the owner of a key.
    pub(super) fn weather_of(&self, key: &str) -> Weather {
        let account = self.keys.get(key).map(String::as_str);
        match self.weather {
            Weather::Pausing if account != Some(self.only) => Weather::Fine,
            weather => weather,
        }
    }

    /// A new version of an image, or its end.
    pub(super) fn change(&mut self, id: &str, status: Option<&'static str>, now: u64) {
        let image = self.images.get_mut(id).unwrap();
        image.status = status;
        image.changed = now;
        if status == Some("ACTIVE") {
            image.unusable_since = None;
        } else {
            image.unusable_since.get_or_insert(now);
        }
        if let Some(status) = status {
            image.version += 1;
            image.versions.push(status);
        }
    }

    fn wire(account: &str, project: &str, id: &str, image: &Image) -> Value {
        let organization = organization(account, project);
        let version = image.version;
        json!({
            "id": id, "name": format!("image-{}", &id[34..]), "namespace": organization,
            "tag": format!("v{version}"), "arch": arch(version).0, "status": image.status,
            "swr_path": format!("swr.cn-north-4.myhuaweicloud.com/{organization}/image-{}:v{version}", &id[34..]),
            "size": 1000 + version, "type": "DEDICATED", "workspace_id": "0",
            "resource_categories": ["CPU"], "create_at": 1_700_000_000_000_u64,
            "update_at": 1_700_000_000_000_u64 + version * 1000,
        })
    }

    /// What is answered to a request of this account.
    pub(super) fn answer(
        &mut self,
        account: &str,
        path: &str,
        query: &str,
        now: u64,
    ) -> (u16, Value) {
        let mut parts = path.split('/').skip(2);
        let (project, _, image) = (parts.next().unwrap(), parts.next(), parts.next());
        if !PROJECTS.contains(&project) {
            let body = json!({"error_code": "ModelArts.0210", "error_msg": "no such project"});
            return (403, body);
        }
        let gone = self.weather == Weather::Empty;
        let Some(id) = image else {
            let presets = query.contains("type=BUILD_IN");
            let there = self.images.iter_mut().filter(|_| !presets && !gone);
            let data = there.filter_map(|(id, image)| {
                match image.status {
                    Some("ACTIVE") => {}
                    Some(_) => image.said_inactive = Some(now),
                    None => image.say_gone(now),
                }
                image.status?;
                Some(Self::wire(account, project, id, image))
            });
            let data: Vec<_> = data.collect();
            let body = json!({"current": 0, "data": data, "pages": 1, "size": data.len(), "total": data.len()});
            return (200, body);
        };
        match self.images.get_mut(id) {
            Some(known) if known.status.is_some() && !gone => {
                if known.status != Some("ACTIVE") {
                    known.said_inactive = Some(now);
                }
                (200, Self::wire(account, project, id, known))
            }
            known => {
                if let Some(known) = known {
                    known.say_gone(now);
                }
                let body = json!({"error_code": "ModelArts.6404", "error_msg": "image not found"});
                (400, body)
            }
        }
    }
}
