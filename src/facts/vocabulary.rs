//! The vocabularies of the platforms and ours.
//!
//! Owns the normal forms. The invariant that would break first: an unknown word never becomes an
//! error or a known word.

use super::text;

/// The platform API that an image lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Api {
    /// `ModelArts` notebook images.
    Notebook,
    /// `ModelArts` Lite Server images.
    LiteServer,
    /// PAI `AIWorkSpace` images.
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

    /// Reads the words of all three vocabularies, in any case: the documents of notebook images
    /// say `X86_64` and `AARCH64` where the answers have lower case, Lite Server says `X86` and
    /// `ARM`, other parts of `ModelArts` say `x86` and `arm64`.
    ///
    /// ```
    /// use imageref::facts::Arch;
    /// assert_eq!(Arch::parse(" AARCH64\n"), Some(Arch::Arm64));
    /// assert_eq!(Arch::parse("riscv64"), None);
    /// ```
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim();
        let is = |known: &&str| word.eq_ignore_ascii_case(known);
        if ["x86_64", "x86", "amd64"].iter().any(is) {
            Some(Self::Amd64)
        // That `ARM` means 64 bit is inferred: the servers behind it are Kunpeng machines.
        } else if ["aarch64", "arm64", "arm"].iter().any(is) {
            Some(Self::Arm64)
        } else {
            None
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
    const ALL: [Self; 8] = [
        Self::Init,
        Self::Creating,
        Self::CreateFailed,
        Self::Error,
        Self::Deleted,
        Self::Active,
        Self::Inactive,
        Self::Unknown,
    ];

    /// Reads the platform's word in any case; no word and an unknown word are [`Self::Unknown`].
    pub fn parse(word: Option<&str>) -> Self {
        let word = word.unwrap_or_default().trim();
        let known = |status: &Self| word.eq_ignore_ascii_case(status.as_str());
        Self::ALL.into_iter().find(known).unwrap_or(Self::Unknown)
    }

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

/// What an image runs on, as a sorted list in upper case without repeats. Each word may be several
/// separated by commas, as in a PAI label that somebody wrote by hand.
///
/// The words stay open: a new kind of accelerator passes unchanged.
pub fn normalize_accelerators<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Vec<String> {
    let mut kept = Vec::new();
    for word in words {
        let parts = word.as_ref().split(',');
        kept.extend(parts.filter_map(|part| text::clean(part, text::WORD_MAX)));
    }
    // ASCII only: the vocabulary is, and other upper casing can grow a word beyond its cap.
    for word in &mut kept {
        word.make_ascii_uppercase();
    }
    text::sorted(kept)
}
