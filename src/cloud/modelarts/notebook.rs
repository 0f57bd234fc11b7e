//! Notebook images: `ShowImage` and `ListImage`.
//!
//! Owns the routes and the parameters. Must not know how a request is signed, nor which image is
//! meant. The invariant that would break first: an own image and a preset of the same name are both
//! seen, though a list is of one type.
//!
//! Source: `ModelArts` API Reference, *Obtaining Details of an Image*, *Querying Supported Images*.

use super::{PAGE, Project, check_id};
use crate::cloud::paging::{Found, Page, Paging, of_list};
use crate::cloud::select::{PRESET, matches};
use crate::cloud::{Operation, facts_of, invalid, read};
use crate::facts::notebook::{NotebookImage, NotebookPage};
use crate::facts::{Facts, Failure, FailureKind};
use crate::plan::target::Query;

const OWN: &str = "DEDICATED";

/// `ShowImage`.
pub(in crate::cloud) async fn by_id(project: &Project<'_>, id: &str) -> Result<Facts, Failure> {
    let answer = project
        .get(
            Operation::ShowImage,
            &format!("images/{}", check_id(id)?),
            &[],
        )
        .await?;
    let image: NotebookImage = read(project.endpoint, &answer)?;
    // An answer without an id is not an image, whatever else it has.
    facts_of(
        image.into_facts(None, answer.request_id.as_deref()),
        id,
        &answer,
    )
}

/// `ListImage`, for each type that can be meant.
pub(in crate::cloud) async fn by_name(
    project: &Project<'_>,
    query: &Query,
    bound: Option<&str>,
) -> Result<Facts, Failure> {
    let Query::NotebookName {
        name,
        organization,
        type_,
        workspace_id,
        ..
    } = query
    else {
        return Err(Failure::new(
            FailureKind::InvalidSpec,
            "this is no question about a name",
        ));
    };
    let mut filter = vec![
        ("name", name.clone()),
        ("name_fuzzy_match", "false".to_owned()),
        ("workspace_id", workspace_id.clone()),
    ];
    filter.extend(organization.clone().map(|name| ("namespace", name)));
    let list = |type_| {
        list(project, &filter, type_, move |facts| {
            matches(query, Some(type_), facts)
        })
    };
    let found = match type_ {
        Some(type_) => list(type_).await?,
        None => list(OWN).await?.and(list(PRESET).await?),
    };
    found.decide(bound)
}

/// `ListImage` without a name: each list with the type it is of.
pub(in crate::cloud) async fn all(
    project: &Project<'_>,
    workspace_id: &str,
) -> Result<[(Option<&'static str>, Found); 2], Failure> {
    let filter = [("workspace_id", workspace_id.to_owned())];
    let own = list(project, &filter, OWN, |_| true).await?;
    let presets = list(project, &filter, PRESET, |_| true).await?;
    Ok([(Some(OWN), own), (Some(PRESET), presets)])
}

async fn list(
    project: &Project<'_>,
    filter: &[(&'static str, String)],
    type_: &str,
    wanted: impl Fn(&Facts) -> bool,
) -> Result<Found, Failure> {
    let mut paging = Paging::new(PAGE);
    loop {
        let mut parameters = filter.to_vec();
        parameters.extend([
            ("limit", PAGE.to_string()),
            ("offset", paging.offset().to_string()),
            ("type", type_.to_owned()),
        ]);
        let answer = project
            .get(Operation::ListImage, "images", &parameters)
            .await
            .map_err(of_list)?;
        let page: NotebookPage = read(project.endpoint, &answer)?;
        let id = answer.request_id.as_deref();
        let facts = page
            .data
            .into_iter()
            .filter_map(|image| image.into_facts(None, id))
            .collect();
        let page = Page {
            facts,
            received: page.received,
            total: page.total,
            bytes: answer.body.len(),
        };
        let more = paging.accept(page, &wanted);
        if !more.map_err(|failure| invalid(&answer, failure.message))? {
            return Ok(paging.into_found());
        }
    }
}
