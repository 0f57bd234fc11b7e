//! Hosts that get a login, and the many that look like them.

use super::*;
use proptest::prelude::*;

fn huawei_account(region: &str) -> Account {
    Account::ModelArts {
        endpoint: "https://e".into(),
        region: region.into(),
        project_id: "p".into(),
        workspace_id: "0".into(),
    }
}

fn alibaba_account(region: &str) -> Account {
    Account::Pai {
        endpoint: "https://e".into(),
        region: region.into(),
        workspace_id: None,
    }
}

fn why(account: &Account, host: &str, instance: Option<&str>) -> Option<String> {
    match Ground::of(account, host, instance, &LoginEndpoints::default()) {
        Ground::Nobody(why) => Some(why),
        Ground::Swr { host: own, .. } | Ground::Acr { host: own, .. } => {
            assert_eq!(own, host.to_ascii_lowercase());
            None
        }
    }
}

#[test]
fn swr_of_the_region_gets_a_login_and_nothing_else_does() {
    let account = huawei_account("cn-north-4");
    for host in [
        "swr.cn-north-4.myhuaweicloud.com",
        "SWR.cn-north-4.myhuaweicloud.com",
    ] {
        assert_eq!(why(&account, host, None), None, "{host}");
    }
    let europe = huawei_account("eu-west-101");
    assert_eq!(why(&europe, "swr.eu-west-101.myhuaweicloud.eu", None), None);
    for (host, words) in [
        ("swr.cn-north-1.myhuaweicloud.com", "another region"),
        ("swr.eu-west-101.myhuaweicloud.eu", "another region"),
        ("swr.eu-west-101.myhuaweicloud.com", "no registry"),
        (
            "team-a1b2c3.swr-pro.myhuaweicloud.com",
            "enterprise edition",
        ),
        ("swr.cn-north-4.myhuaweicloud.com:443", "no registry"),
        ("swr.cn-north-4.myhuaweicloud.com.", "no registry"),
        (
            "swr.cn-north-4.myhuaweicloud.com.evil.example",
            "no registry",
        ),
        (
            "swr.cn-north-4.myhuaweicloud.com@evil.example",
            "no registry",
        ),
        ("evil.swr.cn-north-4.myhuaweicloud.com", "no registry"),
        ("swr-api.cn-north-4.myhuaweicloud.com", "no registry"),
        ("swr.cn-north-4.myhuaweicloud.cn", "no registry"),
        ("a-registry.cn-shanghai.cr.aliyuncs.com", "no registry"),
        ("docker.io", "no registry"),
        ("", "no registry"),
    ] {
        let why = why(&account, host, Some("cri-1")).unwrap();
        assert!(
            why.contains(words) && why.contains("secretRef"),
            "{host}: {why}"
        );
    }
}

#[test]
fn instances_of_the_region_get_a_login_and_nothing_else_does() {
    let account = alibaba_account("cn-shanghai");
    for host in [
        "team-registry.cn-shanghai.cr.aliyuncs.com",
        "team-registry-vpc.cn-shanghai.cr.aliyuncs.com",
        "a-b-registry.cn-shanghai.cr.aliyuncs.com",
    ] {
        assert_eq!(why(&account, host, Some("cri-1")), None, "{host}");
        let unnamed = why(&account, host, None).unwrap();
        assert!(unnamed.contains("set acrInstanceId"), "{unnamed}");
    }
    for (host, words) in [
        ("team-registry.cn-beijing.cr.aliyuncs.com", "another region"),
        ("registry.cn-shanghai.aliyuncs.com", "personal edition"),
        ("registry-vpc.cn-beijing.aliyuncs.com", "personal edition"),
        (
            "crpi-1.cn-shanghai.personal.cr.aliyuncs.com",
            "personal edition",
        ),
        ("team.cn-shanghai.cr.aliyuncs.com", "no registry"),
        ("-registry.cn-shanghai.cr.aliyuncs.com", "no registry"),
        (
            "team-registry.cn-shanghai.cr.aliyuncs.com:8443",
            "no registry",
        ),
        (
            "team-registry.cn-shanghai.cr.aliyuncs.com.evil.example",
            "no registry",
        ),
        (
            "evil.team-registry.cn-shanghai.cr.aliyuncs.com",
            "no registry",
        ),
        ("a@b-registry.cn-shanghai.cr.aliyuncs.com", "no registry"),
        ("swr.cn-north-4.myhuaweicloud.com", "no registry"),
        ("docker.io", "no registry"),
    ] {
        let why = why(&account, host, Some("cri-1")).unwrap();
        assert!(
            why.contains(words) && why.contains("secretRef"),
            "{host}: {why}"
        );
    }
    let host = "team-registry.cn-shanghai.cr.aliyuncs.com";
    let longest = format!("cri-{}", "a".repeat(64));
    assert_eq!(why(&account, host, Some(&longest)), None);
    for instance in ["", "cri/1", "cri 1", "cri-1&Action=x", &"a".repeat(69)] {
        let why = why(
            &account,
            "team-registry.cn-shanghai.cr.aliyuncs.com",
            Some(instance),
        );
        assert!(why.unwrap().contains("acrInstanceId must be"), "{instance}");
    }
}

#[test]
fn management_apis_are_the_vendors_unless_the_operator_says_otherwise() {
    let vendors = LoginEndpoints::default();
    let rows = [
        (
            vendors.swr_api("cn-north-4"),
            "https://swr-api.cn-north-4.myhuaweicloud.com",
        ),
        (
            vendors.swr_api("eu-west-101"),
            "https://swr-api.eu-west-101.myhuaweicloud.eu",
        ),
        (
            vendors.acr_api("cn-shanghai"),
            "https://cr.cn-shanghai.aliyuncs.com",
        ),
    ];
    for (origin, expected) in rows {
        assert_eq!(origin, expected);
    }
    let own = LoginEndpoints {
        swr_api: Some("https://swr-api.internal.example".into()),
        swr_registry: Some("swr.internal.example:5000".into()),
        acr_api: Some("https://cr-vpc.cn-shanghai.aliyuncs.com".into()),
        acr_registry: None,
    };
    own.check(false).unwrap();
    assert_eq!(own.swr_api("x"), "https://swr-api.internal.example");
    let ground = |host: &str| Ground::of(&huawei_account("cn-north-4"), host, None, &own);
    for host in [
        "swr.internal.example:5000",
        "swr.cn-north-4.myhuaweicloud.com",
    ] {
        assert!(matches!(ground(host), Ground::Swr { .. }), "{host}");
    }
    assert!(matches!(ground("swr.internal.example"), Ground::Nobody(_)));
    for odd in ["http://a", "https://a/b", "a"] {
        let odd = LoginEndpoints {
            acr_api: Some(odd.into()),
            ..LoginEndpoints::default()
        };
        assert!(odd.check(true).is_err());
    }
    for odd in ["https://a", "a/b", "u@a", ""] {
        let odd = LoginEndpoints {
            swr_registry: Some(odd.into()),
            ..LoginEndpoints::default()
        };
        assert!(odd.check(true).is_err());
    }
}

proptest! {
    #[test]
    fn no_host_but_the_vendors_own_of_the_region_gets_a_login(
        host in "[a-z.@:/-]{0,12}(swr|team-registry)[a-z.@:-]{0,3}\\.?(cn-north-4|cn-south-1)(\\.cr)?\\.(myhuaweicloud|aliyuncs)\\.com[a-z.@:/]{0,6}",
    ) {
        let swr = huawei_account("cn-north-4");
        prop_assert_eq!(why(&swr, &host, None).is_none(), host == "swr.cn-north-4.myhuaweicloud.com");
        if why(&alibaba_account("cn-north-4"), &host, Some("cri-1")).is_none() {
            let pattern = "^[a-z0-9-]+-registry(-vpc|-internal)?\\.cn-north-4\\.cr\\.aliyuncs\\.com$";
            prop_assert!(regex::Regex::new(pattern).unwrap().is_match(&host), "{host}");
        }
    }
}
