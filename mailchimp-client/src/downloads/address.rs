//! Which hosts a link may lead to.
//!
//! Links come out of answers, so whoever can write into an account can make a program that reads
//! it open any address it can reach: a cloud's metadata service, a database on the private
//! network. Addresses are therefore checked where they are used: those written in a link when it
//! is read, and those a name stands for in the resolver, which hands the connector nothing else.
//! Nothing is looked up twice, so a name cannot mean one address when it is checked and another
//! when it is used.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Name, Resolve, Resolving};
use tokio::net::lookup_host;

/// Whether a link may lead to this address. Loopback is for simulated hosts on this machine.
pub(crate) fn is_allowed(address: IpAddr, loopback: bool) -> bool {
    is_public(address) || (loopback && address.is_loopback())
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(address) => is_public_v4(address),
            None => is_public_v6(address),
        },
    }
}

/// By the registry of special-purpose addresses
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry/>).
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_shared = first == 100 && second & 0b1100_0000 == 64;
    let is_benchmark = first == 198 && second & 0b1111_1110 == 18;
    let is_protocol = first == 192 && second == 0 && third == 0;
    !(first == 0
        || first >= 240
        || is_shared
        || is_benchmark
        || is_protocol
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

/// Global unicast addresses lie in `2000::/3`. What is not public in there is documentation and
/// Teredo, which hides an IPv4 address.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    first & 0xe000 == 0x2000
        && !(first == 0x2001 && matches!(second, 0 | 0xdb8))
        && !(first == 0x3fff && second < 0x1000)
}

/// The IPv4 address an IPv6 address leads to: mapped, through NAT64, or by 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b] = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(join(a, b)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

/// A name stands for no address a link may lead to.
#[derive(Debug)]
pub(crate) struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host has no public address")
    }
}

impl std::error::Error for NotPublic {}

/// A resolver that knows no other addresses than those a link may lead to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AllowedAddresses {
    pub(crate) loopback: bool,
}

impl Resolve for AllowedAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let loopback = self.loopback;
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = lookup_host((name.as_str(), 0))
                .await?
                .filter(|address| is_allowed(address.ip(), loopback))
                .collect();
            if addresses.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(addresses.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn public_addresses_are_allowed() {
        for address in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "64:ff9b::101:101",
            "::ffff:1.1.1.1",
            "2002:101:101::1",
        ] {
            assert!(is_allowed(ip(address), false), "{address}");
        }
    }

    #[test]
    fn addresses_that_mean_something_else_from_each_place_are_not() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.170",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "2002:7f00:1::1",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_allowed(ip(address), false), "{address}");
        }
    }

    #[test]
    fn loopback_can_be_allowed_and_nothing_else_comes_with_it() {
        assert!(is_allowed(ip("127.0.0.1"), true));
        assert!(is_allowed(ip("::1"), true));
        for address in ["0.0.0.0", "10.0.0.1", "169.254.169.254", "fe80::1", "::"] {
            assert!(!is_allowed(ip(address), true), "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_for_this_machine_has_no_address() {
        let resolve =
            |loopback| AllowedAddresses { loopback }.resolve("localhost".parse::<Name>().unwrap());
        let Err(error) = resolve(false).await else {
            panic!("localhost has a public address")
        };
        assert!(error.is::<NotPublic>(), "{error}");
        let addresses: Vec<SocketAddr> = resolve(true).await.unwrap().collect();
        assert!(!addresses.is_empty());
        assert!(addresses.iter().all(|address| address.ip().is_loopback()));
    }
}
