//! COLD: a host's addresses, looked up again on a thread of its own when one takes no connection; the last good are kept.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::resolve::{Endpoint, ResolveError};

/// How often the thread looks whether anybody wants something.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// A name server is asked for one host no more often than this.
const ASK_INTERVAL: Duration = Duration::from_secs(5);

/// What is known of a host; those who connect and the thread that looks it up share it.
#[derive(Debug)]
pub struct HostAddresses {
    endpoint: Endpoint,
    known: Mutex<Arc<[SocketAddr]>>,
    /// Counts the lists that differed from the one before.
    version: AtomicU64,
    wanted: AtomicBool,
}

impl HostAddresses {
    /// With the addresses that were found at the start.
    #[must_use]
    pub fn new(endpoint: Endpoint, addresses: Arc<[SocketAddr]>) -> HostAddresses {
        let (version, wanted) = (AtomicU64::new(0), AtomicBool::new(false));
        HostAddresses { endpoint, known: Mutex::new(addresses), version, wanted }
    }

    /// Asks for the host to be looked up again; never waits.
    pub fn want(&self) {
        self.wanted.store(true, Ordering::Release);
    }

    /// A list that is newer than the one `seen`; never waits.
    pub fn newer(&self, seen: &mut u64) -> Option<Arc<[SocketAddr]>> {
        let version = self.version.load(Ordering::Acquire);
        if version == *seen {
            return None;
        }
        // Who holds it is about to let go: the next attempt to connect takes it.
        let known = self.known.try_lock().ok()?;
        *seen = version;
        Some(known.clone())
    }

    /// Takes what a name server said, unless it said nothing.
    fn found(&self, found: Result<Vec<SocketAddr>, ResolveError>) {
        let (Ok(found), Ok(mut known)) = (found, self.known.lock()) else { return };
        if known[..] != found[..] && !found.is_empty() {
            *known = found.into();
            self.version.fetch_add(1, Ordering::Release);
        }
    }
}

/// Looks hosts up again that somebody could not connect to; may block, so it has a thread of its own.
pub fn look_up_wanted(hosts: &[Arc<HostAddresses>], stop: &AtomicBool) {
    let rest = u32::try_from(ASK_INTERVAL.as_millis() / LOOK_INTERVAL.as_millis()).unwrap_or(u32::MAX);
    let mut resting = vec![0u32; hosts.len()];
    while !stop.load(Ordering::Relaxed) {
        for (host, resting) in hosts.iter().zip(&mut resting) {
            *resting = resting.saturating_sub(1);
            if *resting == 0 && host.wanted.swap(false, Ordering::AcqRel) {
                *resting = rest;
                host.found(host.endpoint.resolve_all());
            }
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_good_addresses_are_kept_until_a_name_server_says_others() {
        let endpoint = Endpoint::parse("wss://127.0.0.1:9443").expect("an address");
        let old: SocketAddr = "127.0.0.9:9443".parse().expect("an address");
        let host = HostAddresses::new(endpoint, [old].into());
        let mut seen = 0;
        let failure = || ResolveError::NoAddress { host: "x".to_owned() };
        host.found(Err(failure()));
        host.found(Ok(Vec::new()));
        host.found(Ok(vec![old]));
        assert_eq!(host.newer(&mut seen), None, "nothing new");
        let (hosts, stop) = ([Arc::new(host)], AtomicBool::new(false));
        hosts[0].want();
        std::thread::scope(|scope| {
            scope.spawn(|| look_up_wanted(&hosts, &stop));
            while hosts[0].version.load(Ordering::Acquire) == 0 {
                std::thread::yield_now();
            }
            stop.store(true, Ordering::Relaxed);
        });
        let found = hosts[0].newer(&mut seen).expect("looked up");
        assert_eq!(found[..], ["127.0.0.1:9443".parse().expect("an address")]);
        assert_eq!(hosts[0].newer(&mut seen), None, "taken once");
    }
}
