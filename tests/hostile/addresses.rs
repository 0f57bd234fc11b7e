//! Names that lead where no request may go, at once or at the second look.

use super::front::{Authority, Certificate, loopback, own_address};
use super::{Names, PATIENCE, Trap, VENDOR, VENDOR_HOST, ask, clouds};
use crate::cloud::{alibaba, huawei, target};
use fakecloud::{FakeCloud, defaults};
use imageref::cloud::{AllowedEndpoints, Clouds, Network};
use imageref::facts::FailureKind;
use imageref::plan::target::Query;
use std::net::SocketAddr;

fn at(addresses: &str, port: u16) -> Vec<SocketAddr> {
    let ips = addresses.split_whitespace();
    ips.map(|ip| SocketAddr::new(ip.parse().unwrap(), port))
        .collect()
}

#[tokio::test]
async fn a_vendors_name_that_leads_inside_is_refused_before_a_connection() {
    let trap = Trap::new();
    let port = trap.address().port();
    for (addresses, named, why) in [
        ("127.0.0.1", "127.0.0.1", "loopback"),
        ("127.0.0.2", "127.0.0.2", "loopback"),
        ("::1", "::1", "loopback"),
        ("::ffff:127.0.0.1", "127.0.0.1", "loopback"),
        ("64:ff9b::127.0.0.1", "64:ff9b::", "loopback"),
        ("0.0.0.0", "0.0.0.0", "no address"),
        ("::", "::", "no address"),
        ("169.254.169.254", "169.254.169.254", "metadata"),
        ("100.100.100.200", "100.100.100.200", "metadata"),
        ("fd00:ec2::254", "fd00:ec2::254", "metadata"),
        ("fe80::a9fe:a9fe", "fe80::a9fe:a9fe", "link-local"),
        ("169.254.1.1", "169.254.1.1", "link-local"),
        ("224.0.0.1", "224.0.0.1", "multicast"),
        ("127.0.0.1 169.254.169.254", "127.0.0.1", "loopback"),
        // The good one first does not help, and is not connected to either.
        ("192.0.2.1 127.0.0.1", "127.0.0.1", "loopback"),
        ("100.64.0.1 100.100.100.200", "100.100.100.200", "metadata"),
    ] {
        let names = Names::new(&[&at(addresses, port)]);
        let lookup = names.lookup();
        let clouds = clouds(Network {
            lookup,
            ..Network::default()
        });
        let failure = ask(&clouds, VENDOR).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unreachable, "{addresses}");
        for part in [VENDOR_HOST, named, why] {
            assert!(failure.message.contains(part), "{addresses}: {failure}");
        }
        assert_eq!(names.asked(), [VENDOR_HOST], "one look, tried once");
        trap.assert_untouched(addresses);
    }
}

#[tokio::test]
async fn the_other_platform_and_the_other_origin_are_guarded_alike() {
    let trap = Trap::new();
    let names = Names::new(&[&[trap.address()]]);
    let mirror = "https://mirror.example";
    for flag in [false, true] {
        // The flag is about origins that the operator lists, never about the vendors' own.
        let listed: &[&str] = if flag {
            &["https://else.example"]
        } else {
            &[mirror]
        };
        let allowed = AllowedEndpoints::new(listed, flag).unwrap();
        let lookup = names.lookup();
        let clouds = clouds(Network {
            allowed,
            lookup,
            ..Network::default()
        });
        let pai = target(
            "https://aiworkspace-vpc.cn-shanghai.aliyuncs.com",
            Query::PaiId(defaults::SEED_PAI_ID.into()),
        );
        let credential = alibaba(defaults::ALIBABA_SECRET);
        let failure = clouds.look(&pai, &credential, None, PATIENCE).await;
        assert!(failure.unwrap_err().message.contains("loopback"));
        for origin in [
            mirror,
            "https://mirror.example:8443",
            "https://localhost",
            VENDOR,
        ] {
            let failure = ask(&clouds, origin).await.unwrap_err();
            assert!(failure.message.contains("loopback"), "{origin}: {failure}");
        }
    }
    trap.assert_untouched("another platform");
}

#[tokio::test]
async fn an_address_in_place_of_a_name_is_judged_too() {
    let trap = Trap::new();
    let port = trap.address().port();
    let names = Names::new(&[&[trap.address()]]);
    let lookup = names.lookup();
    // The account says so, though no rule on endpoints would have let it.
    let clouds = clouds(Network {
        lookup,
        ..Network::default()
    });
    for (origin, why) in [
        (format!("http://127.0.0.1:{port}"), "loopback"),
        (format!("https://127.0.0.1:{port}"), "loopback"),
        (format!("https://[::1]:{port}"), "loopback"),
        (format!("https://[::ffff:7f00:1]:{port}"), "loopback"),
        (format!("https://0.0.0.0:{port}"), "no address"),
        ("https://169.254.169.254".into(), "metadata"),
        ("https://100.100.100.200".into(), "metadata"),
        ("https://[fd00:ec2::254]".into(), "metadata"),
        ("https://[fe80::1]".into(), "link-local"),
        ("http://169.254.169.254".into(), "as it was signed"),
        ("http://localhost.evil.example".into(), "as it was signed"),
        // Other spellings of 127.0.0.1 do not survive the parser unchanged.
        (format!("https://127.1:{port}"), "as it was signed"),
        (format!("https://2130706433:{port}"), "as it was signed"),
        (format!("https://0x7f.0.0.1:{port}"), "as it was signed"),
        (format!("https://0177.0.0.1:{port}"), "as it was signed"),
        (format!("https://127.0.0.1.:{port}"), "as it was signed"),
    ] {
        let failure = ask(&clouds, &origin).await.unwrap_err();
        assert!(failure.message.contains(why), "{origin}: {failure}");
        trap.assert_untouched(&origin);
    }
    assert!(names.asked().is_empty(), "{:?}", names.asked());
}

#[test]
fn the_operator_cannot_list_an_address_that_nothing_may_be_sent_to() {
    for (origin, flag) in [
        ("https://127.0.0.1:8443", false),
        ("https://169.254.169.254", false),
        ("https://169.254.169.254", true),
        ("https://100.100.100.200", true),
        ("https://0.0.0.0", true),
        ("https://224.0.0.1", true),
    ] {
        let error = AllowedEndpoints::new(&[origin], flag).unwrap_err();
        assert!(
            error.contains("--allow-endpoint") && error.contains("no credentials"),
            "{error}"
        );
    }
    for (origin, flag) in [
        ("https://127.0.0.1:8443", true),
        ("https://10.0.0.7", false),
        ("https://100.64.0.7", false),
    ] {
        assert!(AllowedEndpoints::new(&[origin], flag).is_ok(), "{origin}");
    }
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gets_one_request_and_no_second() {
    let Some(own) = own_address() else {
        eprintln!("skipped: this machine has no address but loopback");
        return;
    };
    let cloud = FakeCloud::start().await;
    let authority = Authority::new();
    let good = authority
        .front(&cloud, own, VENDOR_HOST, Certificate::Good)
        .await;
    let trap = Trap::new();
    let names = Names::new(&[&[good], &[trap.address()], &[good]]);
    let lookup = names.lookup();
    let clouds = clouds(Network {
        lookup,
        extra_roots: authority.pem(),
        ..Network::default()
    });
    assert!(ask(&clouds, VENDOR).await.is_ok());
    let failure = ask(&clouds, VENDOR).await.unwrap_err();
    assert!(failure.message.contains("loopback"), "{failure}");
    assert!(ask(&clouds, VENDOR).await.is_ok(), "and it may mend itself");
    trap.assert_untouched("the second answer");
    assert_eq!(names.asked().len(), 3);
    assert_eq!(cloud.log().len(), 2);
}

#[tokio::test]
async fn the_flag_for_tests_opens_loopback_for_listed_origins_and_nothing_else() {
    let cloud = FakeCloud::start().await;
    let authority = Authority::new();
    let good = authority
        .front(&cloud, loopback(), VENDOR_HOST, Certificate::Good)
        .await;
    let bad = SocketAddr::from(([169, 254, 169, 254], good.port()));
    let names = Names::new(&[&[good], &[bad], &[good, bad]]);
    let build = |flag| {
        Clouds::new(Network {
            allowed: AllowedEndpoints::new(&[VENDOR], flag).unwrap(),
            lookup: names.lookup(),
            extra_roots: authority.pem(),
            ..Network::default()
        })
    };
    let open = build(true).unwrap();
    assert!(ask(&open, VENDOR).await.is_ok());
    for _ in 0..2 {
        let failure = ask(&open, VENDOR).await.unwrap_err();
        assert!(failure.message.contains("169.254.169.254"), "{failure}");
    }
    let shut = build(false).unwrap();
    assert!(ask(&shut, VENDOR).await.is_err());
    assert_eq!(cloud.log().len(), 1);
}

#[tokio::test]
async fn plain_http_to_localhost_stays_on_this_machine() {
    let Some(own) = own_address() else {
        return;
    };
    let listener = tokio::net::TcpListener::bind(own).await.unwrap();
    let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let away = listener.local_addr().unwrap();
    let names = Names::new(&[&[away]]);
    let clouds = clouds(Network {
        allowed: AllowedEndpoints::new(&[&origin], true).unwrap(),
        lookup: names.lookup(),
        ..Network::default()
    });
    let target = target(
        &origin,
        Query::NotebookId(defaults::SEED_NOTEBOOK_ID.into()),
    );
    let credential = huawei(defaults::HUAWEI_SK);
    let failure = clouds.look(&target, &credential, None, PATIENCE).await;
    let message = failure.unwrap_err().message;
    assert!(message.contains("localhost must"), "{message}");
}
