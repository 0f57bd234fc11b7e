//! The API of the operator: its kinds, their conditions and reasons, and their CRDs.
//!
//! Owns every name a user can write or read in an object of the group `imageref.dev`. Must not
//! know the cluster, the clouds, or the clock. The invariant that would break first: reading is
//! lenient (an object that an older or newer CRD let through still parses), the rules are in the
//! schema, and [`validation`] repeats them word for word for those who read files instead.

pub mod auth;
pub mod condition;
pub mod crd;
pub mod duration;
pub mod image_catalog;
pub mod image_ref;
pub mod limits;
pub mod provider;
pub mod registry;
pub mod selector;
pub mod source;
pub mod status;
pub mod validation;

pub use condition::{ConditionType, Reason};
pub use image_catalog::{
    CatalogImage, CatalogOverflow, ImageCatalog, ImageCatalogSpec, ImageCatalogStatus,
};
pub use image_ref::{DigestPolicy, Expect, ImageRef, ImageRefSpec, ProviderRef};
pub use limits::ProviderLimits;
pub use provider::{ClusterImageProvider, ImageProvider, ProviderKind, ProviderStatus};
pub use registry::{Registry, RegistryAuth};
pub use selector::selects;
pub use source::{LiteServerSource, NotebookSource, PaiSource, Source};
pub use status::{Change, ImageRefStatus, Upstream};

/// The API group of all kinds.
pub const GROUP: &str = "imageref.dev";

/// A new value of this annotation asks for a look at the platform now, and acknowledges a drift.
/// Its first 64 characters come back in `status.lastHandledReconcileAt`.
pub const RECONCILE_REQUESTED_AT: &str = "imageref.dev/reconcile-requested-at";

/// The annotation by which a ServiceAccount's owner allows a provider, by name, to sign in with it.
pub const ALLOW_PROVIDER: &str = "imageref.dev/allow-provider";

/// The name of the provider that an `ImageRef` without `providerRef` uses.
pub const DEFAULT_PROVIDER: &str = "default";
