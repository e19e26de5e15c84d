//! COLD: TLS after the handshake, on sockets: key updates, close notices, truncation and tampering.

use std::io::Write;
use std::time::Duration;

use spinbook_feed::net::connection::{ConnectionError, ConnectionState};
use spinbook_feed::record::RecordError;

use crate::peers::{Client, RawPeer, Script, Transport, frame, on_all, read_frame, receive, send, transport};

#[test]
fn keys_may_change_in_mid_stream_in_both_directions() {
    // TLS 1.2 has no key updates.
    for round in [1, 5] {
        let script = Script {
            hold: true,
            act: Some(if round == 1 { one_update } else { five_updates }),
            ..Script::sending(frame(0x81, b"before"))
        };
        let peer = RawPeer::start(script);
        let mut client = Client::open(&peer.settings()).expect("opens");
        assert_eq!(client.next_text().expect("under the first key"), b"before");
        for _ in 0..round {
            assert_eq!(client.next_text().expect("under the next key"), b"after");
            client.connection.send_text(b"hello").expect("sealed under our next key");
            assert_eq!(client.next_text().expect("the echo"), b"HELLO");
        }
        assert_eq!(client.connection.state(), ConnectionState::Open);
    }
}

fn one_update(tls: &mut rustls::ServerConnection, tcp: &mut std::net::TcpStream) -> std::io::Result<()> {
    updates(tls, tcp, 1)
}

fn five_updates(tls: &mut rustls::ServerConnection, tcp: &mut std::net::TcpStream) -> std::io::Result<()> {
    updates(tls, tcp, 5)
}

fn updates(tls: &mut rustls::ServerConnection, tcp: &mut std::net::TcpStream, count: usize) -> std::io::Result<()> {
    for _ in 0..count {
        tls.refresh_traffic_keys().expect("TLS 1.3");
        tls.writer().write_all(&frame(0x81, b"after"))?;
        send(tls, tcp)?;
        let (first, text) = read_frame(tls, tcp, 5)?;
        assert_eq!((first, &text[..]), (0x81, &b"hello"[..]));
        tls.writer().write_all(&frame(0x81, &text.to_ascii_uppercase()))?;
        send(tls, tcp)?;
    }
    Ok(())
}

#[test]
fn a_close_notice_without_a_close_frame_ends_in_order() {
    on_all(|| {
        let peer = RawPeer::start(Script { orderly: true, ..Script::sending(frame(0x81, b"last")) });
        let mut client = Client::open(&peer.settings()).expect("opens");
        assert_eq!(client.next_text().expect("what came before it"), b"last");
        match client.next_text() {
            Err(ConnectionError::Closed { code: 1006, .. }) => {}
            other => panic!("an end in order, not {other:?}"),
        }
        assert_eq!(client.connection.state(), ConnectionState::Ended);
    });
}

#[test]
fn our_end_says_close_frame_and_close_notice() {
    on_all(|| {
        let peer = RawPeer::start(Script { act: Some(expect_close), ..Script::sending(frame(0x81, b"up")) });
        let mut client = Client::open(&peer.settings()).expect("opens");
        assert_eq!(client.next_text().expect("one text"), b"up");
        client.connection.close(client.now());
        assert_eq!(client.connection.state(), ConnectionState::Closing);
        assert!(matches!(client.connection.send_text(b"late"), Err(ConnectionError::Ended)));
        // Whatever came of it, the peer's thread asserts what it saw before it ends.
        let _ = client.next_text();
        drop(client);
    });
}

fn expect_close(tls: &mut rustls::ServerConnection, tcp: &mut std::net::TcpStream) -> std::io::Result<()> {
    send(tls, tcp)?;
    let (first, payload) = read_frame(tls, tcp, 2)?;
    assert_eq!((first, &payload[..]), (0x88, &1000u16.to_be_bytes()[..]));
    tls.writer().write_all(&frame(0x88, &payload))?;
    send(tls, tcp)?;
    let mut state = tls.process_new_packets().map_err(std::io::Error::other)?;
    while !state.peer_has_closed() && receive(tls, tcp)? > 0 {
        state = tls.process_new_packets().map_err(std::io::Error::other)?;
    }
    assert!(state.peer_has_closed(), "the client's close notice came");
    Ok(())
}

#[test]
fn a_tampered_record_is_refused_and_the_peer_is_told() {
    on_all(|| {
        let peer = RawPeer::start(Script { act: Some(tamper), ..Script::sending(frame(0x81, b"good")) });
        let mut client = Client::open(&peer.settings()).expect("opens");
        assert_eq!(client.next_text().expect("untouched"), b"good");
        let error = client.next_text().expect_err("tampered");
        match (transport(), &error) {
            (Transport::Direct, ConnectionError::Record(RecordError::BadRecordMac)) => {}
            (
                Transport::LibraryCipher | Transport::LibraryVersion,
                ConnectionError::Tls(rustls::Error::DecryptError),
            ) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(client.connection.state(), ConnectionState::Ended);
    });
}

fn tamper(tls: &mut rustls::ServerConnection, tcp: &mut std::net::TcpStream) -> std::io::Result<()> {
    send(tls, tcp)?;
    std::thread::sleep(Duration::from_millis(20));
    tls.writer().write_all(&frame(0x81, b"evil"))?;
    let mut record = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut record)?;
    }
    *record.last_mut().expect("a record") ^= 1;
    tcp.write_all(&record)?;
    // The alert arrives as an error of the session's.
    let error = loop {
        if receive(tls, tcp)? == 0 {
            panic!("no alert came");
        }
        if let Err(error) = tls.process_new_packets() {
            break error;
        }
    };
    assert_eq!(error, rustls::Error::AlertReceived(rustls::AlertDescription::BadRecordMac));
    Ok(())
}
