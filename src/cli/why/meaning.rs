//! What each reason means in plain words, and what to do next.
//!
//! Owns the sentences. Must not know an object: what is true of one alone stands in its message. The
//! invariant that would break first: every reason has a sentence, which the compiler sees to.

use crate::api::Reason;

/// What a reason means.
pub(super) struct Meaning {
    /// One sentence.
    pub(super) sentence: &'static str,
    /// What to do; `None` if there is nothing to do.
    pub(super) step: Option<&'static str>,
}

/// The page about a reason.
pub(super) fn page(reason: Reason) -> String {
    format!("docs/reasons/{}.md", reason.as_str())
}

/// The reason of this name.
pub(super) fn reason(name: &str) -> Option<Reason> {
    let mut all = Reason::ALL.iter().copied();
    all.find(|reason| reason.as_str() == name)
}

/// What a reason means on any condition, and what to do about it.
#[expect(
    clippy::too_many_lines,
    reason = "one row a reason; a table would not be checked for completeness"
)]
pub(super) const fn meaning(reason: Reason) -> Meaning {
    let (sentence, step) = match reason {
        Reason::Resolved => (
            "The platform has the image, it meets what is expected of it, and it may be used.",
            None,
        ),
        Reason::ServingStale => (
            "The last good answer may still be used, although the platform could not confirm it when it was due.",
            Some("Mend what Stale names before maxStaleness is over."),
        ),
        Reason::Suspended => (
            "Nobody looks, because spec.suspend of the ImageRef or of its provider is set; what was known is kept.",
            Some("Resume it, in its manifest if a tool keeps it."),
        ),
        Reason::Progressing => (
            "There is no answer yet, and the operator keeps trying.",
            Some("Wait, and mend what the message names if it stays."),
        ),
        Reason::ImageNotFound => (
            "The platform does not have the image.",
            Some("Correct spec.source, or restore the image on the platform and ask for a look."),
        ),
        Reason::ImageNotActive => (
            "The platform has the image, and it is not in the state ACTIVE.",
            Some(
                "Wait while it is being built; else use another image, or mend it on the platform.",
            ),
        ),
        Reason::AmbiguousMatch => (
            "More than one image has this name.",
            Some(
                "Name one by its id, or narrow spec.source by tag, organization, type or workspace.",
            ),
        ),
        Reason::ExpectationFailed => (
            "The image is there, and it is not what spec.expect asks for.",
            Some("Choose another image, or change spec.expect."),
        ),
        Reason::ProviderNotFound => (
            "The provider that the ImageRef names does not exist.",
            Some("Create the provider, or name another one in spec.providerRef."),
        ),
        Reason::ProviderNotReady => (
            "The provider exists, and it cannot sign in or be asked now.",
            Some("Look at the provider's own Ready condition, and mend what it says."),
        ),
        Reason::ProviderNotAllowed => (
            "The provider does not serve this namespace, or does not accept this image.",
            Some(
                "Ask its owner to add the namespace or the image to its allowedNamespaces or accept, or use another provider.",
            ),
        ),
        Reason::AuthenticationFailed => (
            "The platform refuses the provider's credentials.",
            Some(
                "Renew the credentials of the provider; it is tried again when they have changed.",
            ),
        ),
        Reason::PermissionDenied => (
            "The platform knows the credentials, and does not permit this call.",
            Some("Grant the provider's account the right that the message names."),
        ),
        Reason::InvalidSpec => (
            "The spec cannot be resolved as it is written.",
            Some("Change the spec as the message says."),
        ),
        Reason::StaleTooLong => (
            "The last good answer is older than maxStaleness, so nobody vouches for it any more.",
            Some("Mend what Stale names; a longer spec.maxStaleness buys time."),
        ),
        Reason::NewGeneration => (
            "The spec is new or was edited, and the image is being looked up.",
            None,
        ),
        Reason::ReconcileRequested => {
            ("A look was asked for, and it waits for the provider.", None)
        }
        Reason::ProgressingWithRetry => (
            "A look failed in passing, or the image is still being built; the operator tries again.",
            None,
        ),
        Reason::RateLimited => (
            "The platform asks for fewer requests, and the operator keeps to it.",
            Some("Wait; lower the provider's spec.limits if it happens often."),
        ),
        Reason::NotThrottled => ("The platform takes requests.", None),
        Reason::ProviderUnreachable => (
            "The platform cannot be reached from the operator.",
            Some(
                "Check DNS, proxy, egress rules and certificates between the operator and the platform.",
            ),
        ),
        Reason::ProviderError => (
            "The platform answers with an error of its own.",
            Some("Wait, and look at the platform's own status page."),
        ),
        Reason::ResponseInvalid => (
            "What came back is not an answer of the platform that can be read.",
            Some("Check whether a proxy answers in the platform's place."),
        ),
        Reason::NotFoundUnconfirmed => (
            "The image was missing once; a second look at least five minutes later decides.",
            Some(
                "Restore the image on the platform before that look, if it was deleted by mistake.",
            ),
        ),
        Reason::RegistryUnreachable => (
            "The image's registry cannot be reached, or answers with an error of its own.",
            Some(
                "Check the way from the operator to the registry; the platform's answer stands meanwhile.",
            ),
        ),
        Reason::RegistryDenied => (
            "The image's registry refuses the read, or does not have what the platform lists.",
            Some("Give the provider a login for the registry, or push the tag again."),
        ),
        Reason::Met => ("The image is what spec.expect asks for.", None),
        Reason::ArchMismatch => (
            "The image is for another architecture than spec.expect.arch asks for.",
            Some("Choose an image for that architecture, or change spec.expect.arch."),
        ),
        Reason::StatusMismatch => (
            "The image's status is none of spec.expect.status.",
            Some("Choose another image, or change spec.expect.status."),
        ),
        Reason::AcceleratorMismatch => (
            "The image does not support an accelerator of spec.expect.accelerators.",
            Some("Choose an image for it, or change spec.expect.accelerators."),
        ),
        Reason::ServerTypeMismatch => (
            "The machine image is for another server type than spec.expect.serverType asks for.",
            Some("Choose another image, or change spec.expect.serverType."),
        ),
        Reason::DigestMismatch => (
            "The registry has another image under the path than spec.expect.digest says.",
            Some("Find out who pushed it; then use another path, or change spec.expect.digest."),
        ),
        Reason::PathNotAllowed => (
            "The image's path begins with none of spec.expect.pathPrefixes.",
            Some("Choose an image of an allowed place, or change spec.expect.pathPrefixes."),
        ),
        Reason::PlatformMismatch => (
            "The registry holds the image for another architecture than the platform states.",
            Some(
                "Trust the registry, and have the image's architecture corrected on the platform.",
            ),
        ),
        Reason::FactUnavailable => (
            "Something is expected of a fact that nobody states, or that was not read yet.",
            Some("Wait if the registry is still to be read; else take that expectation out."),
        ),
        Reason::DigestChanged => (
            "Somebody pushed another image under the same tag.",
            Some(
                "Check that this was meant; an edit of the spec, or a requested look, acknowledges it.",
            ),
        ),
        Reason::PathChanged => (
            "The image has another path now.",
            Some(
                "Check that this was meant; an edit of the spec, or a requested look, acknowledges it.",
            ),
        ),
        Reason::ArchChanged => (
            "The image has another architecture now.",
            Some(
                "Check that this was meant; an edit of the spec, or a requested look, acknowledges it.",
            ),
        ),
        Reason::StatusChanged => (
            "The image has another status now.",
            Some(
                "Check that this was meant; an edit of the spec, or a requested look, acknowledges it.",
            ),
        ),
        Reason::ImageReplaced => (
            "Another image has the name now.",
            Some(
                "Check that this was meant; an edit of the spec, or a requested look, acknowledges it.",
            ),
        ),
        Reason::CredentialsRead => ("The provider's Secret holds usable credentials.", None),
        Reason::CredentialsIssued => (
            "The cloud issued credentials for the provider's proof of identity.",
            None,
        ),
        Reason::SecretNotFound => (
            "The provider's Secret does not exist.",
            Some("Create the Secret in the namespace that the message names."),
        ),
        Reason::SecretInvalid => (
            "The provider's Secret lacks keys, or they cannot be used.",
            Some("Correct the keys of the Secret as the message says."),
        ),
        Reason::ServiceAccountNotFound => (
            "The ServiceAccount that the provider acts as does not exist.",
            Some("Create the ServiceAccount that the message names."),
        ),
        Reason::ServiceAccountNotAllowed => (
            "The ServiceAccount does not allow this provider to act as it.",
            Some(
                "Have its owner annotate it with imageref.dev/allow-provider and the provider's name.",
            ),
        ),
        Reason::IdentityUnavailable => (
            "What the provider's form of identity needs, of the operator or of the cloud, is not there.",
            Some("Give the right, flag, file or endpoint that the message names."),
        ),
        Reason::EndpointNotAllowed => (
            "The provider's endpoint is neither the vendor's own nor allowed by the operator.",
            Some("Remove the endpoint, or have the operator run with --allow-endpoint."),
        ),
        Reason::ListComplete => ("The lists that answer for many ImageRefs are whole.", None),
        Reason::ListTooLong => (
            "A list of the platform is longer than the operator reads; ImageRefs are asked about one by one.",
            Some("Name images by id, or split them over workspaces."),
        ),
        Reason::ListDenied => (
            "The credentials may not read a list; ImageRefs are asked about one by one.",
            Some("Grant the right to list images."),
        ),
        Reason::ListFailed => (
            "The platform's answer to a list cannot be used; ImageRefs are asked about one by one.",
            Some("Wait, and look at the operator's log if it stays."),
        ),
        Reason::CatalogComplete => ("Every ImageRef that counts is in the catalogue.", None),
        Reason::CatalogFull => (
            "The catalogue has no room for all ImageRefs.",
            Some("Select fewer of them by the catalogue's spec.selector."),
        ),
    };
    Meaning { sentence, step }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_reason_has_one_sentence_a_step_of_its_own_and_a_page() {
        for reason in Reason::ALL.iter().copied() {
            let name = reason.as_str();
            let Meaning { sentence, step } = meaning(reason);
            for text in [Some(sentence), step].into_iter().flatten() {
                assert!(
                    text.ends_with('.') && !text.contains(". "),
                    "{name}: {text}"
                );
                assert!(
                    text.starts_with(|c: char| c.is_uppercase()),
                    "{name}: {text}"
                );
            }
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            assert!(root.join(page(reason)).is_file(), "{name}");
            assert_eq!(super::reason(name), Some(reason));
        }
        assert_eq!(reason("Other"), None);
    }
}
