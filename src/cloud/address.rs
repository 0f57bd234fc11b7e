//! Which addresses no signed request may go to, whatever name led there.
//!
//! Owns the list. Must not know names, flags or how an address was found. The invariant that would
//! break first: an address that carries an IPv4 address inside is judged as that one.
//!
//! Private ranges (10/8, 172.16/12, 192.168/16, 100.64/10, `fc00::/7`) are not on the list: private
//! endpoints of both vendors live there. Documentation and benchmark ranges are not on it either:
//! nothing answers there.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What [`forbidden`] says of this machine's own addresses; the one reason that a test may lift.
pub const LOOPBACK: &str = "a loopback address";
const METADATA: &str = "a metadata service, which gives out credentials";
const LINK_LOCAL: &str = "a link-local address, where metadata services live";
const NO_HOST: &str = "no address of a host";
const MULTICAST: &str = "a multicast address";

/// Metadata services outside the link-local range.
const METADATA_V4: [Ipv4Addr; 3] = [
    // Alibaba Cloud. The rest of 100.64.0.0/10 is legitimate: private endpoints have such addresses.
    Ipv4Addr::new(100, 100, 100, 200),
    // A cluster may run anywhere: Azure, Oracle Cloud.
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: [Ipv6Addr; 2] = [
    // AWS, Google Cloud.
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// Why nothing may be sent to an address, as a noun: "it is …"; `None` if it may.
pub fn forbidden(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => forbidden_v4(ip),
        IpAddr::V6(ip) => forbidden_v6(ip),
    }
}

fn forbidden_v4(ip: Ipv4Addr) -> Option<&'static str> {
    if METADATA_V4.contains(&ip) || ip == Ipv4Addr::new(169, 254, 169, 254) {
        Some(METADATA)
    } else if ip.is_loopback() {
        Some(LOOPBACK)
    } else if ip.is_link_local() {
        Some(LINK_LOCAL)
    } else if ip.is_multicast() {
        Some(MULTICAST)
    } else if ip.octets()[0] == 0 || ip.is_broadcast() {
        // Linux connects to itself for 0.0.0.0.
        Some(NO_HOST)
    } else {
        None
    }
}

fn forbidden_v6(ip: Ipv6Addr) -> Option<&'static str> {
    if METADATA_V6.contains(&ip) {
        Some(METADATA)
    } else if ip.is_loopback() {
        Some(LOOPBACK)
    } else if ip.is_unspecified() {
        Some(NO_HOST)
    } else if ip.is_unicast_link_local() {
        Some(LINK_LOCAL)
    } else if ip.is_multicast() {
        Some(MULTICAST)
    } else {
        carried(ip).and_then(forbidden_v4)
    }
}

/// The IPv4 address that a packet to this address can end at.
fn carried(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = ip.segments();
    let joined = |[high, low]: [u16; 2]| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    let last = joined([segments[6], segments[7]]);
    match segments {
        // Compatible ::a.b.c.d, mapped ::ffff:a.b.c.d, translated ::ffff:0:a.b.c.d, and NAT64 by
        // its well-known and its local prefix.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..]
        | [0x64, 0xff9b, 1, ..] => Some(last),
        // 6to4.
        [0x2002, high, low, ..] => Some(joined([high, low])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_table() {
        let refused = [
            (
                LOOPBACK,
                "127.0.0.1 127.0.0.2 127.255.255.255 ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b:1::127.0.0.1 2002:7f00:1::1",
            ),
            (
                METADATA,
                "169.254.169.254 100.100.100.200 fd00:ec2::254 fd20:ce::254 168.63.129.16 192.0.0.192 ::ffff:169.254.169.254 ::ffff:100.100.100.200 ::100.100.100.200 64:ff9b::169.254.169.254 64:ff9b::6464:64c8 2002:a9fe:a9fe::",
            ),
            (
                LINK_LOCAL,
                "169.254.0.1 169.254.255.255 fe80::1 fe80::a9fe:a9fe febf::1 ::ffff:169.254.1.1",
            ),
            (
                NO_HOST,
                "0.0.0.0 0.1.2.3 255.255.255.255 :: ::2 ::ffff:0.0.0.0 64:ff9b::",
            ),
            (
                MULTICAST,
                "224.0.0.1 239.255.255.255 ff02::1 ff0e::1 ::ffff:224.0.0.1",
            ),
        ];
        for (reason, addresses) in refused {
            for address in addresses.split(' ') {
                assert_eq!(
                    forbidden(address.parse().unwrap()),
                    Some(reason),
                    "{address}"
                );
            }
        }
        let fine = "10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.100.2.136 100.100.100.199 100.100.100.201 100.127.255.255 fc00::1 fd12:3456::1 fd00:ec2::253 1.1.1.1 126.255.255.255 128.0.0.1 169.253.255.255 169.255.0.1 223.255.255.255 121.36.3.4 2001:db8::1 2408:4000::1 fec0::1 ::ffff:10.0.0.1 64:ff9b::10.0.0.1 2002:a00:1::";
        for address in fine.split(' ') {
            assert_eq!(forbidden(address.parse().unwrap()), None, "{address}");
        }
    }

    proptest! {
        #[test]
        fn no_spelling_of_an_ipv4_address_hides_it(bits: u32) {
            let ip = Ipv4Addr::from(bits);
            let [high, low] = [bits >> 16, bits & 0xffff].map(|half| u16::try_from(half).unwrap());
            let judged = forbidden(ip.into());
            for spelling in [
                ip.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 7, 0, 0, 0, 1),
            ] {
                prop_assert_eq!(forbidden(spelling.into()), judged, "{}", spelling);
            }
        }
    }
}
