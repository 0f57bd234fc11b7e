//! Where PAI is, by region, and whether a provider may ask there.
//!
//! Owns the vendor's rule. The invariant that would break first: nothing that a provider says gets
//! into a URL unchecked, whatever the schema of its kind promised.

use crate::api::provider::Pai;
use crate::cloud::endpoint::{AllowedEndpoints, check_region};
use crate::plan::target::Account;

/// The vendor's origins for a region: the public one, and its twin inside the vendor's own network.
/// By the rule of the PAI document on endpoints: the table of the vendor's SDK has mistakes.
pub fn origins(region: &str) -> [String; 2] {
    ["aiworkspace", "aiworkspace-vpc"]
        .map(|service| format!("https://{service}.{region}.aliyuncs.com"))
}

/// The account that a provider names.
///
/// # Errors
/// One sentence that says what to write instead.
pub fn account(spec: &Pai, allowed: &AllowedEndpoints) -> Result<Account, String> {
    let Pai {
        region,
        workspace_id,
        endpoint,
    } = spec;
    check_region(region)?;
    let digits =
        |id: &String| (1..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit());
    if !workspace_id.as_ref().is_none_or(digits) {
        return Err("workspaceId must consist of 1 to 20 digits".into());
    }
    Ok(Account::Pai {
        endpoint: allowed.choose(endpoint.as_deref(), &origins(region), region)?,
        region: region.clone(),
        workspace_id: workspace_id.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        region: &str,
        workspace: Option<&str>,
        endpoint: Option<&str>,
    ) -> Result<String, String> {
        let spec = Pai {
            region: region.into(),
            workspace_id: workspace.map(Into::into),
            endpoint: endpoint.map(Into::into),
        };
        match account(
            &spec,
            &AllowedEndpoints::new(&["https://own.example"], false)?,
        )? {
            Account::Pai { endpoint, .. } => Ok(endpoint),
            other @ Account::ModelArts { .. } => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn both_origins_of_the_region_are_the_vendors_own() {
        let public = "https://aiworkspace.cn-shanghai.aliyuncs.com";
        let inner = "https://aiworkspace-vpc.cn-shanghai.aliyuncs.com";
        assert_eq!(read("cn-shanghai", None, None).unwrap(), public);
        for origin in [public, inner, "https://own.example"] {
            assert_eq!(
                read("cn-shanghai", Some("15945"), Some(origin)).unwrap(),
                origin
            );
        }
        for origin in [
            "https://aiworkspace.cn-hangzhou.aliyuncs.com",
            "https://aiworkspace.cn-shanghai.aliyuncs.com.evil.com",
            "https://aiworkspace.cn-shanghai.aliyuncs.com@evil.com",
            "https://aiworkspace.cn-shanghai.aliyuncs.com:443",
            "https://aiworkspace.cn-shanghai.aliyuncs.com.",
            "https://AIWorkspace.cn-shanghai.aliyuncs.com",
            "https://aiworkspace-vpc.cn-shanghai.aliyuncs.com/",
            "http://aiworkspace.cn-shanghai.aliyuncs.com",
            "https://aiworkspace.aliyuncs.com",
            "",
        ] {
            assert!(read("cn-shanghai", None, Some(origin)).is_err(), "{origin}");
        }
    }

    #[test]
    fn what_gets_into_a_url_is_checked_whatever_the_schema_promised() {
        for region in [
            "",
            "cn",
            "cn-shanghai.evil.com/",
            "cn-shanghai@x",
            "cn-../x",
            "cn-Shanghai",
            "cn-shanghai\n",
        ] {
            assert!(read(region, None, None).is_err(), "{region}");
        }
        for workspace in ["", "1a", "-1", "1 ", "123456789012345678901", "١"] {
            assert!(
                read("cn-shanghai", Some(workspace), None).is_err(),
                "{workspace}"
            );
        }
    }
}
