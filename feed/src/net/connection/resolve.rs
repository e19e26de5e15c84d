//! COLD: where a URL leads: its host, port and address; looked up off the hot thread, the last good one kept.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

/// Why a URL leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Not a URL of an encrypted scheme with a host.
    #[error("{url:?} is not a usable address: {problem}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The name server knows no such host, or does not answer.
    #[error("host {host:?} cannot be looked up: {source}; check the name and this machine's DNS")]
    Lookup {
        /// The host.
        host: String,
        /// The system's words.
        source: io::Error,
    },
    /// The host has no address.
    #[error("host {host:?} has no address")]
    NoAddress {
        /// The host.
        host: String,
    },
}

/// Host, port and path prefix of a base URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address, IPv6 without brackets.
    pub host: String,
    /// Port, the scheme's own if none was given.
    pub port: u16,
    /// Path that every target of this endpoint starts with; empty or `/…` without a slash at the end.
    pub prefix: String,
}

impl Endpoint {
    /// Reads `wss://host[:port][/prefix]` or `https://…`; unencrypted schemes are refused.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn parse(url: &str) -> Result<Endpoint, ResolveError> {
        let wrong = |problem| ResolveError::Url { url: url.to_owned(), problem };
        let rest = url
            .strip_prefix("wss://")
            .or_else(|| url.strip_prefix("https://"))
            .ok_or_else(|| wrong("it must start with wss:// or https://"))?;
        let (authority, prefix) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        if authority.contains('@') {
            return Err(wrong("credentials do not belong into a URL"));
        }
        let (host, port) = if let Some(inner) = authority.strip_prefix('[') {
            let (host, tail) = inner.split_once(']').ok_or_else(|| wrong("the bracket of the address is open"))?;
            (host, tail.strip_prefix(':'))
        } else {
            authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port)))
        };
        let port = match port {
            None => 443,
            Some(text) => text.parse().ok().filter(|port| *port > 0).ok_or_else(|| wrong("the port is no number"))?,
        };
        if host.is_empty() {
            return Err(wrong("it names no host"));
        }
        Ok(Endpoint { host: host.to_owned(), port, prefix: prefix.trim_end_matches('/').to_owned() })
    }

    /// Host and port as the `Host` header and a certificate check want them.
    #[must_use]
    pub fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// The prefix, then `target`.
    #[must_use]
    pub fn path(&self, target: &str) -> String {
        format!("{}{target}", self.prefix)
    }

    /// Whether it can only lead to this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Looks the address up; may block for as long as the name server takes. IPv4 is preferred.
    ///
    /// # Errors
    /// The host is not known.
    pub fn resolve(&self) -> Result<SocketAddr, ResolveError> {
        let addresses = self.resolve_all()?;
        addresses.first().copied().ok_or_else(|| ResolveError::NoAddress { host: self.host.clone() })
    }

    /// Looks up every address of the host, each once, IPv4 first; may block for as long as the name server takes.
    ///
    /// # Errors
    /// The host is not known, or has no address.
    pub fn resolve_all(&self) -> Result<Vec<SocketAddr>, ResolveError> {
        let found = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map_err(|source| ResolveError::Lookup { host: self.host.clone(), source })?;
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for address in found {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses.sort_by_key(SocketAddr::is_ipv6);
        match addresses.is_empty() {
            true => Err(ResolveError::NoAddress { host: self.host.clone() }),
            false => Ok(addresses),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let endpoint = Endpoint::parse("wss://stream.example.com:9443/a/b/").expect("valid");
        assert_eq!(
            (endpoint.host.as_str(), endpoint.port, endpoint.prefix.as_str()),
            ("stream.example.com", 9443, "/a/b")
        );
        assert_eq!(endpoint.path("/ws"), "/a/b/ws");
        let endpoint = Endpoint::parse("https://[::1]:8443").expect("valid");
        assert_eq!(endpoint.authority(), "[::1]:8443");
        assert!(endpoint.is_loopback());
        assert_eq!(Endpoint::parse("https://example.com").expect("valid").port, 443);
        assert!(!Endpoint::parse("https://127.0.0.1.example.com").expect("valid").is_loopback());
        assert!(Endpoint::parse("https://127.9.9.9").expect("valid").is_loopback());
    }

    #[test]
    fn unusable_urls_are_refused() {
        for url in
            ["ws://x", "http://x", "x", "wss://", "wss://:1", "wss://x:0", "wss://x:99999", "wss://u:p@x", "wss://[::1"]
        {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }
}
