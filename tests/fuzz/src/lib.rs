//! Targets: every parser of outside data, with what must hold of whatever it reads.
//!
//! Owns the table of targets. Must not know who makes inputs: the engine of `make fuzz`, or the
//! committed corpora that `cargo test -p fuzz` replays. The invariant that would break first: a
//! target that returns has shown what its sentence says; one that panics has found a fault.
//!
//! Targets assert by panicking, as tests do: that is how an engine hears of a finding.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a target reports"
)]

mod admission;
mod cluster;
mod facts;
mod files;
mod identity;
mod input;
mod platform;
mod registry;

/// A parser and what must hold of it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// What it shows, in a sentence; the input's form is where the target is defined.
    pub shows: &'static str,
    /// Takes any bytes.
    ///
    /// # Panics
    /// If the sentence does not hold.
    pub run: fn(&[u8]),
}

macro_rules! targets {
    ($($room:ident::$name:ident: $shows:literal,)*) => {
        /// All targets, by name.
        pub const TARGETS: &[Target] = &[
            $(Target { name: stringify!($name), shows: $shows, run: $room::$name },)*
        ];
    };
}

targets! {
    facts::duration: "durations are those of the CRD's pattern, and are read back as written",
    facts::image_reference: "references, digests and platforms are read back as printed, and errors repeat nothing",
    facts::pod_image: "an image with a node's defaults and mirrors is read back as printed, and its exemption covers it",
    facts::notebook_answer: "a get and a list give equal bounded facts that a status keeps",
    facts::lite_server_answer: "a get and a list give equal bounded facts that a status keeps",
    facts::pai_answer: "a get and a list give equal bounded facts that a status keeps",
    platform::image_list: "a list ends, names each image once, and proves none absent unless it is whole",
    platform::answer_headers: "a pause is bounded and the id of a call is plain text",
    platform::modelarts_error: "an error is one bounded line without the credential",
    platform::pai_error: "an error is one bounded line without the credential",
    identity::issued_keys: "what IAM, STS and metadata services issue shows nowhere, and its times can be planned with",
    identity::identity_error: "an identity service's words are never shown",
    registry::challenge: "a challenge is read back as written, and its realm is a token service of the registry's own",
    registry::manifest: "platforms are bounded, sorted and read back as printed, and errors repeat nothing",
    registry::registry_token: "a token shows nowhere",
    registry::registry_error: "an error is one bounded line without login and token",
    registry::registry_login: "logins of SWR and Container Registry show nowhere and can be sent",
    registry::docker_config: "logins are few, can be sent and show nowhere",
    admission::admission_review: "every review with a uid has an answer that an API server takes, strict about what is not known",
    admission::workload: "pods and images are bounded, an update that changes nothing passes, findings say what to do",
    admission::admission_configuration: "a configuration means the same in JSON, and mistakes are one line",
    files::lock_file: "a lock is read back as written in both forms, and mistakes are one line",
    files::manifest_stream: "problems are lines without control characters or a Secret's values, reports are whole",
    files::custom_resource: "what the CRDs' rules take is read, and nothing more is to be said about it",
    files::endpoint: "an account is asked at the vendor's own origin and nowhere else",
    cluster::token_claims: "a token is of one ServiceAccount and for one audience at most",
    cluster::label_selector: "a rule and its opposite never select the same labels",
    cluster::certificates: "what is kept of the webhook's Secret is read back as written, and shows no key",
    cluster::provider_secret: "errors and printing name keys of a Secret and no value",
}

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
