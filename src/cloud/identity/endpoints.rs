//! Where proofs of identity are exchanged, by region.
//!
//! Owns the vendors' tables and rules, and the operator's own addresses. Pure. The invariant that
//! would break first: a tenant's word never gets into an address. A region is checked before it
//! does, and everything else here comes from the operator's flags.
//!
//! Sources: the region tables of the Python packages `huaweicloudsdkiam` and `huaweicloudsdkcore`;
//! Alibaba Cloud STS, *Endpoints*.

use crate::cloud::endpoint::{check_origin, check_region};
use crate::cloud::modelarts::endpoint::origin as modelarts_origin;
use crate::cloud::transport::is_near;
use std::fmt;
use url::Url;

/// IAM of Huawei Cloud.
const IAM_REGIONS: [&str; 28] = [
    "ae-ad-1",
    "af-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "cn-east-2",
    "cn-east-3",
    "cn-east-4",
    "cn-east-5",
    "cn-north-1",
    "cn-north-12",
    "cn-north-2",
    "cn-north-4",
    "cn-north-9",
    "cn-south-1",
    "cn-south-2",
    "cn-southwest-2",
    "eu-west-0",
    "eu-west-101",
    "la-north-2",
    "la-south-2",
    "me-east-1",
    "my-kualalumpur-1",
    "na-mexico-1",
    "ru-moscow-1",
    "sa-brazil-1",
    "tr-west-1",
];

/// STS of Huawei Cloud.
const STS_REGIONS: [&str; 12] = [
    "af-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "cn-east-3",
    "cn-north-4",
    "cn-south-1",
    "cn-southwest-2",
    "la-south-2",
    "sa-brazil-1",
    "tr-west-1",
];

const IAM_GLOBAL: &str = "https://iam.myhuaweicloud.com";
const HUAWEI_METADATA: &str = "http://169.254.169.254";
const ALIBABA_METADATA: &str = "http://100.100.100.200";

/// A region's id that is safe inside a host name: `cn-north-4`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Region(String);

impl Region {
    /// # Errors
    /// One sentence: the text is no region's id.
    pub fn new(region: &str) -> Result<Self, String> {
        check_region(region).map(|()| Self(region.to_owned()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An address on this node or of the operator's choice, taken apart: pod identity and credentials
/// URIs.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NearUri {
    pub(super) origin: String,
    pub(super) path: String,
    pub(super) query: String,
}

impl NearUri {
    /// `https`, or `http` to this node and its link. From the operator's flags only.
    ///
    /// # Errors
    /// One sentence, without the address: its path may be a secret.
    pub fn new(uri: &str) -> Result<Self, String> {
        let wrong = || {
            "the address must be https://…, or http://… of this node or its link, without user, password and fragment".to_owned()
        };
        let url: Url = uri.parse().map_err(|_| wrong())?;
        let near = url.host_str().is_some_and(is_near);
        let scheme = url.scheme() == "https" || (url.scheme() == "http" && near);
        let bare =
            url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if !(scheme && bare) {
            return Err(wrong());
        }
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            path: url.path().to_owned(),
            query: url.query().unwrap_or_default().to_owned(),
        })
    }
}

impl fmt::Debug for NearUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Some agents put a secret into the path.
        write!(f, "NearUri({})", self.origin)
    }
}

/// The operator's own addresses; `None` is the vendor's. Never from a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityEndpoints {
    /// Origin of Huawei Cloud IAM.
    pub huawei_iam: Option<String>,
    /// Origin of Huawei Cloud STS.
    pub huawei_sts: Option<String>,
    /// Origin of Huawei Cloud's instance metadata.
    pub huawei_metadata: Option<String>,
    /// Origin of Alibaba Cloud STS.
    pub alibaba_sts: Option<String>,
    /// Alibaba Cloud STS by its address inside the vendor's network.
    pub alibaba_vpc: bool,
    /// Origin of Alibaba Cloud's ECS metadata.
    pub alibaba_metadata: Option<String>,
    /// ECS metadata in hardened mode only: never without its token.
    pub alibaba_metadata_hardened: bool,
}

impl IdentityEndpoints {
    /// Checks every address that is given. Plain HTTP is for tests (`insecure_loopback`), and for
    /// metadata services, which have nothing else.
    ///
    /// # Errors
    /// One sentence about the first that is no origin.
    pub fn check(&self, insecure_loopback: bool) -> Result<(), String> {
        for (name, origin) in [
            ("the IAM endpoint", &self.huawei_iam),
            ("the STS endpoint of Huawei Cloud", &self.huawei_sts),
            ("the STS endpoint of Alibaba Cloud", &self.alibaba_sts),
        ] {
            if let Some(origin) = origin {
                check_origin(name, origin, insecure_loopback)?;
            }
        }
        for origin in [&self.huawei_metadata, &self.alibaba_metadata]
            .into_iter()
            .flatten()
        {
            let uri = NearUri::new(origin)?;
            if uri.origin != *origin {
                return Err(format!("the metadata endpoint {origin:?} is not an origin"));
            }
        }
        Ok(())
    }

    /// IAM for a region: the regional one where the vendor has one, the global one for other regions
    /// that the vendor knows.
    ///
    /// # Errors
    /// The region is not the vendor's: a password or a token must not go to it by default.
    pub fn iam(&self, region: &Region) -> Result<String, String> {
        if let Some(origin) = &self.huawei_iam {
            return Ok(origin.clone());
        }
        let id = region.as_str();
        match IAM_REGIONS.contains(&id) {
            true if id == "eu-west-101" => Ok(format!("https://iam.{id}.myhuaweicloud.eu")),
            true => Ok(format!("https://iam.{id}.myhuaweicloud.com")),
            false if modelarts_origin(id).is_some() => Ok(IAM_GLOBAL.into()),
            false => Err(format!(
                "region {id} has no IAM endpoint that is known: set --huawei-iam-endpoint on the operator"
            )),
        }
    }

    /// STS of Huawei Cloud for a region.
    ///
    /// # Errors
    /// The region has none. The vendor's SDK would ask cn-north-4; an id token does not leave its
    /// region here unless the operator says where to.
    pub fn huawei_sts(&self, region: &Region) -> Result<String, String> {
        if let Some(origin) = &self.huawei_sts {
            return Ok(origin.clone());
        }
        let id = region.as_str();
        if STS_REGIONS.contains(&id) {
            Ok(format!("https://sts.{id}.myhuaweicloud.com"))
        } else {
            Err(format!(
                "region {id} has no STS endpoint that is known: set --huawei-sts-endpoint on the operator, or use huaweiIdToken"
            ))
        }
    }

    /// STS of Alibaba Cloud for a region, by the vendor's rule.
    pub fn alibaba_sts(&self, region: &Region) -> String {
        let service = if self.alibaba_vpc { "sts-vpc" } else { "sts" };
        self.alibaba_sts
            .clone()
            .unwrap_or_else(|| format!("https://{service}.{}.aliyuncs.com", region.as_str()))
    }

    pub(super) fn huawei_metadata(&self) -> &str {
        self.huawei_metadata.as_deref().unwrap_or(HUAWEI_METADATA)
    }

    pub(super) fn alibaba_metadata(&self) -> &str {
        self.alibaba_metadata.as_deref().unwrap_or(ALIBABA_METADATA)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(id: &str) -> Region {
        Region::new(id).unwrap()
    }

    #[test]
    fn regions_have_the_addresses_of_the_vendors_tables() {
        let own = IdentityEndpoints::default();
        let iam = |id: &str| own.iam(&region(id));
        let sts = |id: &str| own.huawei_sts(&region(id));
        assert_eq!(
            iam("cn-north-4").unwrap(),
            "https://iam.cn-north-4.myhuaweicloud.com"
        );
        assert_eq!(
            iam("eu-west-101").unwrap(),
            "https://iam.eu-west-101.myhuaweicloud.eu"
        );
        assert_eq!(iam("af-north-1").unwrap(), "https://iam.myhuaweicloud.com");
        assert!(iam("eu-de").unwrap_err().contains("--huawei-iam-endpoint"));
        assert_eq!(
            sts("cn-north-4").unwrap(),
            "https://sts.cn-north-4.myhuaweicloud.com"
        );
        assert!(sts("cn-north-1").is_err() && sts("me-east-1").is_err());
        let mut alibaba = IdentityEndpoints::default();
        let shanghai = region("cn-shanghai");
        assert_eq!(
            alibaba.alibaba_sts(&shanghai),
            "https://sts.cn-shanghai.aliyuncs.com"
        );
        alibaba.alibaba_vpc = true;
        assert_eq!(
            alibaba.alibaba_sts(&shanghai),
            "https://sts-vpc.cn-shanghai.aliyuncs.com"
        );
        for known in IAM_REGIONS.iter().chain(&STS_REGIONS) {
            assert!(Region::new(known).is_ok(), "{known}");
        }
    }

    #[test]
    fn a_region_cannot_carry_an_address() {
        for text in ["", "cn-north-4.evil.example", "cn-north-4/", "a@b", "CN-1"] {
            assert!(Region::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_operators_addresses_win_and_are_checked() {
        let one = Some("https://sts.internal.example".to_owned());
        let own = IdentityEndpoints {
            huawei_iam: one.clone(),
            huawei_sts: one.clone(),
            alibaba_sts: one.clone(),
            ..IdentityEndpoints::default()
        };
        assert!(own.check(false).is_ok());
        let anywhere = region("xx-nowhere-1");
        let all = [
            own.iam(&anywhere),
            own.huawei_sts(&anywhere),
            Ok(own.alibaba_sts(&anywhere)),
        ];
        assert!(
            all.iter()
                .all(|origin| origin.as_ref().ok() == one.as_ref())
        );
        for odd in ["http://sts.example", "https://a/b", "https://u@a", "", "a"] {
            let odd = IdentityEndpoints {
                huawei_sts: Some(odd.into()),
                ..IdentityEndpoints::default()
            };
            assert!(odd.check(true).is_err());
        }
        for (origin, fine) in [
            ("http://169.254.169.254", true),
            ("http://127.0.0.1:8080", true),
            ("http://169.254.169.254/latest", false),
            ("http://10.0.0.1", false),
        ] {
            let near = IdentityEndpoints {
                alibaba_metadata: Some(origin.into()),
                ..IdentityEndpoints::default()
            };
            assert_eq!(near.check(false).is_ok(), fine, "{origin}");
        }
    }

    #[test]
    fn a_near_uri_is_taken_apart_and_shows_no_path() {
        let uri = NearUri::new("http://localhost:7002/secret?a=b").unwrap();
        assert_eq!(
            (uri.origin.as_str(), uri.path.as_str(), uri.query.as_str()),
            ("http://localhost:7002", "/secret", "a=b")
        );
        assert!(!format!("{uri:?}").contains("secret"));
        for odd in [
            "http://10.0.0.1/",
            "http://u:p@localhost/",
            "https://a/#b",
            "ftp://localhost/",
            "file:///etc/passwd",
            "",
        ] {
            assert!(NearUri::new(odd).is_err(), "{odd}");
        }
    }
}
