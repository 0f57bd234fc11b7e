//! Admission: whether a pod may use its images, answered from memory.
//!
//! Owns the verdict, and what it reads: [`workload`] finds the pods of an object, [`pod`] what
//! counts of each, [`image`] reads an image as a node does, [`known`] holds what is declared,
//! [`configuration`] what the operator set; [`review`] is an API server's question and its answer,
//! [`mutation`] puts images in place of names, and [`catalogue`] is what is declared as one map, for
//! whoever judges without us. Must not know how requests arrive. The invariant that
//! would break first: the same object, references and configuration give the same [`verdict`],
//! wherever it is asked for.

pub mod catalogue;
pub mod configuration;
pub mod image;
pub mod known;
pub mod mutation;
pub mod path;
pub mod pod;
pub mod review;
pub mod verdict;
pub mod workload;

pub use configuration::Configuration;
pub use known::{Known, KnownRef, Unusable};
pub use mutation::{PatchOperation, mutate};
pub use verdict::{
    Context, Decision, Finding, Mode, Operation, Reason, Standing, Verdict, standings, verdict,
};
pub use workload::{Subject, Workload, extract};

/// The label of a namespace that opts in: `enforce`, `warn` or `audit`; any other value enforces.
pub const ADMISSION: &str = "imageref.dev/admission";

/// The label of a namespace that has templates of pods refused too, not only warned about.
pub const ADMISSION_TEMPLATES: &str = "imageref.dev/admission-templates";

/// The label of a namespace whose pods must name images by digest.
pub const REQUIRE_DIGEST: &str = "imageref.dev/require-digest";

/// The label of a namespace that has `imageref://NAME` in pods replaced by the image: `true`.
pub const MUTATE: &str = "imageref.dev/mutate";

/// The annotation of a pod that keeps what was replaced: JSON, by container.
pub const ORIGINAL_IMAGES: &str = "imageref.dev/original-images";
