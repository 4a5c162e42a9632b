//! Classifies addresses: public, private, or never reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a guest's request may go to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Somewhere on the internet.
    Public,
    /// This machine or its network: only where the operator names the host.
    Private,
    /// No service lives there, or another address hides inside: never.
    Never,
}

pub(super) fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

/// IANA's registry of special IPv4 addresses.
fn reach_v4(address: Ipv4Addr) -> Reach {
    let [a, b, c, d] = address.octets();
    match (a, b, c, d) {
        // This machine, private and carriers' networks, link-local with the clouds' metadata services.
        (10 | 127, ..) | (100, 64..=127, ..) | (169, 254, ..) | (172, 16..=31, ..) | (192, 168, ..) => Reach::Private,
        // "This network", protocol assignments, documentation, the former 6to4 relays, benchmarks, multicast, reserved.
        (0 | 224..=255, ..)
        | (192, 0, 0 | 2, _)
        | (192, 88, 99, _)
        | (198, 18 | 19, ..)
        | (198, 51, 100, _)
        | (203, 0, 113, _) => Reach::Never,
        _ => Reach::Public,
    }
}

/// Only `2000::/3` is given out; everything outside is special, and some inside is too.
fn reach_v6(address: Ipv6Addr) -> Reach {
    let [a, b, ..] = address.segments();
    match (a, b) {
        _ if address.is_loopback() => Reach::Private,
        // Unique-local, link-local, the former site-local.
        (0xfc00..=0xfdff | 0xfe80..=0xfeff, _) => Reach::Private,
        // Protocol assignments with Teredo and ORCHID, documentation (both blocks), 6to4.
        (0x2001, 0..=0x01ff | 0x0db8) | (0x2002, _) | (0x3fff, 0..=0x0fff) => Reach::Never,
        (0x2000..=0x3fff, _) => Reach::Public,
        // Unspecified, v4-mapped and v4-compatible, `NAT64` (64:ff9b::/32), discard, segment routing, multicast.
        _ => Reach::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(list: &str, expected: Reach) {
        for text in list.split_whitespace() {
            assert_eq!(reach(text.parse().expect(text)), expected, "{text}");
        }
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        all("1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 172.15.0.1 172.32.0.1", Reach::Public);
        all("169.253.0.1 192.0.1.1 192.167.0.1 198.17.0.1 198.20.0.1 203.0.112.1 223.255.255.255", Reach::Public);
        all("2606:4700:4700::1111 2a00:1450::1 2001:4860:4860::8888 2001:200::1 3fff:1000::1", Reach::Public);
    }

    #[test]
    fn addresses_of_this_machine_and_its_network_are_private() {
        all("127.0.0.1 127.255.255.254 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1", Reach::Private);
        all("100.64.0.1 100.127.255.255 169.254.169.254 169.254.170.2", Reach::Private);
        all("::1 fc00::1 fd00:ec2::254 fe80::1 febf::1 fec0::1", Reach::Private);
    }

    #[test]
    fn addresses_that_are_special_or_hide_another_are_never_reached() {
        all("0.0.0.0 0.1.2.3 192.0.0.1 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1", Reach::Never);
        all("203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255", Reach::Never);
        all(
            ":: ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::127.0.0.1 ::ffff:0:10.0.0.1 64:ff9b::7f00:1 64:ff9b:1::a00:1",
            Reach::Never,
        );
        all(
            "100::1 2001::1 2001:0:53aa::1 2001:db8::1 2001:20::1 2002:7f00:1::1 3fff::1 5f00::1 ff02::1",
            Reach::Never,
        );
    }
}
