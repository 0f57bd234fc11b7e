//! The verdict on one image of one pod.
//!
//! Owns which references are looked at and in which order. Must not know modes. The invariant that
//! would break first: of several failures the mildest is reported, and among equals that of the
//! pod's own namespace, then the first by name, so that the order of arrival never shows.

use super::Standing;
use super::architecture::{allowed, allows};
use super::context::{Context, heals, is_built_in_controller};
use super::finding::Finding;
use super::named::{Asker, SCHEME, resolve};
use super::problem::Problem;
use crate::admission::configuration::{Configuration, Trust};
use crate::admission::image::PodImage;
use crate::admission::known::{Entry, Known, Of};
use crate::admission::pod::{Container, ImageField, Nodes, Part};
use crate::admission::workload::Subject;
use crate::api::ProviderKind;
use std::cell::RefCell;

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
    /// The namespaces whose references may count: the pod's, then the shared ones.
    namespaces: Vec<&'a str>,
    recreated: bool,
    /// What was found out about architectures: the same few come up for each image.
    placed: RefCell<Vec<(&'a str, bool)>>,
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
        let others = shared.filter(|name| *name != context.namespace);
        Self {
            subject,
            nodes,
            context,
            known,
            configuration,
            namespaces: std::iter::once(context.namespace).chain(others).collect(),
            recreated: is_built_in_controller(context.user),
            placed: RefCell::default(),
        }
    }

    /// What is wrong with the container's image.
    pub(super) fn container(&self, spec: &str, container: &Container<'a>) -> Option<Finding> {
        let text = match container.image {
            ImageField::Text(text) => text,
            // Some templates leave an image to whoever makes the pod, which is judged then.
            ImageField::Absent if self.subject == Subject::Template => return None,
            ImageField::Absent | ImageField::NotText => "",
        };
        let named = text.starts_with(SCHEME).then(|| self.named(text));
        let image = match named {
            Some(Err(problem)) => {
                return Some(problem.at(container.place(spec), container.name, text, true));
            }
            Some(Ok(image)) => PodImage::parse(&image, self.known.mirrors()),
            None => PodImage::parse(text, self.known.mirrors()),
        };
        let (problem, denies) = match image {
            Ok(image) if self.configuration.exempts(text, &image) => return None,
            Ok(image) => self.image(&image, container)?,
            Err(_) if container.image == ImageField::NotText => {
                (Problem::malformed("it is no text"), true)
            }
            Err(why) => (Problem::malformed(&why), true),
        };
        Some(problem.at(container.place(spec), container.name, text, denies))
    }

    /// What a name stands for. A template holds names until its pods are made, which are judged
    /// with images in their place.
    fn named(&self, text: &str) -> Result<String, Problem<'a>> {
        if !self.context.mutates || self.subject == Subject::Pod {
            return Err(Problem::not_replaced(self.context.mutates));
        }
        let asker = Asker {
            namespace: self.context.namespace,
            user: self.context.user,
            of_controller: true,
        };
        resolve(text, &asker, self.known, self.configuration)
    }

    fn image(&self, image: &PodImage, container: &Container<'a>) -> Option<(Problem<'a>, bool)> {
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

    fn rank(&self, entry: &'a Entry, denies: bool) -> Rank<'a> {
        let foreign = *entry.namespace != *self.context.namespace;
        (denies, foreign, &entry.name, &entry.namespace)
    }

    /// The references that count to exactly this image, the pod's namespace first.
    fn matching(&self, image: &PodImage) -> impl Iterator<Item = &'a Entry> {
        let (known, trusted) = (self.known, trusted(self.configuration.trust));
        let namespaces = self.namespaces.iter();
        namespaces
            .flat_map(move |namespace| known.exactly(image, namespace))
            .filter(|entry| entry.provider.is_some_and(|kind| trusted.contains(&kind)))
    }

    /// What an image stands on, where nothing is wrong with it.
    pub(super) fn standing(&self, container: &Container<'a>) -> Standing {
        let ImageField::Text(text) = container.image else {
            return Standing::Nothing;
        };
        let named = text.starts_with(SCHEME).then(|| self.named(text));
        let text = match &named {
            Some(Ok(image)) => image.as_str(),
            Some(Err(_)) => return Standing::Nothing,
            None => text,
        };
        let Ok(image) = PodImage::parse(text, self.known.mirrors()) else {
            return Standing::Nothing;
        };
        if self.configuration.exempts(text, &image) {
            return Standing::Exempt;
        }
        let mut entries = self.matching(&image);
        let allows = |entry: &&'a Entry| self.failure(entry, &image, container).is_none();
        entries.find(allows).map_or(Standing::Nothing, |entry| {
            Standing::ImageRef(entry.namespace.to_string(), entry.name.to_string())
        })
    }

    fn failure(
        &self,
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

    fn may_be_placed(&self, architectures: &'a [String]) -> bool {
        // Nobody states it for some images; that is not held against them.
        architectures.is_empty() || architectures.iter().any(|arch| self.places(arch))
    }

    fn places(&self, arch: &'a str) -> bool {
        let mut placed = self.placed.borrow_mut();
        if let Some((_, answer)) = placed.iter().find(|(known, _)| *known == arch) {
            return *answer;
        }
        let answer = allows(self.nodes, arch, self.configuration);
        placed.push((arch, answer));
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

    /// Whether the failure only warns about a pod that a built-in controller makes anew.
    fn is_mild(&self, entry: &Entry, failure: Failure<'_>) -> bool {
        let unusable = entry.unusable.as_deref();
        self.recreated
            && matches!(failure, Failure::NotUsable)
            && unusable.is_some_and(|unusable| heals(&unusable.reason))
    }

    /// No reference that counts is to exactly this image: which one comes nearest?
    fn unmatched(&self, image: &PodImage) -> Problem<'a> {
        // The same tag is nearest, or none, which a digest stands for.
        let near = [Of::Tag(image.tag()), Of::Tag(None), Of::All];
        let near = near.into_iter().filter_map(|of| self.first(image, of));
        let nearest = near.min_by_key(|entry| {
            let other_tag = image.tag().is_some_and(|wanted| {
                let tag = entry.tag.as_deref();
                tag.is_some_and(|tag| tag != wanted)
            });
            (other_tag, self.rank(entry, entry.unusable.is_some()))
        });
        if let Some(entry) = nearest {
            return Problem::other(entry, image);
        }
        // Others' references that do not count are none of the author's business.
        let own = self.known.exactly(image, self.context.namespace);
        match own.min_by_key(|entry| &entry.name) {
            Some(entry) => Problem::untrusted(entry),
            None => Problem::unknown(&self.namespaces),
        }
    }

    /// The first reference that counts, in the order of reports.
    fn first(&self, image: &PodImage, of: Of<'_>) -> Option<&'a Entry> {
        let (known, repository) = (self.known, image.repository());
        let kinds = trusted(self.configuration.trust);
        let found = self.namespaces.iter().flat_map(|namespace| {
            let first = |kind: &ProviderKind| known.first(repository, namespace, of, *kind);
            kinds.iter().filter_map(first)
        });
        found.min_by_key(|entry| self.rank(entry, entry.unusable.is_some()))
    }
}

/// The kinds of provider through which a reference counts.
pub(super) const fn trusted(trust: Trust) -> &'static [ProviderKind] {
    match trust {
        Trust::Cluster => &[ProviderKind::Cluster],
        Trust::Any => &[ProviderKind::Cluster, ProviderKind::Namespaced],
    }
}
