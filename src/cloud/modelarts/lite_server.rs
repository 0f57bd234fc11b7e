//! Lite Server images: `GetDevServerImage` and `ListDevServerImages`.
//!
//! Owns the routes and the parameters. Must not know how a request is signed, nor which image is
//! meant. The invariant that would break first: the list is read to its end for one name, since it
//! has no filter by name and which others its server reads is not documented.
//!
//! Source: `ModelArts` API Reference, *Querying Lite Server Image Details*; the Python package
//! `huaweicloudsdkmodelarts` 3.1.219.

use super::{PAGE, Project, check_id};
use crate::cloud::paging::{Found, Page, Paging, of_list};
use crate::cloud::select::matches;
use crate::cloud::{Operation, facts_of, invalid, read};
use crate::facts::lite_server::{LiteServerImage, LiteServerPage};
use crate::facts::{Facts, Failure, FailureKind};
use crate::plan::target::Query;

/// `GetDevServerImage`.
pub(in crate::cloud) async fn by_id(project: &Project<'_>, id: &str) -> Result<Facts, Failure> {
    let answer = project
        .get(
            Operation::GetDevServerImage,
            &format!("dev-servers/images/{}", check_id(id)?),
            &[],
        )
        .await?;
    let image: LiteServerImage = read(project.endpoint, &answer)?;
    facts_of(
        image.into_facts(None, answer.request_id.as_deref()),
        id,
        &answer,
    )
}

/// `ListDevServerImages`, all of it.
pub(in crate::cloud) async fn by_name(
    project: &Project<'_>,
    query: &Query,
    bound: Option<&str>,
) -> Result<Facts, Failure> {
    let Query::LiteServerName { server_type, .. } = query else {
        return Err(Failure::new(
            FailureKind::InvalidSpec,
            "this is no question about a name",
        ));
    };
    let wanted = |facts: &Facts| matches(query, None, facts);
    list(project, server_type.as_deref(), wanted)
        .await?
        .decide(bound)
}

/// `ListDevServerImages`, of all types of servers.
pub(in crate::cloud) async fn all(project: &Project<'_>) -> Result<Found, Failure> {
    list(project, None, |_| true).await
}

async fn list(
    project: &Project<'_>,
    server_type: Option<&str>,
    wanted: impl Fn(&Facts) -> bool,
) -> Result<Found, Failure> {
    let mut paging = Paging::new(PAGE);
    loop {
        let mut parameters = vec![
            ("limit", PAGE.to_string()),
            ("offset", paging.offset().to_string()),
        ];
        parameters.extend(server_type.map(|server_type| ("server_type", server_type.to_owned())));
        let answer = project
            .get(
                Operation::ListDevServerImages,
                "dev-servers/images",
                &parameters,
            )
            .await
            .map_err(of_list)?;
        let page: LiteServerPage = read(project.endpoint, &answer)?;
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
