//! Notebook images: `ShowImage` and `ListImage`.
//!
//! Owns the routes, the parameters, and what an exact match is. Must not know how a request is
//! signed. The invariant that would break first: a match is exact on our side, since servers may
//! ignore a filter.
//!
//! Source: `ModelArts` API Reference, *Obtaining Details of an Image*, *Querying Supported Images*.

use super::{PAGE, Project, check_id};
use crate::cloud::paging::{Found, Page, Paging, of_list};
use crate::cloud::{facts_of, invalid, read};
use crate::facts::notebook::{NotebookImage, NotebookPage};
use crate::facts::{Facts, Failure, FailureKind};
use crate::plan::target::Query;

const PRESET: &str = "BUILD_IN";
const OWN: &str = "DEDICATED";

/// `ShowImage`.
pub(in crate::cloud) async fn by_id(project: &Project<'_>, id: &str) -> Result<Facts, Failure> {
    let answer = project
        .get(&format!("images/{}", check_id(id)?), &[])
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
    let Query::NotebookName { type_, .. } = query else {
        return Err(Failure::new(
            FailureKind::InvalidSpec,
            "this is no question about a name",
        ));
    };
    let found = match type_ {
        Some(type_) => list(project, query, type_).await?,
        // A list is of one type, and a name can be both a preset's and an own image's.
        None => list(project, query, OWN)
            .await?
            .and(list(project, query, PRESET).await?),
    };
    found.decide(bound)
}

async fn list(project: &Project<'_>, query: &Query, type_: &str) -> Result<Found, Failure> {
    let mut paging = Paging::new(PAGE);
    loop {
        let parameters = parameters(query, type_, paging.offset());
        let answer = project.get("images", &parameters).await.map_err(of_list)?;
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
        };
        let more = paging.accept(page, |facts| matches(query, type_, facts));
        if !more.map_err(|failure| invalid(&answer, failure.message))? {
            return Ok(paging.into_found());
        }
    }
}

fn parameters(query: &Query, type_: &str, offset: u64) -> Vec<(&'static str, String)> {
    let Query::NotebookName {
        name,
        organization,
        workspace_id,
        ..
    } = query
    else {
        return Vec::new();
    };
    let mut parameters = vec![
        ("limit", PAGE.to_string()),
        ("name", name.clone()),
        ("name_fuzzy_match", "false".into()),
        ("offset", offset.to_string()),
        ("type", type_.into()),
        ("workspace_id", workspace_id.clone()),
    ];
    if let Some(organization) = organization {
        parameters.push(("namespace", organization.clone()));
    }
    parameters
}

fn matches(query: &Query, listed_as: &str, facts: &Facts) -> bool {
    let Query::NotebookName {
        name,
        tag,
        organization,
        type_,
        workspace_id,
    } = query
    else {
        return false;
    };
    let upstream = &facts.upstream;
    let is = |stated: &Option<String>, asked: &String| stated.as_ref() == Some(asked);
    let answered_type = upstream.type_.as_deref().unwrap_or(listed_as);
    is(&upstream.name, name)
        && tag.as_ref().is_none_or(|tag| is(&upstream.tag, tag))
        && organization.as_ref().is_none_or(|organization| is(&upstream.organization, organization))
        && type_.as_ref().is_none_or(|type_| type_ == answered_type)
        // Presets are nobody's: the workspace they state says nothing about who may use them.
        && (answered_type == PRESET || upstream.workspace_id.is_none() || is(&upstream.workspace_id, workspace_id))
}
