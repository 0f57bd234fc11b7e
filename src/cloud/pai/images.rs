//! Images of `AIWorkSpace`: `GetImage` and `ListImages`.
//!
//! Owns the routes and the parameters. Must not know how a request is signed, nor which image is
//! meant. The invariant that would break first: both calls ask for labels, so that a get and a list
//! say the same of an image.
//!
//! Source: PAI `AIWorkSpace` API reference (2021-02-04), *`GetImage`*, *`ListImages`*.

use super::Region;
use crate::cloud::paging::{Found, Page, Paging, of_list};
use crate::cloud::select::matches;
use crate::cloud::{Operation, check_segment, facts_of, invalid, read};
use crate::facts::pai::{PaiImage, PaiPage};
use crate::facts::{Facts, Failure, FailureKind};
use crate::plan::target::Query;

/// Entries asked for with one page: the largest that the vendor's own tools use.
const PAGE: u64 = 100;

/// `GetImage`.
pub(in crate::cloud) async fn by_id(region: &Region<'_>, id: &str) -> Result<Facts, Failure> {
    if !id.starts_with("image-") {
        return Err(Failure::new(
            FailureKind::InvalidSpec,
            "the id of a PAI image must begin with image-",
        ));
    }
    let path = format!("/api/v1/images/{}", check_segment(id)?);
    let answer = region.get(Operation::GetImage, &path, &[verbose()]).await?;
    let image: PaiImage = read(region.endpoint, &answer)?;
    // The answer need not repeat the id, so it must show in another way that it is an image.
    let facts = image.into_facts(Some(id), answer.request_id.as_deref());
    let facts = facts.filter(|facts| facts.image.is_some() || facts.upstream.name.is_some());
    facts_of(facts, id, &answer)
}

/// `ListImages`. Its filter by name is a fuzzy one; the form of the option for an exact one is not
/// documented.
pub(in crate::cloud) async fn by_name(
    region: &Region<'_>,
    query: &Query,
    bound: Option<&str>,
) -> Result<Facts, Failure> {
    let Query::PaiName { name, workspace_id } = query else {
        return Err(Failure::new(
            FailureKind::InvalidSpec,
            "this is no question about a name",
        ));
    };
    let wanted = |facts: &Facts| matches(query, None, facts);
    list(region, Some(name), workspace_id.as_deref(), wanted)
        .await?
        .decide(bound)
}

/// `ListImages`, of all names.
pub(in crate::cloud) async fn all(
    region: &Region<'_>,
    workspace_id: Option<&str>,
) -> Result<Found, Failure> {
    list(region, None, workspace_id, |_| true).await
}

async fn list(
    region: &Region<'_>,
    name: Option<&str>,
    workspace_id: Option<&str>,
    wanted: impl Fn(&Facts) -> bool,
) -> Result<Found, Failure> {
    let mut paging = Paging::new(PAGE);
    loop {
        let mut parameters = vec![
            ("PageNumber", paging.number().to_string()),
            ("PageSize", PAGE.to_string()),
            verbose(),
        ];
        parameters.extend(name.map(|name| ("Name", name.to_owned())));
        parameters.extend(workspace_id.map(|id| ("WorkspaceId", id.to_owned())));
        let answer = region
            .get(Operation::ListImages, "/api/v1/images", &parameters)
            .await
            .map_err(of_list)?;
        let page: PaiPage = read(region.endpoint, &answer)?;
        let id = answer.request_id.as_deref().or(page.request_id.as_deref());
        let facts = page
            .images
            .into_iter()
            .filter_map(|image| image.into_facts(None, id))
            .collect();
        let page = Page {
            facts,
            received: page.received,
            total: page.total_count,
            bytes: answer.body.len(),
        };
        let more = paging.accept(page, &wanted);
        if !more.map_err(|failure| invalid(&answer, failure.message))? {
            return Ok(paging.into_found());
        }
    }
}

/// Labels, and with them the accelerators, come only if asked for. In lower case, unlike the
/// vendor's Python client.
fn verbose() -> (&'static str, String) {
    ("Verbose", "true".into())
}
