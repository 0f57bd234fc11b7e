//! The scenarios by name, in their order.
//!
//! Owns the vocabulary. Must not know what a scenario does. The invariant that would break first:
//! names in reports are those on the command line.

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Scenario {
    /// New references, none of them broken, and an operator that starts.
    ColdStart,
    /// The same with 1 % of them broken.
    BrokenRefs,
    /// A cold start beside many Secrets of another namespace; asked for by their number.
    #[value(skip)]
    ForeignSecrets,
    /// An operator that starts with resolved references.
    Restart,
    /// Some intervals in which nothing changes.
    SteadyRefresh,
    /// Two intervals without the cloud.
    Outage,
    /// Some intervals in which nothing changes, and every look asks for the digest.
    DigestRefresh,
    /// Verdicts of admission in this process.
    AdmissionInProcess,
    /// Reviews that the webhook answers from outside, over TLS.
    AdmissionTls,
    /// Pods that the API server asks the webhook about, beside a webhook that does nothing.
    AdmissionApiserver,
}

impl Scenario {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ColdStart => "cold_start",
            Self::BrokenRefs => "broken_refs",
            Self::ForeignSecrets => "foreign_secrets",
            Self::Restart => "restart",
            Self::SteadyRefresh => "steady_refresh",
            Self::Outage => "outage",
            Self::DigestRefresh => "digest_refresh",
            Self::AdmissionInProcess => "admission_in_process",
            Self::AdmissionTls => "admission_tls",
            Self::AdmissionApiserver => "admission_apiserver",
        }
    }
}
