//! Certificates: the extra authority of `--ca-file`, and what no authority makes good.

use super::front::{Authority, Certificate, loopback};
use super::{Names, VENDOR, VENDOR_HOST, ask};
use fakecloud::FakeCloud;
use imageref::cloud::{AllowedEndpoints, Clouds, Network};
use imageref::facts::FailureKind;
use std::net::SocketAddr;

fn clouds(address: SocketAddr, extra_roots: Vec<u8>) -> Clouds {
    super::clouds(Network {
        allowed: AllowedEndpoints::new(&[VENDOR], true).unwrap(),
        lookup: Names::new(&[&[address]]).lookup(),
        extra_roots,
        ..Network::default()
    })
}

#[tokio::test]
async fn an_authority_from_the_ca_file_is_believed_for_good_certificates_only() {
    let cloud = FakeCloud::start().await;
    let authority = Authority::new();
    for (kind, words) in [
        (Certificate::Good, None),
        (Certificate::Expired, Some("expired")),
        (Certificate::NotYetValid, Some("not valid yet")),
        (Certificate::Other, Some("not valid for name")),
    ] {
        let address = authority.front(&cloud, loopback(), VENDOR_HOST, kind).await;
        let asked = ask(&clouds(address, authority.pem()), VENDOR).await;
        match (asked, words) {
            (Ok(_), None) => {}
            (Err(failure), Some(words)) => {
                assert_eq!(failure.kind, FailureKind::Unreachable);
                let fits = failure.message.contains(VENDOR_HOST) && failure.message.contains(words);
                assert!(fits, "{kind:?}: {failure}");
            }
            (asked, _) => panic!("{kind:?}: {asked:?}"),
        }
    }
    assert_eq!(
        cloud.log().len(),
        1,
        "nothing is sent before the certificate is judged"
    );
}

#[tokio::test]
async fn an_authority_that_nobody_named_is_not_believed() {
    let cloud = FakeCloud::start().await;
    let authority = Authority::new();
    let address = authority
        .front(&cloud, loopback(), VENDOR_HOST, Certificate::Good)
        .await;
    for roots in [Vec::new(), Authority::new().pem()] {
        let failure = ask(&clouds(address, roots), VENDOR).await.unwrap_err();
        assert!(failure.message.contains("--ca-file"), "{failure}");
    }
    assert!(cloud.log().is_empty());
}

#[test]
fn a_ca_file_without_a_certificate_is_an_error() {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for roots in ["no certificate", broken] {
        let extra_roots = roots.as_bytes().to_vec();
        let made = Clouds::new(Network {
            extra_roots,
            ..Network::default()
        });
        assert!(made.is_err(), "{roots}");
    }
}
