//! What the operator's configuration says about admission.
//!
//! Owns the file's shape, its defaults and its checks; the webhook and `imageref check` read the
//! same file. Must not know where it lies. The invariant that would break first: a file with a
//! mistake is refused whole, with what to write instead; it never means less than it says.

use super::image::{Exemption, Mirror, Mirrors, PodImage};
use super::path::FieldPath;
use super::workload::known_kinds;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most entries of any list or map of the file.
const MOST: usize = 1000;

/// The file, as written.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct File {
    /// Which references count.
    pub trust: Trust,
    /// Namespaces whose references count everywhere.
    pub shared_namespaces: Vec<String>,
    /// Images that are not judged: `HOST/`, `HOST/PATH/`, `HOST/PATH` or `HOST/PATH:TAG`.
    pub exempt: Vec<String>,
    /// Mirrors and VPC hosts, and what they stand for.
    pub mirrors: Vec<Mirror>,
    /// The architectures of the nodes that a pod may land on that selects none; empty: any.
    pub default_architectures: Vec<String>,
    /// Node pools by the labels that select them.
    pub pools: Vec<Pool>,
    /// Extended resources, exact or ending in `*`, and the kind of image they are for. Added to
    /// the defaults; an empty kind takes one out.
    pub accelerators: BTreeMap<String, String>,
    /// Further kinds that hold pod templates; an entry replaces the default for its kind.
    pub workloads: Vec<WorkloadKind>,
}

/// What is wrong with a file, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Mistake {
    /// The line, counted from one, if it is not the field that says where.
    pub line: Option<u64>,
    /// One line of text.
    pub message: String,
}

/// Which references count in a verdict.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum Trust {
    /// Those resolved through a ClusterImageProvider.
    #[default]
    Cluster,
    /// Those resolved through an ImageProvider of their namespace too. Whoever may create one can
    /// then approve images.
    Any,
}

/// Nodes that carry these labels have one of these architectures.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pool {
    /// The labels, all of them.
    pub labels: BTreeMap<String, String>,
    /// The architectures, in the spelling of `kubernetes.io/arch`.
    pub architectures: Vec<String>,
}

/// Where an object of a kind holds pod templates and images.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkloadKind {
    /// The API group, without a version.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// Paths to pod templates: objects with `spec`.
    #[serde(default)]
    pub templates: Vec<String>,
    /// Paths to texts that are images.
    #[serde(default)]
    pub images: Vec<String>,
}

/// Where a kind holds what is judged, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WorkloadPaths {
    pub(super) templates: Vec<FieldPath>,
    pub(super) images: Vec<FieldPath>,
}

/// The configuration, checked and read.
#[derive(Clone, Debug)]
pub struct Configuration {
    pub(super) trust: Trust,
    pub(super) shared_namespaces: Vec<String>,
    pub(super) exempt: Vec<Exemption>,
    pub(super) mirrors: Mirrors,
    pub(super) default_architectures: Vec<String>,
    pub(super) pools: Vec<Pool>,
    pub(super) accelerators: Accelerators,
    pub(super) workloads: BTreeMap<(String, String), WorkloadPaths>,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            trust: Trust::default(),
            shared_namespaces: Vec::new(),
            exempt: Vec::new(),
            mirrors: Mirrors::default(),
            default_architectures: Vec::new(),
            pools: Vec::new(),
            accelerators: Accelerators::default(),
            workloads: known_kinds(),
        }
    }
}

impl Configuration {
    /// Reads the text of a file, YAML or JSON. An empty text is the defaults.
    ///
    /// # Errors
    /// What is wrong, where, and what to write instead.
    pub fn read(text: &str) -> Result<Self, Mistake> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let file: File = serde_saphyr::from_str(text).map_err(|error| Mistake {
            line: error.location().map(|location| location.line()),
            message: error.without_snippet().to_string(),
        })?;
        Self::new(file).map_err(|message| Mistake {
            line: None,
            message,
        })
    }

    /// Checks what was read.
    ///
    /// # Errors
    /// The field, what is wrong, and what to write instead.
    pub fn new(file: File) -> Result<Self, String> {
        let File {
            trust,
            mut shared_namespaces,
            exempt,
            mirrors,
            default_architectures,
            pools,
            accelerators,
            workloads,
        } = file;
        let sizes = [
            ("sharedNamespaces", shared_namespaces.len()),
            ("exempt", exempt.len()),
            ("mirrors", mirrors.len()),
            ("pools", pools.len()),
            ("accelerators", accelerators.len()),
            ("workloads", workloads.len()),
        ];
        if let Some((field, size)) = sizes.into_iter().find(|(_, size)| *size > MOST) {
            return Err(format!("{field}: {size} entries, and {MOST} are read"));
        }
        if let Some(name) = shared_namespaces.iter().find(|name| !is_label(name)) {
            return Err(format!(
                "sharedNamespaces: {name:?} is no name of a namespace"
            ));
        }
        shared_namespaces.sort_unstable();
        shared_namespaces.dedup();
        let exempt: Result<Vec<_>, _> = exempt.iter().map(|text| Exemption::parse(text)).collect();
        architectures("defaultArchitectures", &default_architectures)?;
        check_pools(&pools)?;
        Ok(Self {
            trust,
            shared_namespaces,
            exempt: exempt.map_err(|why| format!("exempt: {why}"))?,
            mirrors: Mirrors::new(&mirrors).map_err(|why| format!("mirrors: {why}"))?,
            default_architectures,
            pools,
            accelerators: Accelerators::new(accelerators)?,
            workloads: read_workloads(workloads)?,
        })
    }

    /// The mirrors that references are to be indexed with.
    pub fn mirrors(&self) -> &Mirrors {
        &self.mirrors
    }

    /// The namespaces whose references count everywhere, sorted.
    pub fn shared_namespaces(&self) -> &[String] {
        &self.shared_namespaces
    }

    /// The groups and kinds that hold pod templates; sorted.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, &str)> {
        let kinds = self.workloads.keys();
        kinds.map(|(group, kind)| (group.as_str(), kind.as_str()))
    }

    /// Whether the image is left alone. Read both as written and behind its mirror, so that an
    /// exemption may name either.
    pub(super) fn exempts(&self, written: &str, image: &PodImage) -> bool {
        if self.exempt.is_empty() {
            return false;
        }
        let written = PodImage::as_written(written).ok();
        let covers = |exemption: &Exemption| {
            exemption.covers(image) || written.as_ref().is_some_and(|w| exemption.covers(w))
        };
        self.exempt.iter().any(covers)
    }
}

fn is_label(name: &str) -> bool {
    let word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 63
        && name.bytes().next().is_some_and(word)
        && name.bytes().last().is_some_and(word)
        && name.bytes().all(|c| word(c) || c == b'-')
}

/// A node says `amd64`, and whoever writes `x86_64` here would never match one.
fn architectures(field: &str, list: &[String]) -> Result<(), String> {
    let known = |name: &str| {
        !name.is_empty()
            && name.len() <= 63
            && name
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
            && !matches!(name, "aarch64" | "x86")
    };
    match list.iter().find(|name| !known(name)) {
        Some(name) => Err(format!(
            "{field}: {name:?} is no architecture: write it as the node label kubernetes.io/arch does, such as amd64 or arm64"
        )),
        None => Ok(()),
    }
}

fn check_pools(pools: &[Pool]) -> Result<(), String> {
    for (n, pool) in pools.iter().enumerate() {
        let field = format!("pools[{n}]");
        if pool.labels.is_empty() {
            return Err(format!(
                "{field}.labels: empty: name the labels that select the pool, or use defaultArchitectures for pods that select none"
            ));
        }
        if pool.architectures.is_empty() {
            return Err(format!(
                "{field}.architectures: empty: name those of the pool's nodes, such as arm64"
            ));
        }
        architectures(&format!("{field}.architectures"), &pool.architectures)?;
        if pools[..n].iter().any(|other| other.labels == pool.labels) {
            return Err(format!(
                "{field}.labels: a pool with the same labels is there already: give that one both architectures"
            ));
        }
    }
    Ok(())
}

fn read_workloads(
    workloads: Vec<WorkloadKind>,
) -> Result<BTreeMap<(String, String), WorkloadPaths>, String> {
    let mut known = known_kinds();
    for (n, workload) in workloads.into_iter().enumerate() {
        let paths = |field: &str, list: &[String]| -> Result<Vec<_>, String> {
            list.iter()
                .map(|text| FieldPath::parse(text))
                .collect::<Result<_, _>>()
                .map_err(|why| format!("workloads[{n}].{field}: {why}"))
        };
        let read = WorkloadPaths {
            templates: paths("templates", &workload.templates)?,
            images: paths("images", &workload.images)?,
        };
        if workload.kind.is_empty() {
            return Err(format!(
                "workloads[{n}].kind: empty: write it such as PyTorchJob"
            ));
        }
        if workload.group.is_empty() && workload.kind == "Pod" {
            return Err(format!(
                "workloads[{n}]: a Pod is read as it is: remove the entry"
            ));
        }
        if workload.group.contains('/') {
            return Err(format!(
                "workloads[{n}].group: {:?} has a version: write the group alone",
                workload.group
            ));
        }
        known.insert((workload.group, workload.kind), read);
    }
    Ok(known)
}

/// Extended resources and the kind of image that they are for.
#[derive(Clone, Debug)]
pub(super) struct Accelerators {
    exact: BTreeMap<String, String>,
    /// Longest first, so that the first that fits is the narrowest.
    prefixes: Vec<(String, String)>,
}

/// What the device plugins of both clouds and the open ones call their devices: NVIDIA's plugin
/// (whole, shared and MIG), ACK's GPU sharing, CCE's and Volcano's GPU sharing, Ascend's plugin
/// (`Ascend910`, `Ascend310P`, …) and CCE's (`ascend-1980`, `ascend-310`), ACK's PPU plugin.
const KNOWN: &[(&str, &str)] = &[
    ("nvidia.com/gpu", "GPU"),
    ("nvidia.com/gpu.shared", "GPU"),
    ("nvidia.com/mig-*", "GPU"),
    ("aliyun.com/gpu-*", "GPU"),
    ("volcano.sh/gpu-*", "GPU"),
    ("volcano.sh/vgpu-*", "GPU"),
    ("huawei.com/Ascend*", "ASCEND"),
    ("huawei.com/ascend*", "ASCEND"),
    ("huawei.com/npu", "ASCEND"),
    ("alibabacloud.com/ppu", "PPU"),
    ("alibabacloud.com/ppu-*", "PPU"),
    ("aliyun.com/ppu", "PPU"),
];

impl Default for Accelerators {
    fn default() -> Self {
        let known = KNOWN.iter();
        Self::from_map(known.map(|(k, v)| ((*k).into(), (*v).into())).collect())
    }
}

impl Accelerators {
    fn new(entries: BTreeMap<String, String>) -> Result<Self, String> {
        let known = KNOWN.iter();
        let mut map: BTreeMap<_, _> = known.map(|(k, v)| ((*k).into(), (*v).into())).collect();
        for (resource, kind) in entries {
            let name = resource.strip_suffix('*').unwrap_or(&resource);
            if !name.contains('/') || name.contains('*') {
                return Err(format!(
                    "accelerators: {resource:?} is no extended resource: write its whole name, or the beginning of one with * behind it, such as huawei.com/Ascend*"
                ));
            }
            map.insert(resource, kind.trim().to_ascii_uppercase());
        }
        Ok(Self::from_map(map))
    }

    fn from_map(map: BTreeMap<String, String>) -> Self {
        let (mut prefixes, mut exact) = (Vec::new(), BTreeMap::new());
        for (resource, kind) in map {
            match resource.strip_suffix('*') {
                Some(prefix) => prefixes.push((prefix.to_owned(), kind)),
                None => {
                    exact.insert(resource, kind);
                }
            }
        }
        prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Self { exact, prefixes }
    }

    /// The kind of image that the resource is for, if it is known.
    pub(super) fn kind_of(&self, resource: &str) -> Option<&str> {
        let by_prefix = || {
            let fits = |(prefix, _): &&(String, String)| resource.starts_with(prefix.as_str());
            self.prefixes.iter().find(fits).map(|(_, kind)| kind)
        };
        let kind = self.exact.get(resource).or_else(by_prefix)?;
        (!kind.is_empty()).then_some(kind)
    }
}
