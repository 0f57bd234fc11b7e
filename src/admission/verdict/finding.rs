//! What is wrong with one image, for a person and for a machine.
//!
//! Owns the closed vocabulary of reasons and the form of the sentence. Must not know how a finding
//! came about. The invariant that would break first: every finding says what to do.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Every reason of a finding.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $name),* }

        impl Reason {
            /// All reasons, for documentation tests and metrics.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name in messages and metrics.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

reasons! {
    /// The text is no image.
    MalformedImage,
    /// No reference that counts names the image's repository.
    UnknownImage,
    /// References name another tag of the repository.
    OtherTag,
    /// References name another digest, or none.
    OtherDigest,
    /// The image is declared, but its reference may not be used now.
    NotUsable,
    /// No node that the pod selects can run the image.
    WrongArchitecture,
    /// The image is made for another accelerator than the one asked for.
    WrongAccelerator,
    /// The namespace requires a digest, or the name of an ImageRef does.
    DigestRequired,
    /// The digest may be another for the next pod of the same controller.
    MovingDigest,
    /// The object has more images than are judged.
    TooManyImages,
}

/// What is wrong with one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where: `spec.initContainers[0]`; empty if it is about the whole object.
    pub place: String,
    /// The container's or volume's name, if it has one.
    pub name: String,
    /// The image as written, cut.
    pub image: String,
    /// The reason.
    pub reason: Reason,
    /// Namespace and name of the reference that the finding is about.
    pub image_ref: Option<(String, String)>,
    /// What is wrong, as half a sentence.
    pub problem: String,
    /// What to do.
    pub fix: String,
    /// Whether it refuses a pod in mode `enforce`; else it is a warning there.
    pub denies: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if !self.name.is_empty() {
            write!(f, " {:?}", self.name)?;
        }
        if !self.image.is_empty() {
            write!(f, ": image {}", self.image)?;
        }
        if !self.place.is_empty() {
            f.write_str(": ")?;
        }
        write!(
            f,
            "{} ({}). {}",
            self.problem,
            self.reason.as_str(),
            self.fix
        )
    }
}
