//! COLD: the exchange side against clients that misbehave.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use spinbook_engine::types::Nanos;
use spinbook_feed::net::connection::tls::LoopbackIdentity;
use spinbook_feed::net::exchange::server::{Server, ServerError, ServerSettings};
use spinbook_feed::net::io::fetch::{FetchError, Fetcher};

use super::peers::{Client, Echo, PATIENCE_SPAN, Running};

#[test]
fn a_port_in_use_is_said_with_the_way_out() {
    let running = Running::plain();
    let identity = LoopbackIdentity::generate().expect("certificates");
    let settings = ServerSettings::on(running.address);
    match Server::bind(settings, identity.server_config, Echo::default()) {
        Err(error @ ServerError::AddressInUse { .. }) => {
            let text = error.to_string();
            assert!(text.contains("--listen") && text.contains(&running.address.to_string()), "{text}");
        }
        Err(other) => panic!("in use, not {other}"),
        Ok(_) => panic!("two servers on one port"),
    }
}

#[test]
fn a_client_that_never_speaks_is_closed() {
    let identity = LoopbackIdentity::generate().expect("certificates");
    let mut settings = ServerSettings::on((Ipv4Addr::LOCALHOST, 0).into());
    settings.first_request_within = Nanos::from_millis(50);
    let running = Running::with(&identity, settings);
    let mut mute = TcpStream::connect(running.address).expect("connects");
    mute.set_read_timeout(Some(PATIENCE_SPAN)).expect("a timeout");
    let mut bytes = Vec::new();
    let ended = mute.read_to_end(&mut bytes);
    assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
}

#[test]
fn a_client_too_many_is_told_so_and_served_once_another_one_has_left() {
    let identity = LoopbackIdentity::generate().expect("certificates");
    let mut settings = ServerSettings::on((Ipv4Addr::LOCALHOST, 0).into());
    settings.clients_max = 2;
    let running = Running::with(&identity, settings);
    let open = || Client::open(&running.settings("/ws"));
    let served = [open().expect("the first"), open().expect("the second")];
    let url = format!("https://{}/time", running.address);
    match Fetcher::new(&running.trust, PATIENCE_SPAN).get(&url, 1_000) {
        Err(FetchError::Status { status: 503, body }) => {
            let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            assert!(body["msg"].as_str().is_some_and(|text| text.contains("2 are served at once")), "{body}");
        }
        other => panic!("503, not {other:?}"),
    }
    let refused = open().map(|_| ()).expect_err("one too many").to_string();
    assert!(refused.contains("503"), "{refused}");
    let [first, mut second] = served;
    second.connection.send_text(b"still here").expect("sent");
    assert_eq!(second.next_text().expect("the echo"), b"still here");
    drop(first);
    let began = Instant::now();
    while open().is_err() {
        assert!(began.elapsed() < PATIENCE_SPAN, "the place of the first stays taken");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_client_that_speaks_no_tls_is_closed_and_others_go_on() {
    let running = Running::plain();
    let mut stranger = TcpStream::connect(running.address).expect("connects");
    stranger.set_read_timeout(Some(PATIENCE_SPAN)).expect("a timeout");
    stranger.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    let mut bytes = Vec::new();
    let _ = stranger.read_to_end(&mut bytes);
    assert!(!bytes.starts_with(b"HTTP"));
    let mut client = Client::open(&running.settings("/ws")).expect("opens");
    client.connection.send_text(b"still here").expect("sent");
    assert_eq!(client.next_text().expect("the echo"), b"still here");
}

#[test]
fn a_client_that_does_not_read_is_closed() {
    let identity = LoopbackIdentity::generate().expect("certificates");
    let mut settings = ServerSettings::on((Ipv4Addr::LOCALHOST, 0).into());
    settings.output_bytes_max = 100_000;
    let running = Running::with(&identity, settings);
    let mut options = running.settings("/ws");
    options.limits.backlog_bytes_max = 256 << 20;
    let mut client = Client::open(&options).expect("opens");
    let text = vec![b'r'; 500_000];
    // Far more than all socket buffers and the exchange's own limit hold: it is cut off as soon as it has seen enough,
    // however long that takes.
    let began = Instant::now();
    let mut refused = (0..120).any(|_| client.connection.send_text(&text).is_err());
    while !refused {
        assert!(began.elapsed() < PATIENCE_SPAN, "the exchange kept everything");
        refused = client.connection.flush().is_err();
        std::thread::sleep(Duration::from_millis(2));
    }
}
