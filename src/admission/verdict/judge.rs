//! The verdict on one image of one pod.
//!
//! Owns which references are looked at and in which order. Must not know modes. The invariant that
//! would break first: of several failures the mildest is reported, and among equals that of the
//! pod's own namespace, then the first by name, so that the order of arrival never shows.

use super::architecture::{allowed, allows};
use super::context::{Context, is_built_in_controller};
use super::finding::Finding;
use super::problem::Problem;
use crate::admission::configuration::{Configuration, Trust};
use crate::admission::image::PodImage;
use crate::admission::known::{Entry, Known};
use crate::admission::pod::{Container, ImageField, Nodes, Part};
use crate::admission::workload::Subject;
use crate::api::ProviderKind;

/// The most references of a namespace among which the nearest to an unknown image is looked for,
/// by tag and name: a wrong tag must not cost more than a right one.
const MOST_NEAR: usize = 200;

/// Why one reference does not allow an image.
#[derive(Clone, Copy)]
enum Failure<'a> {
    NotUsable,
    Architecture,
    Accelerator { resource: &'a str, kind: &'a str },
    DigestRequired,
}

/// The order of reports: mild failures, the pod's own namespace, name, namespace.
type Rank<'a> = (bool, bool, &'a str, &'a str);

/// Judges the images of one pod.
pub(super) struct Judge<'a> {
    subject: Subject,
    nodes: &'a Nodes<'a>,
    context: &'a Context<'a>,
    known: &'a Known,
    configuration: &'a Configuration,
    /// The shared namespaces other than the pod's.
    shared: Vec<&'a str>,
    recreated: bool,
    /// What was found out about architectures: the same few come up for each image.
    placed: Vec<(&'a str, bool)>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        subject: Subject,
        nodes: &'a Nodes<'a>,
        context: &'a Context<'a>,
        known: &'a Known,
        configuration: &'a Configuration,
    ) -> Self {
        let shared = configuration.shared_namespaces.iter().map(String::as_str);
        Self {
            subject,
            nodes,
            context,
            known,
            configuration,
            shared: shared.filter(|name| *name != context.namespace).collect(),
            recreated: is_built_in_controller(context.user),
            placed: Vec::new(),
        }
    }

    /// What is wrong with the container's image.
    pub(super) fn container(&mut self, spec: &str, container: &Container<'a>) -> Option<Finding> {
        let text = match container.image {
            ImageField::Text(text) => text,
            // Some templates leave an image to whoever makes the pod, which is judged then.
            ImageField::Absent if self.subject == Subject::Template => return None,
            ImageField::Absent | ImageField::NotText => "",
        };
        let (problem, denies) = match PodImage::parse(text, self.known.mirrors()) {
            Ok(image) if self.configuration.exempts(text, &image) => return None,
            Ok(image) => self.image(&image, container)?,
            Err(_) if container.image == ImageField::NotText => {
                (Problem::malformed("it is no text"), true)
            }
            Err(why) => (Problem::malformed(&why), true),
        };
        Some(problem.at(container.place(spec), container.name, text, denies))
    }

    fn image(
        &mut self,
        image: &PodImage,
        container: &Container<'a>,
    ) -> Option<(Problem<'a>, bool)> {
        let mut first: Option<(Rank<'a>, &'a Entry, Failure<'a>)> = None;
        for entry in self.matching(image) {
            // One without a failure allows the image.
            let failure = self.failure(entry, image, container)?;
            let rank = self.rank(entry, !self.is_mild(entry, failure));
            if first.as_ref().is_none_or(|(best, ..)| rank < *best) {
                first = Some((rank, entry, failure));
            }
        }
        let Some(((denies, ..), entry, failure)) = first else {
            return Some((self.unmatched(image), true));
        };
        let problem = match failure {
            Failure::NotUsable => Problem::not_usable(entry),
            Failure::Architecture => {
                Problem::architecture(entry, &allowed(self.nodes, self.configuration))
            }
            Failure::Accelerator { resource, kind } => Problem::accelerator(entry, resource, kind),
            Failure::DigestRequired => Problem::digest_required(entry),
        };
        Some((problem, denies))
    }

    /// The namespaces whose references may count.
    fn namespaces(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let shared = self.shared.clone();
        std::iter::once(self.context.namespace).chain(shared)
    }

    fn rank(&self, entry: &'a Entry, denies: bool) -> Rank<'a> {
        let foreign = *entry.namespace != *self.context.namespace;
        (denies, foreign, &entry.name, &entry.namespace)
    }

    /// The references that count to exactly this image, the pod's namespace first.
    fn matching<'i>(&self, image: &'i PodImage) -> impl Iterator<Item = &'a Entry> + use<'a, 'i> {
        let (known, trust) = (self.known, self.configuration.trust);
        self.namespaces()
            .flat_map(move |namespace| exactly(known, image, namespace))
            .filter(move |entry| counts(trust, entry))
    }

    fn failure(
        &mut self,
        entry: &'a Entry,
        image: &PodImage,
        container: &Container<'a>,
    ) -> Option<Failure<'a>> {
        // What only warns must not hide what refuses.
        let mild = self.is_mild(entry, Failure::NotUsable);
        if entry.unusable.is_some() && !mild {
            return Some(Failure::NotUsable);
        }
        // Nothing is run from a volume; an image that stands alone does not say where it runs.
        let runs = !matches!(container.part, Part::Volumes | Part::Alone);
        if runs && !self.may_be_placed(&entry.architectures) {
            return Some(Failure::Architecture);
        }
        if let Some((resource, kind)) = self.unsupported(entry, container) {
            return Some(Failure::Accelerator { resource, kind });
        }
        if self.context.require_digest && image.digest().is_none() {
            return Some(Failure::DigestRequired);
        }
        mild.then_some(Failure::NotUsable)
    }

    fn may_be_placed(&mut self, architectures: &'a [String]) -> bool {
        // Nobody states it for some images; that is not held against them.
        architectures.is_empty() || architectures.iter().any(|arch| self.places(arch))
    }

    fn places(&mut self, arch: &'a str) -> bool {
        if let Some((_, answer)) = self.placed.iter().find(|(known, _)| *known == arch) {
            return *answer;
        }
        let answer = allows(self.nodes, arch, self.configuration);
        self.placed.push((arch, answer));
        answer
    }

    fn unsupported(&self, entry: &Entry, container: &Container<'a>) -> Option<(&'a str, &'a str)> {
        if entry.accelerators.is_empty() {
            return None;
        }
        let asked = container.resources.iter().filter_map(|resource| {
            Some((
                *resource,
                self.configuration.accelerators.kind_of(resource)?,
            ))
        });
        asked
            .filter(|(_, kind)| !entry.accelerators.iter().any(|a| a == kind))
            .min()
    }

    /// Whether the failure only warns about a pod that a built-in controller makes anew: pods must
    /// not stop healing because a cloud account died.
    fn is_mild(&self, entry: &Entry, failure: Failure<'_>) -> bool {
        let mild = |reason: &str| {
            matches!(reason, "StaleTooLong" | "ImageNotActive") || reason.starts_with("Provider")
        };
        let unusable = entry
            .unusable
            .as_deref()
            .map(|unusable| unusable.reason.as_str());
        self.recreated && matches!(failure, Failure::NotUsable) && unusable.is_some_and(mild)
    }

    /// No reference that counts is to exactly this image: which one comes nearest?
    fn unmatched(&self, image: &PodImage) -> Problem<'a> {
        let (known, repository) = (self.known, image.repository());
        let near = self
            .namespaces()
            .flat_map(|namespace| {
                // The same tag is nearest, however many others there are.
                let tagged = known.tagged(repository, namespace, image.tag());
                let all = known.all_of(repository, namespace);
                tagged.take(MOST_NEAR).chain(all.take(MOST_NEAR))
            })
            .filter(|entry| counts(self.configuration.trust, entry))
            .min_by_key(|entry| {
                let other_tag = match (image.tag(), entry.tag.as_deref()) {
                    (Some(wanted), Some(tag)) => wanted != tag,
                    _ => false,
                };
                let rank = self.rank(entry, entry.unusable.is_some());
                (other_tag, rank)
            });
        if let Some(entry) = near {
            return Problem::other(entry, image);
        }
        // Others' references that do not count are none of the author's business.
        let own = exactly(self.known, image, self.context.namespace);
        match own.min_by_key(|entry| &entry.name) {
            Some(entry) => Problem::untrusted(entry),
            None => Problem::unknown(self.context.namespace, &self.shared),
        }
    }
}

fn counts(trust: Trust, entry: &Entry) -> bool {
    match trust {
        Trust::Cluster => entry.provider == Some(ProviderKind::Cluster),
        Trust::Any => entry.provider.is_some(),
    }
}

/// The references of a namespace to exactly this image, whether they count or not. Where an image
/// has tag and digest, both are compared: a node goes by the digest, a person by the tag.
fn exactly<'a, 'i>(
    known: &'a Known,
    image: &'i PodImage,
    namespace: &str,
) -> impl Iterator<Item = &'a Entry> + use<'a, 'i> {
    let (repository, tag, digest) = (image.repository(), image.tag(), image.digest());
    let tagged = tag.map(|tag| known.tagged(repository, namespace, Some(tag)));
    // The digest says all that a tag could where one of the two has none.
    let untagged =
        (tag.is_some() && digest.is_some()).then(|| known.tagged(repository, namespace, None));
    let all = tag.is_none().then(|| known.all_of(repository, namespace));
    let fits = move |entry: &&Entry| digest.is_none() || entry.digest.as_deref() == digest;
    tagged
        .into_iter()
        .flatten()
        .chain(untagged.into_iter().flatten())
        .chain(all.into_iter().flatten())
        .filter(fits)
}
