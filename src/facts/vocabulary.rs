//! The vocabularies of the platforms and ours.
//!
//! Owns the normal forms. The invariant that would break first: an unknown word never becomes an
//! error or a known word.

/// The platform API that an image lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Api {
    /// ModelArts notebook images.
    Notebook,
    /// ModelArts Lite Server images.
    LiteServer,
    /// PAI AIWorkSpace images.
    Pai,
}

impl Api {
    /// The name in spec, status, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notebook => "notebook",
            Self::LiteServer => "liteServer",
            Self::Pai => "pai",
        }
    }
}

/// A CPU architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arch {
    /// `amd64`
    Amd64,
    /// `arm64`
    Arm64,
}

impl Arch {
    /// The spelling of the node label `kubernetes.io/arch`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// The status of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImageStatus {
    /// Being initialised.
    Init,
    /// Being saved.
    Creating,
    /// Saving failed.
    CreateFailed,
    /// An error.
    Error,
    /// Deleted.
    Deleted,
    /// Usable.
    Active,
    /// Lite Server: not usable.
    Inactive,
    /// Not stated, or a word that is not known; the word is in `upstream.status`.
    Unknown,
}

impl ImageStatus {
    /// The spelling in the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Creating => "CREATING",
            Self::CreateFailed => "CREATE_FAILED",
            Self::Error => "ERROR",
            Self::Deleted => "DELETED",
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Unknown => "UNKNOWN",
        }
    }
}
