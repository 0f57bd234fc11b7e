//! Where `ModelArts` is, by region, and whether a provider may ask there.
//!
//! Owns the vendor's table of regions. The invariant that would break first: nothing that a provider
//! says gets into a URL unchecked, whatever the schema of its kind promised.

use crate::api::provider::ModelArts;
use crate::cloud::endpoint::{AllowedEndpoints, check_region};
use crate::plan::target::Account;

/// The regions in the table of the Python package `huaweicloudsdkmodelarts` 3.1.219.
const REGIONS: [&str; 22] = [
    "af-north-1",
    "af-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "cn-east-3",
    "cn-east-4",
    "cn-north-1",
    "cn-north-2",
    "cn-north-4",
    "cn-north-9",
    "cn-north-11",
    "cn-north-12",
    "cn-south-1",
    "cn-southwest-2",
    "cn-southwest-3",
    "la-north-2",
    "la-south-2",
    "me-east-1",
    "sa-brazil-1",
    "tr-west-1",
];

/// The vendor's origin for a region; `None` for one that the vendor's table lacks.
pub fn origin(region: &str) -> Option<String> {
    // One region of the table is under another top-level domain.
    let domain = if region == "ap-southeast-1" {
        "cn"
    } else {
        "com"
    };
    REGIONS
        .contains(&region)
        .then(|| format!("https://modelarts.{region}.myhuaweicloud.{domain}"))
}

/// The account that a provider names. `found` is the project that was looked up, for a spec that
/// names none.
///
/// # Errors
/// One sentence that says what to write instead.
pub fn account(
    spec: &ModelArts,
    found: Option<&str>,
    allowed: &AllowedEndpoints,
) -> Result<Account, String> {
    let ModelArts {
        region,
        project_id,
        workspace_id,
        endpoint,
    } = spec;
    check_region(region)?;
    let own = Vec::from_iter(origin(region));
    let endpoint = allowed.choose(endpoint.as_deref(), &own, region)?;
    let Some(project_id) = project_id.as_deref().or(found) else {
        return Err(format!(
            "projectId is left out, and the project of region {region} is not looked up yet"
        ));
    };
    let letters = project_id
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !letters || !(1..=64).contains(&project_id.len()) {
        return Err("projectId must consist of 1 to 64 letters, digits and hyphens".into());
    }
    let workspace_id = workspace_id.as_deref().unwrap_or("0");
    let own = workspace_id.len() == 32
        && workspace_id
            .bytes()
            .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
    if workspace_id != "0" && !own {
        return Err("workspaceId must be 0 or 32 lower-case letters and digits".into());
    }
    Ok(Account::ModelArts {
        endpoint,
        region: region.clone(),
        project_id: project_id.into(),
        workspace_id: workspace_id.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(
        region: &str,
        project: &str,
        workspace: Option<&str>,
        endpoint: Option<&str>,
    ) -> ModelArts {
        ModelArts {
            region: region.into(),
            project_id: Some(project.into()),
            workspace_id: workspace.map(Into::into),
            endpoint: endpoint.map(Into::into),
        }
    }

    fn read(spec: &ModelArts) -> Result<(String, String), String> {
        match account(
            spec,
            None,
            &AllowedEndpoints::new(&["https://own.example"], false)?,
        )? {
            Account::ModelArts {
                endpoint,
                workspace_id,
                ..
            } => Ok((endpoint, workspace_id)),
            other @ Account::Pai { .. } => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn a_known_region_has_the_vendors_origin() {
        assert_eq!(
            origin("cn-north-4").unwrap(),
            "https://modelarts.cn-north-4.myhuaweicloud.com"
        );
        assert_eq!(
            origin("ap-southeast-1").unwrap(),
            "https://modelarts.ap-southeast-1.myhuaweicloud.cn"
        );
        assert_eq!(
            origin("ap-southeast-2").unwrap(),
            "https://modelarts.ap-southeast-2.myhuaweicloud.com"
        );
        assert_eq!(origin("eu-de"), None);
        let (endpoint, workspace) = read(&spec("tr-west-1", "p", None, None)).unwrap();
        assert_eq!(
            (endpoint.as_str(), workspace.as_str()),
            ("https://modelarts.tr-west-1.myhuaweicloud.com", "0")
        );
    }

    #[test]
    fn an_unknown_region_needs_an_endpoint_that_is_allowed() {
        let error = read(&spec("eu-de", "p", None, None)).unwrap_err();
        assert!(
            error.contains("set endpoint") && error.contains("--allow-endpoint"),
            "{error}"
        );
        assert!(read(&spec("eu-de", "p", None, Some("https://own.example"))).is_ok());
        assert!(
            read(&spec(
                "eu-de",
                "p",
                None,
                Some("https://modelarts.eu-de.myhuaweicloud.com")
            ))
            .is_err()
        );
    }

    #[test]
    fn another_regions_origin_or_a_lookalike_is_not_the_vendors_own() {
        let own = "https://modelarts.cn-north-4.myhuaweicloud.com";
        assert!(read(&spec("cn-north-4", "p", None, Some(own))).is_ok());
        assert!(read(&spec("cn-north-9", "p", None, Some(own))).is_err());
        for origin in [
            "https://modelarts.cn-north-4.myhuaweicloud.com.evil.com",
            "https://modelarts.cn-north-4.myhuaweicloud.com@evil.com",
            "https://u:p@modelarts.cn-north-4.myhuaweicloud.com",
            "https://MODELARTS.cn-north-4.myhuaweicloud.com",
            "https://modelarts.cn-north-4.myhuaweicloud.com.",
            "https://modelarts.cn-north-4.myhuaweicloud.com:443",
            "https://modelarts.cn-north-4.myhuaweicloud.com:8443",
            "https://modelarts.cn-north-4.myhuaweicloud.com/",
            "https://modelarts.cn-north-4.myhuaweicloud.com/v1/..",
            "https://modelarts.cn-north-4.myhuaweicloud.cn",
            "https://modelarts.cn-north-4.myhuaweicl\u{43e}ud.com",
            "http://modelarts.cn-north-4.myhuaweicloud.com",
        ] {
            assert!(
                read(&spec("cn-north-4", "p", None, Some(origin))).is_err(),
                "{origin}"
            );
        }
    }

    #[test]
    fn what_gets_into_a_url_is_checked_whatever_the_schema_promised() {
        let long = "a".repeat(65);
        for region in [
            "",
            "cn",
            "cn-",
            "CN-north-4",
            "cn-north-4.evil.com",
            "cn-north-4@x",
            "cn/../x",
            "cn-a-b-c-d",
            "cn-é",
        ] {
            assert!(
                read(&spec(region, "p", None, Some("https://own.example"))).is_err(),
                "{region}"
            );
        }
        for project in ["", "a/b", "..", "a.b", "a%2fb", "a b", "a?b", "é", &long] {
            assert!(
                read(&spec("cn-north-4", project, None, None)).is_err(),
                "{project}"
            );
        }
        for workspace in ["", "1", "../0", &"A".repeat(32), &"a".repeat(31)] {
            assert!(
                read(&spec("cn-north-4", "p", Some(workspace), None)).is_err(),
                "{workspace}"
            );
        }
        assert!(read(&spec("cn-north-4", "p", Some(&"a1".repeat(16)), None)).is_ok());
    }
}
