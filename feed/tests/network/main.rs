//! COLD: the net lane against real sockets on loopback: what a peer may do wrong, and what it gets for it.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod fetching;
mod lanes;
mod peers;
mod records;
mod rest_lanes;
mod serving;

use std::io::Write;

use peers::{Client, RawPeer, Running, Script, SilentPort, frame, on_all, read_frame_behind, send, settings};
use spinbook_engine::types::Nanos;
use spinbook_feed::net::connection::tls::{LoopbackIdentity, Trust, server_config};
use spinbook_feed::net::connection::{Connection, ConnectionError, ConnectionState, Operation};
use spinbook_feed::net::host::clock::Clock;

#[test]
fn texts_come_back_whole_over_tls() {
    on_all(|| {
        let running = Running::plain();
        let mut client = Client::open(&running.settings("/ws/echo")).expect("opens");
        for length in [0, 1, 125, 126, 127, 4096, 65_535, 65_536, 200_000] {
            let text: Vec<u8> = (0..length).map(|i| b'a' + (i % 26) as u8).collect();
            client.connection.send_text(&text).expect("sends");
            assert!(client.next_text().expect("comes back") == text, "{length} bytes changed on the way");
        }
        client.connection.close(client.now());
        match client.next_text() {
            Err(ConnectionError::Closed { code: 1000, .. }) => {}
            other => panic!("an orderly close, not {other:?}"),
        }
        assert_eq!(client.connection.state(), ConnectionState::Ended);
    });
}

#[test]
fn many_texts_at_once_survive_partial_writes() {
    on_all(|| {
        let running = Running::plain();
        let mut options = running.settings("/ws/echo");
        options.limits.backlog_bytes_max = 64 << 20;
        let mut client = Client::open(&options).expect("opens");
        // Far more than the socket buffers hold, so writes are cut short and completed later.
        let text = vec![b'z'; 250_000];
        for _ in 0..24 {
            client.connection.send_text(&text).expect("kept and completed");
        }
        for _ in 0..24 {
            assert_eq!(client.next_text().expect("comes back").len(), text.len());
        }
    });
}

fn open_error(settings: &spinbook_feed::net::connection::ConnectionSettings) -> ConnectionError {
    Client::open(settings).map(|_| ()).expect_err("must be refused")
}

fn tls_words(error: &ConnectionError) -> String {
    match error {
        ConnectionError::Tls(why) => why.to_string(),
        other => panic!("a TLS error, not {other:?}"),
    }
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    on_all(|| {
        let names = [rcgen::SanType::DnsName("elsewhere.example".try_into().expect("ASCII"))];
        let identity = LoopbackIdentity::for_names(&names, |_| {}).expect("certificates");
        let running = Running::start(&identity);
        assert!(tls_words(&open_error(&running.settings("/ws"))).contains("not valid for name"));
    });
}

#[test]
fn an_expired_certificate_is_refused() {
    on_all(|| {
        let names = [rcgen::SanType::DnsName("localhost".try_into().expect("ASCII"))];
        let identity = LoopbackIdentity::for_names(&names, |leaf| {
            leaf.not_before = rcgen::date_time_ymd(2020, 1, 1);
            leaf.not_after = rcgen::date_time_ymd(2021, 1, 1);
        });
        let running = Running::start(&identity.expect("certificates"));
        assert!(tls_words(&open_error(&running.settings("/ws"))).contains("expired"));
    });
}

#[test]
fn a_certificate_that_is_not_valid_yet_is_refused() {
    on_all(|| {
        let names = [rcgen::SanType::DnsName("localhost".try_into().expect("ASCII"))];
        let identity = LoopbackIdentity::for_names(&names, |leaf| leaf.not_before = rcgen::date_time_ymd(2500, 1, 1));
        let running = Running::start(&identity.expect("certificates"));
        assert!(tls_words(&open_error(&running.settings("/ws"))).contains("not valid yet"));
    });
}

#[test]
fn unknown_authorities_are_refused() {
    on_all(|| {
        let running = Running::plain();
        let stranger = LoopbackIdentity::generate().expect("certificates");
        let trust = Trust::from_pem(stranger.ca_pem.as_bytes()).expect("a certificate");
        assert!(tls_words(&open_error(&settings(running.address, &trust, "/ws"))).contains("certificate"));
        // The public roots do not know a loopback authority either.
        assert!(tls_words(&open_error(&settings(running.address, &Trust::public(), "/ws"))).contains("UnknownIssuer"));
    });
}

#[test]
fn a_self_signed_certificate_is_refused() {
    on_all(|| {
        let key = rcgen::KeyPair::generate().expect("a key");
        let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let certificate = parameters.self_signed(&key).expect("signed");
        let chain = vec![certificate.der().clone()];
        let config = server_config(chain, key.serialize_der().into()).expect("a server");
        let other = LoopbackIdentity::generate().expect("certificates");
        let running = Running::start(&LoopbackIdentity { server_config: config, ca_pem: other.ca_pem });
        assert!(tls_words(&open_error(&running.settings("/ws"))).contains("certificate"));
    });
}

#[test]
fn an_address_where_nobody_listens_is_refused_at_once() {
    let silent = SilentPort::take();
    let error = open_error(&settings(silent.address, &Trust::public(), "/ws"));
    assert!(matches!(error, ConnectionError::Refused), "{error:?}");
}

#[test]
fn a_peer_that_accepts_and_says_nothing_meets_the_deadline() {
    let mute = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut options = settings(mute.local_addr().expect("bound"), &Trust::public(), "/ws");
    options.limits.open_within = Nanos::from_millis(80);
    let error = open_error(&options);
    assert!(matches!(error, ConnectionError::Deadline { operation: Operation::Open, limit_ms: 80 }), "{error:?}");
}

#[test]
fn a_peer_that_stops_before_the_upgrade_reply_meets_the_same_deadline() {
    on_all(|| {
        let script =
            Script { reply_headers: None, then: b"HTTP/1.1 101 Swi".to_vec(), orderly: false, hold: true, act: None };
        let peer = RawPeer::start(script);
        let mut options = peer.settings();
        options.limits.open_within = Nanos::from_millis(200);
        let error = open_error(&options);
        assert!(matches!(error, ConnectionError::Deadline { operation: Operation::Open, .. }), "{error:?}");
    });
}

#[test]
fn an_open_connection_that_falls_silent_is_pinged_and_given_up() {
    on_all(|| {
        let peer = RawPeer::start(Script { hold: true, ..Script::sending(frame(0x81, b"first")) });
        let mut options = peer.settings();
        options.limits.ping_after = Nanos::from_seconds(1_000);
        options.limits.silent_max = Nanos::from_seconds(9_000);
        let mut client = Client::open(&options).expect("opens");
        assert_eq!(client.next_text().expect("one text"), b"first");
        let (_, sent_before) = client.connection.bytes();
        client.connection.on_timer(client.now()).expect("it spoke just now");
        assert_eq!(client.connection.bytes().1, sent_before, "there is no reason for a ping");
        client.ahead = Nanos::from_seconds(5_000);
        client.connection.on_timer(client.now()).expect("it may still answer");
        assert!(client.connection.bytes().1 > sent_before, "it was pinged");
        client.ahead = Nanos::from_seconds(9_001);
        let error = client.next_text().expect_err("silence");
        assert!(matches!(error, ConnectionError::Silent { silent_ms: 9_000_000.. }), "{error:?}");
        assert_eq!(client.connection.state(), ConnectionState::Ended);
        assert!(matches!(client.connection.send_text(b"x"), Err(ConnectionError::Ended)));
    });
}

#[test]
fn an_upgrade_refused_for_its_rate_keeps_status_and_retry_after() {
    on_all(|| {
        let running = Running::plain();
        match open_error(&running.settings("/busy")) {
            ConnectionError::Upgrade { status: 429, retry_after_seconds: Some(3), .. } => {}
            other => panic!("the venue's refusal, not {other:?}"),
        }
    });
}

#[test]
fn an_extension_that_was_not_offered_is_refused() {
    on_all(|| {
        let headers = "Sec-WebSocket-Extensions: permessage-deflate\r\n".to_owned();
        let peer = RawPeer::start(Script { reply_headers: Some(headers), ..Script::sending(Vec::new()) });
        let error = open_error(&peer.settings());
        assert!(matches!(&error, ConnectionError::Extension(name) if name == "permessage-deflate"), "{error:?}");
    });
}

#[test]
fn a_reply_header_without_end_is_cut_off() {
    on_all(|| {
        let headers = format!("X-Long: {}\r\n", "a".repeat(60_000));
        let peer = RawPeer::start(Script { reply_headers: Some(headers), ..Script::sending(Vec::new()) });
        let error = open_error(&peer.settings());
        assert!(matches!(error, ConnectionError::HeaderTooLarge { .. }), "{error:?}");
    });
}

#[test]
fn frames_that_break_the_protocol_end_the_connection() {
    on_all(|| {
        let cases: [(&str, Vec<u8>); 8] = [
            ("a reserved bit", frame(0xc1, b"x")),
            ("an unknown opcode", frame(0x83, b"x")),
            ("a masked frame", [vec![0x81, 0x81, 1, 2, 3, 4], vec![b'x' ^ 1]].concat()),
            ("a continuation of nothing", frame(0x80, b"x")),
            ("a fragmented ping", frame(0x09, b"x")),
            ("a ping of 126 bytes", frame(0x89, &[b'p'; 126])),
            ("text that is not UTF-8", frame(0x81, &[0xff, 0xfe])),
            ("a text inside a fragmented one", [frame(0x01, b"a"), frame(0x81, b"b")].concat()),
        ];
        for (what, bytes) in cases {
            let peer = RawPeer::start(Script { hold: true, ..Script::sending(bytes) });
            let mut client = Client::open(&peer.settings()).expect("opens");
            let error = client.next_text().expect_err(what);
            assert!(matches!(error, ConnectionError::Protocol(_)), "{what}: {error:?}");
            assert_eq!(client.connection.state(), ConnectionState::Ended, "{what}");
        }
    });
}

#[test]
fn a_message_over_the_cap_is_refused_before_it_is_received() {
    on_all(|| {
        // The header announces 2^62 bytes; nothing of them ever comes.
        let mut bytes = vec![0x81, 127];
        bytes.extend_from_slice(&(1_u64 << 62).to_be_bytes());
        let peer = RawPeer::start(Script { hold: true, ..Script::sending(bytes) });
        let mut client = Client::open(&peer.settings()).expect("opens");
        let error = client.next_text().expect_err("too large");
        assert!(matches!(error, ConnectionError::TooLarge { bytes_max: 1_048_576, .. }), "{error:?}");
        drop(client);

        let running = Running::plain();
        let mut client = Client::open(&running.settings("/ws")).expect("opens");
        client.connection.send_text(b"large").expect("sent");
        let error = client.next_text().expect_err("too large");
        assert!(matches!(error, ConnectionError::TooLarge { bytes: 2_097_152, .. }), "{error:?}");
    });
}

#[test]
fn fragments_are_put_together_and_controls_between_them_answered() {
    on_all(|| {
        let bytes = [frame(0x01, b"ab"), frame(0x89, b"ping"), frame(0x00, b""), frame(0x80, b"cd")].concat();
        let peer = RawPeer::start(Script { hold: true, ..Script::sending(bytes) });
        let mut client = Client::open(&peer.settings()).expect("opens");
        assert_eq!(client.next_text().expect("one text"), b"abcd");
        assert_eq!(client.connection.pings(), 1);
    });
}

#[test]
fn a_stream_cut_at_any_byte_never_yields_a_partial_message() {
    on_all(|| {
        let whole = [frame(0x81, b"{\"a\":1}"), frame(0x81, &[b'b'; 200])].concat();
        for cut in 0..whole.len() {
            let peer = RawPeer::start(Script::sending(&whole[..cut]));
            let mut client = match Client::open(&peer.settings()) {
                Ok(client) => client,
                Err(ConnectionError::Truncated | ConnectionError::Socket(_)) => continue,
                Err(other) => panic!("cut at {cut}: {other:?}"),
            };
            let mut texts = Vec::new();
            let error = loop {
                match client.next_text() {
                    Ok(text) => texts.push(text),
                    Err(error) => break error,
                }
            };
            let expected: &[&[u8]] = if cut >= 9 { &[b"{\"a\":1}"] } else { &[] };
            assert_eq!(texts, expected, "cut at {cut}");
            assert!(
                matches!(error, ConnectionError::Truncated | ConnectionError::Socket(_)),
                "cut at {cut}: {error:?}"
            );
        }
    });
}

#[test]
fn an_exchange_that_cuts_or_closes_is_told_apart() {
    on_all(|| {
        let running = Running::plain();
        let mut client = Client::open(&running.settings("/ws")).expect("opens");
        client.connection.send_text(b"cut").expect("sent");
        let error = client.next_text().expect_err("cut");
        assert!(matches!(error, ConnectionError::Truncated | ConnectionError::Socket(_)), "{error:?}");

        let mut client = Client::open(&running.settings("/ws")).expect("opens");
        client.connection.send_text(b"bye").expect("sent");
        match client.next_text() {
            Err(ConnectionError::Closed { code: 1001, reason }) if reason == "bye" => {}
            other => panic!("closed in order, not {other:?}"),
        }
    });
}

#[test]
fn only_the_newest_of_several_pings_is_answered() {
    on_all(|| {
        // All in one record, so they are read at once however the machine is busy.
        let pings: Vec<u8> = (b'1'..=b'5').flat_map(|payload| frame(0x89, &[payload])).collect();
        let script = Script { act: Some(expect_one_pong), ..Script::sending([pings, frame(0x81, b"after")].concat()) };
        let peer = RawPeer::start(script);
        let mut client = Client::open(&peer.settings()).expect("opens");
        assert_eq!(client.next_text().expect("what came behind them"), b"after");
        assert_eq!(client.connection.pings(), 5);
        client.connection.on_timer(client.now()).expect("nothing is overdue");
        client.connection.send_text(b"done").expect("sent");
        assert_eq!(client.next_text().expect("the peer saw what it waited for"), b"seen");
    });
}

/// The answer to the newest ping, and then at once what the client sent behind it.
fn expect_one_pong(tls: &mut rustls::ServerConnection, tcp: &mut std::net::TcpStream) -> std::io::Result<()> {
    send(tls, tcp)?;
    let mut kept = Vec::new();
    assert_eq!(read_frame_behind(&mut kept, tls, tcp, 1)?, (0x8a, b"5".to_vec()));
    assert_eq!(read_frame_behind(&mut kept, tls, tcp, 4)?, (0x81, b"done".to_vec()));
    tls.writer().write_all(&frame(0x81, b"seen"))
}

#[test]
fn a_pong_that_bears_a_mark_is_told_once_and_any_other_is_not() {
    on_all(|| {
        let pong = |payload: &[u8]| frame(0x8a, payload);
        let marked = [7_u64, 9].map(|mark| pong(&mark.to_be_bytes())).concat();
        let script = Script {
            hold: true,
            ..Script::sending([marked, pong(b""), pong(b"unasked"), frame(0x81, b"after")].concat())
        };
        let peer = RawPeer::start(script);
        let mut client = Client::open(&peer.settings()).expect("opens");
        assert_eq!(client.next_text().expect("what came behind them"), b"after");
        assert_eq!(client.connection.take_pong(), Some(9), "the newest says it all");
        assert_eq!(client.connection.take_pong(), None);
    });
}

#[test]
fn an_exchange_answers_a_ping_with_its_mark() {
    on_all(|| {
        let running = Running::plain();
        let mut client = Client::open(&running.settings("/ws")).expect("opens");
        let mark = 0x0123_4567_89ab_cdef;
        client.connection.ping(mark).expect("sent");
        let pong = loop {
            client.connection.send_text(b"and on").expect("sent");
            assert_eq!(client.next_text().expect("echoed"), b"and on");
            if let Some(pong) = client.connection.take_pong() {
                break pong;
            }
        };
        assert_eq!(pong, mark);
        client.connection.close(client.now());
        assert!(matches!(client.connection.ping(1), Err(ConnectionError::Ended)), "none leaves a connection that ends");
    });
}

#[test]
fn a_flood_of_pings_ends_the_connection() {
    on_all(|| {
        let flood = frame(0x89, b"p").repeat(1_000);
        let peer = RawPeer::start(Script { hold: true, ..Script::sending(flood) });
        let mut client = Client::open(&peer.settings()).expect("opens");
        let error = client.next_text().expect_err("a flood");
        assert!(matches!(error, ConnectionError::PingFlood { per_second_max: 20 }), "{error:?}");
        assert_eq!(client.connection.state(), ConnectionState::Ended);
    });
}

#[test]
fn what_is_not_taken_is_bounded() {
    on_all(|| {
        let running = Running::plain();
        let mut options = running.settings("/ws");
        options.limits.backlog_bytes_max = 1 << 20;
        let mut client = Client::open(&options).expect("opens");
        let text = vec![b'q'; 200_000];
        // Nobody reads the echoes, so first the exchange's and then our own buffers fill up.
        let error = (0..2_000).find_map(|_| client.connection.send_text(&text).err()).expect("bounded");
        assert!(matches!(error, ConnectionError::Backlog { .. } | ConnectionError::Socket(_)), "{error:?}");
    });
}

#[test]
fn impossible_hosts_and_targets_are_refused() {
    let trust = Trust::public();
    let address = "127.0.0.1:1".parse().expect("an address");
    let now = Clock::start().now();
    let mut options = settings(address, &trust, "/ws with space");
    assert!(matches!(Connection::open(&options, now), Err(ConnectionError::Request(_))));
    options.target = "/ws".to_owned();
    options.host = "no host:443".to_owned();
    assert!(matches!(Connection::open(&options, now), Err(ConnectionError::HostName(_))));
}

#[test]
fn a_look_finds_what_came_unasked_by_the_poll_and_the_next_message_without_the_socket() {
    on_all(|| {
        let bytes = [frame(0x81, b"one"), frame(0x81, b"two"), frame(0x89, b""), frame(0x81, b"three")].concat();
        let peer = RawPeer::start(Script::sending(bytes));
        let mut client = Client::open(&peer.settings()).expect("opens");
        let now = client.now();
        // What followed the upgrade's reply at once is there already; the rest is found by looking alone.
        let found = |client: &mut Client| {
            while !client.connection.process_next(now).expect("a message") {
                if !client.connection.poll_read(now) {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
            }
            let frame = client.connection.frame();
            frame.padded[..frame.length].to_vec()
        };
        assert_eq!(found(&mut client), b"one");
        while !client.connection.has_next() {
            client.connection.poll_read(now);
        }
        assert_eq!(client.connection.frame().length, 3, "the current message stays");
        assert_eq!(found(&mut client), b"two");
        assert!(!client.connection.has_next(), "a ping comes first");
        assert_eq!(found(&mut client), b"three");
        // The end is found by a look, and told by the next advance.
        while !client.connection.poll_read(now) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let error = loop {
            match client.connection.process_next(now) {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(error, ConnectionError::Truncated | ConnectionError::Socket(_)), "{error:?}");
        assert!(!client.connection.poll_read(now), "nothing comes of a connection that has ended");
    });
}
