//! Lite Server images: `GetDevServerImage` and `ListDevServerImages`.
//!
//! Owns the routes, the parameters, and what an exact match is. Must not know how a request is
//! signed. The invariant that would break first: a match is exact on our side, since the list has
//! no filter by name and which others its server reads is not documented.
//!
//! Source: `ModelArts` API Reference, *Querying Lite Server Image Details*; the Python package
//! `huaweicloudsdkmodelarts` 3.1.219.

use super::{PAGE, Project, check_id};
use crate::cloud::paging::{Page, Paging, of_list};
use crate::cloud::{facts_of, invalid, read};
use crate::facts::lite_server::{LiteServerImage, LiteServerPage};
use crate::facts::{Facts, Failure};

/// `GetDevServerImage`.
pub(in crate::cloud) async fn by_id(project: &Project<'_>, id: &str) -> Result<Facts, Failure> {
    let answer = project
        .get(&format!("dev-servers/images/{}", check_id(id)?), &[])
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
    name: &str,
    server_type: Option<&str>,
    bound: Option<&str>,
) -> Result<Facts, Failure> {
    let mut paging = Paging::new(PAGE);
    loop {
        let mut parameters = vec![
            ("limit", PAGE.to_string()),
            ("offset", paging.offset().to_string()),
        ];
        parameters.extend(server_type.map(|server_type| ("server_type", server_type.to_owned())));
        let answer = project
            .get("dev-servers/images", &parameters)
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
        };
        let more = paging.accept(page, |facts| {
            let upstream = &facts.upstream;
            upstream.name.as_deref() == Some(name)
                && (server_type.is_none() || upstream.server_type.as_deref() == server_type)
        });
        if !more.map_err(|failure| invalid(&answer, failure.message))? {
            return paging.into_found().decide(bound);
        }
    }
}
