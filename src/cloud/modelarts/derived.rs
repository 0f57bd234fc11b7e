//! Which endpoints are signed to by `V11-HMAC-SHA256`.
//!
//! Owns the predicate, which the operator configures. Pure. The invariant that would break first:
//! without configuration every request is signed by `SDK-HMAC-SHA256`, as the vendor's `ModelArts`
//! client does.
//!
//! Source: the derived authentication predicate of the Python package `huaweicloudsdkcore`.

use super::sign::Scheme;
use std::collections::BTreeSet;

/// Which hosts ask for derived keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DerivedSigning {
    /// None.
    #[default]
    Never,
    /// Those that the vendor's SDK takes for such: all but the vendor's common names.
    OtherHosts,
    /// These, as in an origin: with the port if it is not the scheme's own.
    Hosts(BTreeSet<String>),
}

impl DerivedSigning {
    /// How to sign to a host for a region (`globe` for a global service) and a service.
    pub fn scheme(&self, host: &str, region: &str, service: &str) -> Scheme {
        let derived = match self {
            Self::Never => false,
            Self::OtherHosts => !is_common(host),
            Self::Hosts(hosts) => hosts.contains(host),
        };
        if derived {
            Scheme::V11HmacSha256 {
                region: region.into(),
                service: service.into(),
            }
        } else {
            Scheme::SdkHmacSha256
        }
    }
}

/// `<service>[.<region>].(my)huaweicloud.(com|cn)`, or the same of `myhwclouds`.
fn is_common(host: &str) -> bool {
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let labels: Vec<_> = host.split('.').collect();
    let plain = |label: &&str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let (names, domain) = match labels.as_slice() {
        [names @ .., domain, "com" | "cn"] => (names, *domain),
        _ => return false,
    };
    let known = ["huaweicloud", "myhuaweicloud", "myhwclouds"].contains(&domain);
    known && (1..=2).contains(&names.len()) && names.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_that_ask_for_it_get_a_derived_key() {
        let v11 = Scheme::V11HmacSha256 {
            region: "r".into(),
            service: "s".into(),
        };
        let rows = [
            ("modelarts.cn-north-4.myhuaweicloud.com", false),
            ("modelarts.ap-southeast-1.myhuaweicloud.cn", false),
            ("iam.myhuaweicloud.com", false),
            ("iam.huaweicloud.com:8443", false),
            ("iam.cn-north-4.myhwclouds.com", false),
            ("modelarts.eu-de.otc.t-systems.com", true),
            ("a.b.c.myhuaweicloud.com", true),
            ("myhuaweicloud.com", true),
            ("iam.myhuaweicloud.com.evil.example", true),
            ("iam..myhuaweicloud.com", true),
            ("iam_x.myhuaweicloud.com", true),
            ("127.0.0.1:8080", true),
        ];
        for (host, other) in rows {
            let scheme = DerivedSigning::OtherHosts.scheme(host, "r", "s");
            assert_eq!(scheme == v11, other, "{host}");
            assert_eq!(
                DerivedSigning::Never.scheme(host, "r", "s"),
                Scheme::SdkHmacSha256
            );
            let named = DerivedSigning::Hosts(BTreeSet::from([host.to_owned()]));
            assert_eq!(named.scheme(host, "r", "s"), v11);
            assert_eq!(named.scheme("h", "r", "s"), Scheme::SdkHmacSha256);
        }
    }
}
