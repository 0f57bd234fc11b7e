//! What a reference is about: one question to one platform through one provider.
//!
//! Owns the validated form of a source and the hash that facts are tied to. Must not know
//! credentials or limits: changing those keeps the facts. The invariant that would break first:
//! two different targets never share a hash, and everything that reaches a URL path was checked.

use crate::api::{ProviderKind, ProviderRef, Source};
use crate::facts::Api;
use sha2::{Digest, Sha256};

/// Bound on a text of a source, in characters.
const LONGEST_TEXT: usize = 512;

/// Names a provider object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderId {
    /// Its kind.
    pub kind: ProviderKind,
    /// Its namespace; `None` for the cluster kind.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ProviderId {
    /// The form that a status shows.
    pub fn to_ref(&self) -> ProviderRef {
        ProviderRef {
            kind: self.kind.as_str().into(),
            name: self.name.clone(),
        }
    }
}

impl std::fmt::Display for ProviderId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind.as_str(), self.name),
            None => write!(f, "{} {}", self.kind.as_str(), self.name),
        }
    }
}

/// Where a provider's platform is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Account {
    /// A ModelArts project.
    ModelArts {
        /// Origin, such as `https://modelarts.cn-north-4.myhuaweicloud.com`.
        endpoint: String,
        /// Region.
        region: String,
        /// Project.
        project_id: String,
        /// Workspace for names; `0` if none is set.
        workspace_id: String,
    },
    /// PAI in one region.
    Pai {
        /// Origin, such as `https://aiworkspace.cn-shanghai.aliyuncs.com`.
        endpoint: String,
        /// Region.
        region: String,
        /// Workspace for names.
        workspace_id: Option<String>,
    },
}

/// A checked source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Query {
    /// ShowImage.
    NotebookId(String),
    /// ListImage by exact name.
    NotebookName {
        /// Name.
        name: String,
        /// Tag to narrow by.
        tag: Option<String>,
        /// SWR organization to narrow by.
        organization: Option<String>,
        /// `BUILD_IN` or `DEDICATED`; both if `None`.
        type_: Option<String>,
        /// Workspace.
        workspace_id: String,
    },
    /// GetDevServerImage.
    LiteServerId(String),
    /// ListDevServerImages by exact name.
    LiteServerName {
        /// Name.
        name: String,
        /// `BMS`, `ECS` or `HPS`.
        server_type: Option<String>,
    },
    /// GetImage.
    PaiId(String),
    /// ListImages by exact name.
    PaiName {
        /// Name.
        name: String,
        /// Workspace.
        workspace_id: Option<String>,
    },
}

impl Query {
    /// The API that answers it.
    pub const fn api(&self) -> Api {
        match self {
            Self::NotebookId(_) | Self::NotebookName { .. } => Api::Notebook,
            Self::LiteServerId(_) | Self::LiteServerName { .. } => Api::LiteServer,
            Self::PaiId(_) | Self::PaiName { .. } => Api::Pai,
        }
    }

    /// Checks a source against the account it is to be asked of.
    ///
    /// # Errors
    /// One sentence that says what to write instead.
    pub fn new(source: &Source, account: &Account) -> Result<Self, String> {
        check_texts(source)?;
        match (source, account) {
            (
                Source { notebook: Some(source), lite_server: None, pai: None },
                Account::ModelArts { workspace_id, .. },
            ) => match (&source.id, &source.name) {
                (Some(id), None) if is_uuid(id) => Ok(Self::NotebookId(id.clone())),
                (Some(_), None) => Err("source.notebook.id must be a lower-case UUID".into()),
                (None, Some(name)) => Ok(Self::NotebookName {
                    name: name.clone(),
                    tag: source.tag.clone(),
                    organization: source.organization.clone(),
                    type_: source.type_.clone(),
                    workspace_id: source.workspace_id.clone().unwrap_or_else(|| workspace_id.clone()),
                }),
                _ => Err("source.notebook: set either id or name".into()),
            },
            (
                Source { notebook: None, lite_server: Some(source), pai: None },
                Account::ModelArts { .. },
            ) => match (&source.id, &source.name) {
                (Some(id), None) if is_uuid(id) => Ok(Self::LiteServerId(id.clone())),
                (Some(_), None) => Err("source.liteServer.id must be a lower-case UUID".into()),
                (None, Some(name)) => Ok(Self::LiteServerName {
                    name: name.clone(),
                    server_type: source.server_type.clone(),
                }),
                _ => Err("source.liteServer: set either id or name".into()),
            },
            (
                Source { notebook: None, lite_server: None, pai: Some(source) },
                Account::Pai { workspace_id, .. },
            ) => match (&source.id, &source.name) {
                (Some(id), None) if is_pai_id(id) => Ok(Self::PaiId(id.clone())),
                (Some(_), None) => {
                    Err("source.pai.id must be image- followed by letters and digits".into())
                }
                (None, Some(name)) => Ok(Self::PaiName {
                    name: name.clone(),
                    workspace_id: source.workspace_id.clone().or_else(|| workspace_id.clone()),
                }),
                _ => Err("source.pai: set either id or name".into()),
            },
            (Source { notebook: None, lite_server: None, pai: Some(_) }, Account::ModelArts { .. }) => Err(
                "source.pai needs a provider with spec.pai, and this one has spec.modelArts: name another in providerRef".into(),
            ),
            (Source { pai: None, .. }, Account::Pai { .. })
                if source.notebook.is_some() != source.lite_server.is_some() =>
            {
                Err("this source needs a provider with spec.modelArts, and this one has spec.pai: name another in providerRef".into())
            }
            _ => Err("source: set exactly one of notebook, liteServer and pai".into()),
        }
    }
}

impl std::fmt::Display for Query {
    /// For people: what was asked for, with everything that narrowed it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let narrowed = |f: &mut std::fmt::Formatter<'_>, by: &[(&str, Option<&String>)]| {
            by.iter()
                .filter_map(|(what, value)| Some((what, (*value)?)))
                .try_for_each(|(what, value)| write!(f, ", {what} {value}"))
        };
        match self {
            Self::NotebookId(id) => write!(f, "notebook image {id}"),
            Self::NotebookName {
                name,
                tag,
                organization,
                type_,
                workspace_id,
            } => {
                write!(f, "notebook image named {name}")?;
                let by = [
                    ("tag", tag.as_ref()),
                    ("organization", organization.as_ref()),
                    ("type", type_.as_ref()),
                    ("workspace", Some(workspace_id)),
                ];
                narrowed(f, &by)
            }
            Self::LiteServerId(id) => write!(f, "Lite Server image {id}"),
            Self::LiteServerName { name, server_type } => {
                write!(f, "Lite Server image named {name}")?;
                narrowed(f, &[("server type", server_type.as_ref())])
            }
            Self::PaiId(id) => write!(f, "PAI image {id}"),
            Self::PaiName { name, workspace_id } => {
                write!(f, "PAI image named {name}")?;
                narrowed(f, &[("workspace", workspace_id.as_ref())])
            }
        }
    }
}

/// One question to one platform through one provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The provider.
    pub provider: ProviderId,
    /// Where it asks.
    pub account: Account,
    /// What it asks.
    pub query: Query,
}

/// Hash of the source as written: the first half of `status.resolvedFor`.
pub fn source_hash(source: &Source) -> String {
    hash(&serde_json::to_string(source).unwrap_or_default())
}

impl Target {
    /// Hash of the provider and the place it asks: the second half of `status.resolvedFor`.
    pub fn account_hash(&self) -> String {
        // The parts are free of line feeds, so the joined text is unambiguous.
        let provider = self.provider.to_string();
        let text = match &self.account {
            Account::ModelArts {
                endpoint,
                region,
                project_id,
                workspace_id,
            } => [
                &provider,
                "modelArts",
                endpoint,
                region,
                project_id,
                workspace_id,
            ]
            .join("\n"),
            Account::Pai {
                endpoint,
                region,
                workspace_id,
            } => {
                let workspace_id = workspace_id.as_deref().unwrap_or_default();
                [&provider, "pai", endpoint, region, workspace_id].join("\n")
            }
        };
        hash(&text)
    }

    /// `status.resolvedFor` of facts about this target.
    pub fn resolved_for(&self, source: &Source) -> String {
        format!("{}-{}", source_hash(source), self.account_hash())
    }
}

fn hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes())[..8])
}

/// Bounds on the texts that narrow a list, whatever the schema of the kind promised: the longest
/// that the schema allows, and no control characters, which no fact of an image has either.
fn check_texts(source: &Source) -> Result<(), String> {
    let notebook = source.notebook.iter().flat_map(|source| {
        [
            ("notebook.name", &source.name),
            ("notebook.tag", &source.tag),
            ("notebook.organization", &source.organization),
            ("notebook.type", &source.type_),
            ("notebook.workspaceId", &source.workspace_id),
        ]
    });
    let lite_server = source.lite_server.iter().flat_map(|source| {
        [
            ("liteServer.name", &source.name),
            ("liteServer.serverType", &source.server_type),
        ]
    });
    let pai = source.pai.iter().flat_map(|source| {
        [
            ("pai.name", &source.name),
            ("pai.workspaceId", &source.workspace_id),
        ]
    });
    for (field, text) in notebook.chain(lite_server).chain(pai) {
        let Some(text) = text else { continue };
        let fits = (1..=LONGEST_TEXT).contains(&text.chars().count());
        if !fits || text.chars().any(char::is_control) {
            return Err(format!(
                "source.{field} must have 1 to {LONGEST_TEXT} characters and no control characters"
            ));
        }
    }
    Ok(())
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

fn is_pai_id(text: &str) -> bool {
    text.strip_prefix("image-").is_some_and(|rest| {
        (1..=64).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}
