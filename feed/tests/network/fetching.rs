//! COLD: blocking requests against an exchange that misbehaves.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use spinbook_engine::types::InstrumentId;
use spinbook_feed::net::connection::tls::Trust;
use spinbook_feed::net::hot::snapshots::{self, SnapshotJob, SnapshotUrls};
use spinbook_feed::net::io::fetch::{FetchError, Fetcher, HttpCall};

use super::peers::{PATIENCE_SPAN, Running, SilentPort};

fn fetcher(running: &Running) -> (Fetcher, String) {
    let base = format!("https://localhost:{}", running.address.port());
    (Fetcher::new(&running.trust, PATIENCE_SPAN), base)
}

#[test]
fn a_body_comes_whole_and_the_target_unchanged() {
    let running = Running::plain();
    let (fetcher, base) = fetcher(&running);
    let target = "/api?symbol=%EF%BC%91&x=a%2Bb&signature=00ff";
    for _ in 0..3 {
        assert_eq!(fetcher.get(&format!("{base}{target}"), 1000).expect("a body"), target.as_bytes());
    }
}

#[test]
fn a_body_over_the_cap_is_refused() {
    let running = Running::plain();
    let (fetcher, base) = fetcher(&running);
    let error = fetcher.get(&format!("{base}/large"), 299_999).expect_err("too large");
    assert!(matches!(error, FetchError::TooLarge { bytes_max: 299_999 }), "{error:?}");
    assert_eq!(fetcher.get(&format!("{base}/large"), 300_000).expect("fits").len(), 300_000);
}

#[test]
fn a_rate_limit_silences_every_clone_until_it_is_over() {
    let running = Running::plain();
    let (fetcher, base) = fetcher(&running);
    match fetcher.get(&format!("{base}/busy"), 1000) {
        Err(FetchError::RateLimited { status: 429, retry_after_seconds: 700, body }) => {
            assert_eq!(body, b"{\"code\":-1003}");
        }
        other => panic!("a rate limit, not {other:?}"),
    }
    // Another request is not even sent: it would have succeeded.
    match fetcher.clone().get(&format!("{base}/fine"), 1000) {
        Err(FetchError::RateLimited { retry_after_seconds: 1..=700, body, .. }) => assert!(body.is_empty()),
        other => panic!("quiet, not {other:?}"),
    }
}

#[test]
fn redirects_are_not_followed() {
    let running = Running::plain();
    let (fetcher, base) = fetcher(&running);
    let call = HttpCall {
        method: "GET",
        url: &format!("{base}/away"),
        headers: &[("X-MBX-APIKEY", "key")],
        body_bytes_max: 1000,
    };
    match fetcher.call(&call) {
        Err(FetchError::Redirect { status: 302, location }) => assert_eq!(location, "https://elsewhere.invalid/"),
        other => panic!("a redirect, not {other:?}"),
    }
}

#[test]
fn an_untrusted_exchange_gets_no_request() {
    let running = Running::plain();
    let base = format!("https://localhost:{}", running.address.port());
    let error = Fetcher::new(&Trust::public(), PATIENCE_SPAN).get(&base, 1000).expect_err("untrusted");
    assert!(matches!(error, FetchError::Tls(_)), "{error:?}");
}

#[test]
fn nobody_there_and_no_answer_are_told_apart() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let base = format!("https://localhost:{}", listener.local_addr().expect("bound").port());
    let fetcher = Fetcher::new(&Trust::public(), Duration::from_millis(150));
    let error = fetcher.get(&base, 1000).expect_err("mute");
    assert!(matches!(error, FetchError::Timeout(_)), "{error:?}");
    let silent = SilentPort::take();
    let base = format!("https://localhost:{}", silent.address.port());
    let fetcher = Fetcher::new(&Trust::public(), PATIENCE_SPAN);
    let error = fetcher.get(&base, 1000).expect_err("nobody");
    assert!(matches!(error, FetchError::Connect(_)), "{error:?}");
    let error = fetcher.get("http://localhost/", 1000).expect_err("not encrypted");
    assert!(matches!(error, FetchError::Request(_)), "{error:?}");
}

#[test]
fn a_peer_that_speaks_no_tls_is_an_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let base = format!("https://localhost:{}", listener.local_addr().expect("bound").port());
    let peer = std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().expect("a client");
        let mut hello = [0; 512];
        let _ = tcp.read(&mut hello);
        let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    });
    let error = Fetcher::new(&Trust::public(), PATIENCE_SPAN).get(&base, 1000).expect_err("no TLS");
    assert!(matches!(error, FetchError::Tls(_) | FetchError::Broken(_)), "{error:?}");
    peer.join().expect("the peer ends");
}

struct OneUrl(String);

impl SnapshotUrls for OneUrl {
    fn url(&self, job: SnapshotJob) -> String {
        format!("{}/depth?limit={}", self.0, job.levels)
    }
}

#[test]
fn a_book_that_was_full_gets_a_larger_one_with_its_snapshot() {
    let running = Running::plain();
    let (fetcher, base) = fetcher(&running);
    let (mailbox, worker) = snapshots::new(4, vec![fetcher], OneUrl(base), |error| panic!("{error}"));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| worker.run(&stop));
        for outer_levels in [None, Some(96)] {
            let job = SnapshotJob { session: 0, instrument: InstrumentId(3), levels: 1000, outer_levels };
            assert!(mailbox.ask(job));
            let began = std::time::Instant::now();
            let result = loop {
                if let Some(result) = mailbox.take() {
                    break result;
                }
                assert!(began.elapsed() < PATIENCE_SPAN, "no result");
                std::thread::sleep(Duration::from_millis(1));
            };
            assert_eq!(result.job, job);
            assert_eq!(result.length, Ok(b"/depth?limit=1000".len()));
            assert_eq!(result.book.as_ref().map(spinbook_engine::book::Book::outer_level_capacity), outer_levels);
            mailbox.give_back(result);
        }
        stop.store(true, Ordering::Relaxed);
    });
}
