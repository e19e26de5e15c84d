//! COLD: under which addresses a listening exchange is reached, for what it prints and what its certificate covers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// An address of the documentation's own range: a socket that is "connected" to it sends nothing.
const ELSEWHERE: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 9),
];

/// Where an exchange is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Host of the URLs it prints, brackets around an IPv6 address.
    pub host: String,
    /// Addresses its certificate names beside loopback.
    pub addresses: Vec<IpAddr>,
    /// Host names its certificate names beside `localhost`.
    pub hosts: Vec<String>,
}

/// Of an exchange that listens on `listen`, with the names its user gave it. Where it listens on every address, it is
/// reached under this machine's name and under the address that other machines see.
#[must_use]
pub fn reached(listen: IpAddr, named: &[String]) -> Reached {
    let mut addresses = Vec::new();
    let mut hosts = Vec::new();
    for name in named {
        match name.parse() {
            Ok(address) => addresses.push(address),
            Err(_) => hosts.push(name.clone()),
        }
    }
    let shown = if listen.is_unspecified() { outward(listen.is_ipv6()) } else { listen };
    addresses.push(shown);
    if listen.is_unspecified() {
        hosts.extend(own_name().filter(|name| !named.contains(name)));
    }
    let host = named.first().cloned().unwrap_or_else(|| shown.to_string());
    let host = match host.parse() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => host,
    };
    Reached { host, addresses, hosts }
}

/// The address that other machines see of this one; loopback where there is no other.
fn outward(is_ipv6: bool) -> IpAddr {
    let (any, loopback) = match is_ipv6 {
        true => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::LOCALHOST)),
        false => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::LOCALHOST)),
    };
    let found = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect(ELSEWHERE[usize::from(is_ipv6)])?;
        socket.local_addr()
    });
    found.map_or(loopback, |address| address.ip())
}

/// This machine's own name, if it is one that a certificate can have.
fn own_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    let legal = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '.';
    (!name.is_empty() && name.chars().all(legal)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_covered() {
        let listen: IpAddr = "127.0.0.2".parse().expect("an address");
        let plain = reached(listen, &[]);
        assert_eq!((plain.host.as_str(), plain.addresses), ("127.0.0.2", vec![listen]));
        let named = reached(listen, &["exchange.test".to_owned(), "10.0.0.7".to_owned()]);
        assert_eq!(named.host, "exchange.test");
        assert_eq!(named.hosts, ["exchange.test"]);
        assert_eq!(named.addresses, ["10.0.0.7".parse().expect("an address"), listen]);
        let six = reached("::1".parse().expect("an address"), &[]);
        assert_eq!(six.host, "[::1]");
    }

    #[test]
    fn every_address_is_printed_as_one_that_can_be_used() {
        for listen in ["0.0.0.0", "::"] {
            let reached = reached(listen.parse().expect("an address"), &[]);
            let host: IpAddr = reached.host.trim_matches(['[', ']']).parse().expect("an address");
            assert!(!host.is_unspecified() && reached.addresses.contains(&host), "{reached:?}");
        }
    }
}
