//! Names that pass for a vendor's, and names that only look so.

use super::*;
use proptest::prelude::*;

fn hosts(allow: &[&str], mirrors: &[&str]) -> RegistryHosts {
    RegistryHosts::new(allow, mirrors, false).unwrap()
}

const VENDORS: [&str; 13] = [
    "swr.cn-north-4.myhuaweicloud.com",
    "swr.eu-west-101.myhuaweicloud.eu",
    "team-a1b2c3.swr-pro.myhuaweicloud.com",
    "registry.cn-hangzhou.aliyuncs.com",
    "registry-vpc.cn-hangzhou.aliyuncs.com",
    "registry-internal.cn-hangzhou.aliyuncs.com",
    "dsw-registry.cn-shanghai.cr.aliyuncs.com",
    "dsw-registry-vpc.cn-shanghai.cr.aliyuncs.com",
    "team-registry.cn-beijing.cr.aliyuncs.com",
    "team-registry-vpc.cn-beijing.cr.aliyuncs.com",
    "crpi-abc123.cn-hangzhou.personal.cr.aliyuncs.com",
    "crpi-abc123-vpc.cn-hangzhou.personal.cr.aliyuncs.com",
    "registry.ap-southeast-1.aliyuncs.com",
];

#[test]
fn the_vendors_registries_are_asked_and_nothing_that_looks_like_them() {
    let none = RegistryHosts::default();
    for host in VENDORS {
        let origin = format!("https://{host}");
        assert_eq!(none.origin(host, false).unwrap(), origin);
        assert_eq!(none.origin(&format!("{host}:443"), false).unwrap(), origin);
        for other in [
            format!("{host}.evil.example"),
            format!("evil.{host}"),
            format!("evil-{host}")
                .replace("evil-dsw", "evil.dsw")
                .replacen("evil-", "evil.", 1),
            format!("{host}:8443"),
            host.replacen('.', "-", 1),
            host.replace(".com", ".co").replace(".eu", ".e"),
            host.replace("aliyuncs", "aliyuncs1")
                .replace("myhuaweicloud", "myhuaweicloud1"),
        ] {
            let failure = none.origin(&other, false).unwrap_err();
            assert_eq!(failure.kind, FailureKind::PermissionDenied, "{other}");
            assert!(failure.message.contains("--allow-registry"), "{other}");
        }
    }
    for other in [
        "swr.x.myhuaweicloud.com",
        "swr-api.cn-north-4.myhuaweicloud.com",
        "bucket.oss-cn-hangzhou.aliyuncs.com",
        "registry.cn-hangzhou.myhuaweicloud.com",
        "cr.aliyuncs.com",
        "a.cr.aliyuncs.com",
        "swr-pro.myhuaweicloud.com",
        "docker.io",
        "localhost",
        "127.0.0.1:5000",
    ] {
        assert!(none.origin(other, true).is_err(), "{other}");
    }
}

#[test]
fn what_the_operator_names_is_asked_there() {
    let hosts = hosts(
        &["harbor.example:8443"],
        &[
            "swr.cn-north-4.myhuaweicloud.com=mirror.example",
            "docker.io=hub.example:444",
        ],
    );
    for (host, origin) in [
        ("harbor.example:8443", "https://harbor.example:8443"),
        ("swr.cn-north-4.myhuaweicloud.com", "https://mirror.example"),
        ("docker.io", "https://hub.example:444"),
        (
            "swr.cn-north-1.myhuaweicloud.com",
            "https://swr.cn-north-1.myhuaweicloud.com",
        ),
    ] {
        assert_eq!(hosts.origin(host, false).unwrap(), origin);
    }
    for host in [
        "harbor.example",
        "harbor.example:8444",
        "mirror.example",
        "hub.example:444",
    ] {
        assert!(hosts.origin(host, false).is_err(), "{host}");
    }
}

#[test]
fn a_host_inside_a_vpc_has_a_public_twin_that_is_asked_if_wanted() {
    for (host, twin) in [
        (
            "registry-vpc.cn-hangzhou.aliyuncs.com",
            Some("registry.cn-hangzhou.aliyuncs.com"),
        ),
        (
            "team-registry-vpc.cn-beijing.cr.aliyuncs.com",
            Some("team-registry.cn-beijing.cr.aliyuncs.com"),
        ),
        (
            "crpi-a-vpc.cn-beijing.personal.cr.aliyuncs.com",
            Some("crpi-a.cn-beijing.personal.cr.aliyuncs.com"),
        ),
        ("team-vpc.cn-beijing.cr.aliyuncs.com", None),
        ("registry.cn-hangzhou.aliyuncs.com", None),
        ("registry-vpc.cn-hangzhou.aliyuncs.com.evil.example", None),
        ("swr.cn-north-4.myhuaweicloud.com", None),
        ("my-registry-vpc.example.com", None),
    ] {
        assert_eq!(public_twin(host).as_deref(), twin, "{host}");
    }
    let vpc = "registry-vpc.cn-hangzhou.aliyuncs.com";
    let none = RegistryHosts::default();
    assert_eq!(none.origin(vpc, false).unwrap(), format!("https://{vpc}"));
    assert_eq!(
        none.origin(vpc, true).unwrap(),
        "https://registry.cn-hangzhou.aliyuncs.com"
    );
    let mirrored = hosts(&[], &["registry.cn-hangzhou.aliyuncs.com=m.example"]);
    assert_eq!(mirrored.origin(vpc, true).unwrap(), "https://m.example");
    assert_eq!(
        mirrored.origin(vpc, false).unwrap(),
        format!("https://{vpc}")
    );
}

#[test]
fn a_token_service_is_the_registrys_own_the_vendors_or_the_operators() {
    let hosts = hosts(&["auth.example"], &[]);
    let may = |registry: &str, realm: &str| {
        hosts.may_name(&format!("https://{registry}"), &realm.parse().unwrap())
    };
    let (swr, acr) = (
        "swr.cn-north-4.myhuaweicloud.com",
        "registry.cn-hangzhou.aliyuncs.com",
    );
    for (registry, realm) in [
        (
            swr,
            "https://swr.cn-north-4.myhuaweicloud.com/swr/auth/v2/registry/auth/",
        ),
        (acr, "https://dockerauth.cn-hangzhou.aliyuncs.com/auth"),
        (acr, "https://dockerauth.cn-beijing.aliyuncs.com/auth"),
        (acr, "https://dockerauth-vpc.cn-hangzhou.aliyuncs.com/auth"),
        (acr, "https://dockerauth-cn-zhangjiakou.aliyuncs.com/auth"),
        (
            "team-registry.cn-beijing.cr.aliyuncs.com",
            "https://dockerauth-ee.cn-beijing.aliyuncs.com/auth",
        ),
        (swr, "https://auth.example/token"),
        ("h.example:8443", "https://h.example:8443/token?a=b"),
    ] {
        assert!(may(registry, realm), "{registry} {realm}");
    }
    for (registry, realm) in [
        (swr, "https://swr.cn-north-1.myhuaweicloud.com/auth"),
        (swr, "https://dockerauth.cn-hangzhou.aliyuncs.com/auth"),
        (swr, "http://swr.cn-north-4.myhuaweicloud.com/auth"),
        (swr, "https://swr.cn-north-4.myhuaweicloud.com:8443/auth"),
        (
            swr,
            "https://swr.cn-north-4.myhuaweicloud.com@evil.example/auth",
        ),
        (swr, "https://u:p@swr.cn-north-4.myhuaweicloud.com/auth"),
        (
            acr,
            "https://dockerauth.cn-hangzhou.aliyuncs.com.evil.example/auth",
        ),
        (acr, "https://dockerauth.aliyuncs.com/auth"),
        (
            acr,
            "https://dockerauth.oss-cn-hangzhou.evil.aliyuncs.com/auth",
        ),
        (acr, "https://evil.cn-hangzhou.aliyuncs.com/auth"),
        (acr, "http://dockerauth.cn-hangzhou.aliyuncs.com/auth"),
        (acr, "http://auth.example/token"),
        (acr, "https://auth.example:8443/token"),
    ] {
        assert!(!may(registry, realm), "{registry} {realm}");
    }
}

#[test]
fn plain_http_and_this_machine_are_for_tests_and_named_one_by_one() {
    let new = |allow: &str, insecure| RegistryHosts::new(&[allow], &[], insecure);
    assert!(new("http://127.0.0.1:5000", false).is_err());
    assert!(new("127.0.0.1:5000", false).is_err());
    assert!(new("http://h.example", true).is_err());
    let hosts = new("http://127.0.0.1:5000", true).unwrap();
    assert_eq!(
        hosts.origin("127.0.0.1:5000", false).unwrap(),
        "http://127.0.0.1:5000"
    );
    let sendable = |url: &str| hosts.is_sendable(&url.parse().unwrap());
    assert!(sendable("http://127.0.0.1:5000/x") && sendable("https://h.example/x"));
    assert!(!sendable("http://127.0.0.1:5001/x") && !sendable("http://h.example/x"));
    assert!(!sendable("ftp://127.0.0.1:5000/x") && !sendable("https://u@h.example/x"));
    for wrong in [
        "a",
        "a=",
        "=a",
        "a=b=c",
        "a=http://h.example",
        "A.x=b.x",
        "a/b=c",
    ] {
        assert!(RegistryHosts::new(&[], &[wrong], true).is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn only_names_under_the_vendors_domains_are_asked(host in "[a-z0-9.:/@-]{0,40}|(swr|registry|x-registry)\\.[a-z0-9.-]{1,20}\\.(cr\\.)?(aliyuncs|myhuaweicloud)\\.(com|eu|net)") {
        if let Ok(origin) = RegistryHosts::default().origin(&host, false) {
            let url: Url = origin.parse().unwrap();
            let name = url.host_str().unwrap().to_owned();
            prop_assert_eq!(url.origin().ascii_serialization(), origin);
            prop_assert!(
                [".aliyuncs.com", ".myhuaweicloud.com", ".myhuaweicloud.eu"]
                    .iter()
                    .any(|domain| name.ends_with(domain)),
                "{name}"
            );
        }
    }
}
