//! `docs/network.md` says what is so.

use imageref::cloud::address::forbidden;
use imageref::cloud::{modelarts, pai};
use std::net::IpAddr;

const GUIDE: &str = include_str!("../../docs/network.md");

fn between(from: &str, to: &str) -> &'static str {
    let start = GUIDE.find(from).unwrap() + from.len();
    let end = GUIDE[start..].find(to).unwrap();
    &GUIDE[start..start + end]
}

#[test]
fn the_hosts_are_those_of_the_guide() {
    let regions = between("ModelArts regions:", ". A provider")
        .split(',')
        .map(str::trim);
    let mut count = 0;
    for region in regions {
        let origin = modelarts::endpoint::origin(region).unwrap();
        let host = origin.strip_prefix("https://").unwrap();
        let by_rule = host.replace(region, "REGION");
        assert!(GUIDE.contains(&by_rule) || GUIDE.contains(host), "{host}");
        count += 1;
    }
    assert_eq!(count, 22);
    for origin in pai::endpoint::origins("cn-shanghai") {
        let host = origin.strip_prefix("https://").unwrap();
        assert!(
            GUIDE.contains(&host.replace("cn-shanghai", "REGION")),
            "{host}"
        );
    }
}

#[test]
fn the_addresses_are_those_of_the_guide() {
    let quoted = |text: &'static str| {
        let parts = text.split('`').skip(1).step_by(2);
        let first = parts.filter_map(|part| part.split('/').next()?.parse::<IpAddr>().ok());
        first.collect::<Vec<_>>()
    };
    let refused = quoted(between("the answer is\n", "| one of these"));
    assert_eq!(refused.len(), 13);
    for ip in refused {
        assert!(forbidden(ip).is_some(), "{ip}");
    }
    let allowed = quoted(between("Private ranges are allowed", "since"));
    assert_eq!(allowed.len(), 5);
    for ip in allowed {
        assert_eq!(forbidden(ip), None, "{ip}");
    }
}
