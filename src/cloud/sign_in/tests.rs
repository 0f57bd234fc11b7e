//! Which form of proof a spec and a Secret mean, row by row.

use super::*;
use crate::api::ProviderKind;
use crate::api::auth::{CredentialsUri, Metadata, PodIdentity, ProjectedToken};
use proptest::prelude::*;

fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    pairs.iter().map(|&(k, v)| (k.into(), v.into())).collect()
}

fn provider(namespace: Option<&str>, name: &str) -> ProviderId {
    ProviderId {
        kind: ProviderKind::Cluster,
        namespace: namespace.map(Into::into),
        name: name.into(),
    }
}

const KEYS: [(&str, &str); 2] = [("accessKeyId", "AK"), ("accessKeySecret", "SK")];
const USER: [(&str, &str); 3] = [("domainName", "d"), ("userName", "u"), ("password", "p")];

#[test]
fn the_keys_of_a_secret_say_which_form_it_is() {
    let agency = Agency {
        domain_name: "other".into(),
        name: "reader".into(),
        duration_seconds: None,
    };
    let both = [&KEYS[..], &USER[..]].concat();
    let form = |cloud, pairs: &[_], agency| match of_secret(cloud, &data(pairs), agency, None) {
        Ok(source) => source.form().to_owned(),
        Err(error) => error,
    };
    let (huawei, alibaba) = (Cloud::Huawei, Cloud::Alibaba);
    for (cloud, pairs, agency, expected) in [
        (huawei, &KEYS[..], None, "static"),
        (alibaba, &KEYS[..], None, "static"),
        (huawei, &[("authToken", "t")], None, "static"),
        (huawei, &USER[..], None, "huawei_password"),
        (huawei, &USER[..], Some(&agency), "huawei_agency"),
        (huawei, &KEYS[..], Some(&agency), "huawei_agency"),
        (
            huawei,
            &[("authToken", "t")],
            Some(&agency),
            "cannot act as an agency",
        ),
        (huawei, &USER[..2], None, "lacks password"),
        (huawei, &USER[2..], None, "lacks domainName and userName"),
        (huawei, &both, None, "accessKeyId beside a user's"),
        (alibaba, &USER[..], None, "are for ModelArts"),
        (
            huawei,
            &[],
            Some(&agency),
            "lacks accessKeyId and accessKeySecret",
        ),
    ] {
        let found = form(cloud, pairs, agency);
        assert!(found.contains(expected), "{expected}: {found}");
    }
}

#[test]
fn a_token_is_exchanged_at_the_providers_own_cloud_only() {
    let file = || TokenSource::Projected("/token".into());
    let sts = TokenExchange {
        huawei_sts: Some(HuaweiSts::default()),
        ..TokenExchange::default()
    };
    let id_token = TokenExchange {
        huawei_id_token: Some(HuaweiIdToken::default()),
        ..TokenExchange::default()
    };
    let rrsa = TokenExchange {
        alibaba_rrsa: Some(AlibabaRrsa::default()),
        ..TokenExchange::default()
    };
    let two = TokenExchange {
        alibaba_rrsa: rrsa.alibaba_rrsa.clone(),
        ..sts.clone()
    };
    for (exchange, huawei, alibaba) in [
        (&sts, Some("huawei_sts_oidc"), None),
        (&id_token, Some("huawei_id_token"), None),
        (&rrsa, None, Some("alibaba_oidc")),
        (&two, None, None),
        (&TokenExchange::default(), None, None),
    ] {
        let form = |cloud| {
            let source = of_token(cloud, exchange, &provider(None, "p"), file());
            source.ok().map(|source| source.form())
        };
        assert_eq!(
            (form(Cloud::Huawei), form(Cloud::Alibaba)),
            (huawei, alibaba)
        );
    }
}

#[test]
fn the_operators_identity_is_what_its_flags_say_and_nothing_else() {
    let uri = || NearUri::new("http://localhost:1/x").unwrap();
    let set = OperatorIdentities {
        pod_identity: Some((uri(), "/pod".into())),
        credentials_uri: Some(uri()),
        huawei_token_file: Some("/huawei".into()),
        alibaba_token_file: Some("/alibaba".into()),
    };
    let none = OperatorIdentities::default();
    let metadata = OperatorIdentity {
        metadata: Some(Metadata::default()),
        ..OperatorIdentity::default()
    };
    let pod = OperatorIdentity {
        pod_identity: Some(PodIdentity {}),
        ..OperatorIdentity::default()
    };
    let agent = OperatorIdentity {
        credentials_uri: Some(CredentialsUri {}),
        ..OperatorIdentity::default()
    };
    let projected = OperatorIdentity {
        projected_token: Some(ProjectedToken {
            exchange: TokenExchange {
                alibaba_rrsa: Some(AlibabaRrsa::default()),
                ..TokenExchange::default()
            },
        }),
        ..OperatorIdentity::default()
    };
    let form = |flags: &OperatorIdentities, cloud, wanted| match flags.source(
        cloud,
        wanted,
        &provider(None, "p"),
    ) {
        Ok(source) => source.form().to_owned(),
        Err(error) => error,
    };
    for (wanted, huawei, alibaba, unset) in [
        (&metadata, "huawei_metadata", "alibaba_metadata", "metadata"),
        (&pod, "huawei_pod_identity", "own cloud", "own cloud"),
        (
            &agent,
            "own cloud",
            "alibaba_credentials_uri",
            "--alibaba-credentials-uri",
        ),
        (
            &projected,
            "exchange must name",
            "alibaba_oidc",
            "--alibaba-token-file",
        ),
    ] {
        assert!(
            form(&set, Cloud::Huawei, wanted).contains(huawei),
            "{huawei}"
        );
        assert!(
            form(&set, Cloud::Alibaba, wanted).contains(alibaba),
            "{alibaba}"
        );
        assert!(
            form(&none, Cloud::Alibaba, wanted).contains(unset),
            "{unset}"
        );
    }
    assert!(form(&none, Cloud::Huawei, &pod).contains("--huawei-pod-identity-uri"));
}

#[test]
fn two_providers_have_two_sessions_however_long_their_names_are() {
    let long = "n".repeat(253);
    let namespace = "s".repeat(63);
    let all = [
        provider(Some("team"), "default"),
        provider(None, "team.default"),
        provider(Some("cluster"), "default"),
        provider(None, "default"),
        provider(Some(&namespace), "a"),
        provider(Some(&namespace), "b"),
        provider(None, &long),
        provider(None, &format!("{long}.b")),
    ];
    let names: std::collections::BTreeSet<_> = all.iter().map(session_name).collect();
    assert_eq!(names.len(), all.len());
    assert!(names.contains("imageref.team.default"));
    assert!(names.contains("imageref.cluster_team.default"));
}

proptest! {
    #[test]
    fn a_sessions_name_is_one_that_sts_takes(namespace in "[a-z0-9-]{1,63}", name in "[a-z0-9.-]{1,253}") {
        for id in [provider(Some(&namespace), &name), provider(None, &name)] {
            let session = session_name(&id);
            prop_assert!((2..=64).contains(&session.len()), "{session}");
        }
    }

    #[test]
    fn no_value_of_a_secret_shows_in_an_error(which in 0..128_u8, agency: bool, huawei: bool) {
        let names = ["accessKeyId", "accessKeySecret", "securityToken", "authToken", "domainName", "userName", "password"];
        let pairs = names.iter().enumerate().filter(|(at, _)| which >> at & 1 == 1);
        let data = pairs.map(|(_, name)| ((*name).to_owned(), b"SEEN\nSEEN".to_vec())).collect();
        let agency = agency.then(Agency::default);
        let cloud = if huawei { Cloud::Huawei } else { Cloud::Alibaba };
        let text = format!("{:?}", of_secret(cloud, &data, agency.as_ref(), None));
        prop_assert!(!text.contains("SEEN"), "{text}");
    }
}
