//! COLD: peers for the loopback tests: an echo exchange, a raw peer that says whatever it is told, a driven client.

#![allow(missing_docs)]

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::{Events, Poll, Token};
use spinbook_engine::types::Nanos;
use spinbook_feed::net::connection::tls::{LoopbackIdentity, Trust};
use spinbook_feed::net::connection::{
    Connection, ConnectionError, ConnectionLimits, ConnectionSettings, ConnectionState,
};
use spinbook_feed::net::exchange::server::{Server, ServerSettings};
use spinbook_feed::net::host::clock::Clock;
use spinbook_feed::padding::FRAME_PADDING;
use spinbook_feed::sim::side::{ClientControl, ConnectionId, ExchangeOutput, ExchangeSide, HttpRequest, HttpResponse};

/// Longer than a machine that is busy with something else stands still: whoever waits so long has found a hang.
pub const PATIENCE: Nanos = Nanos::from_seconds(60);

/// The same for blocking sockets.
pub const PATIENCE_SPAN: Duration = Duration::from_secs(60);

/// An exchange that answers every text with the same text and obeys a few words.
#[derive(Default)]
pub struct Echo {
    outputs: VecDeque<ExchangeOutput>,
}

impl ExchangeSide for Echo {
    fn on_http(&mut self, request: &HttpRequest<'_>, _now: Nanos) -> HttpResponse {
        let (path, _) = request.path_and_query();
        match path {
            "/busy" => HttpResponse {
                status: 429,
                headers: vec![("Retry-After".to_owned(), "700".to_owned())],
                body: b"{\"code\":-1003}".to_vec(),
            },
            "/large" => HttpResponse { status: 200, headers: Vec::new(), body: vec![b'x'; 300_000] },
            "/away" => HttpResponse {
                status: 302,
                headers: vec![("Location".to_owned(), "https://elsewhere.invalid/".to_owned())],
                body: Vec::new(),
            },
            _ => HttpResponse { status: 200, headers: Vec::new(), body: request.target.as_bytes().to_vec() },
        }
    }

    fn on_websocket_open(&mut self, _: ConnectionId, target: &str, _now: Nanos) -> Result<(), HttpResponse> {
        match target {
            "/busy" => Err(HttpResponse {
                status: 429,
                headers: vec![("Retry-After".to_owned(), "3".to_owned())],
                body: b"slow down".to_vec(),
            }),
            _ => Ok(()),
        }
    }

    fn on_websocket_text(&mut self, connection: ConnectionId, text: &[u8], _now: Nanos) {
        match text {
            b"cut" => self.outputs.push_back(ExchangeOutput::Close { connection, code: 0, reason: String::new() }),
            b"bye" => {
                self.outputs.push_back(ExchangeOutput::Close { connection, code: 1001, reason: "bye".to_owned() });
            }
            b"large" => self.outputs.push_back(ExchangeOutput::Text { connection, text: vec![b'y'; 2 << 20] }),
            b"invalid" => self.outputs.push_back(ExchangeOutput::Text { connection, text: vec![0xff, 0xfe] }),
            _ => self.outputs.push_back(ExchangeOutput::Text { connection, text: text.to_vec() }),
        }
    }

    fn on_websocket_control(&mut self, _: ConnectionId, _: ClientControl, _now: Nanos) {}

    fn on_websocket_close(&mut self, _: ConnectionId, _now: Nanos) {}

    fn on_timer(&mut self, _now: Nanos) {}

    fn next_deadline(&self) -> Nanos {
        Nanos::NEVER
    }

    fn poll_output(&mut self) -> Option<ExchangeOutput> {
        self.outputs.pop_front()
    }
}

/// A running echo exchange; stops when dropped.
pub struct Running {
    pub address: SocketAddr,
    pub trust: Trust,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub fn start(identity: &LoopbackIdentity) -> Running {
        Running::with(identity, ServerSettings::on((Ipv4Addr::LOCALHOST, 0).into()))
    }

    pub fn with(identity: &LoopbackIdentity, settings: ServerSettings) -> Running {
        let mut server = Server::bind(settings, identity.server_config.clone(), Echo::default()).expect("a free port");
        let address = server.address();
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::spawn(move || server.run(&Clock::start(), &told).expect("polls"));
        let trust = Trust::from_pem(identity.ca_pem.as_bytes()).expect("own authority");
        Running { address, trust, stop, thread: Some(thread) }
    }

    pub fn plain() -> Running {
        Running::start(&LoopbackIdentity::generate().expect("certificates"))
    }

    pub fn settings(&self, target: &str) -> ConnectionSettings {
        settings(self.address, &self.trust, target)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("server ends in order");
        }
    }
}

/// Who opens and seals the client's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Our own record layer: TLS 1.3 with AES-GCM.
    Direct,
    /// rustls, because of the cipher.
    LibraryCipher,
    /// rustls, because of the version.
    LibraryVersion,
}

thread_local! {
    static TRANSPORT: Cell<Transport> = const { Cell::new(Transport::Direct) };
}

/// Runs a test with every transport of the client.
pub fn on_all(test: impl Fn()) {
    for transport in [Transport::Direct, Transport::LibraryCipher, Transport::LibraryVersion] {
        println!("{transport:?}");
        TRANSPORT.set(transport);
        test();
    }
    TRANSPORT.set(Transport::Direct);
}

pub fn transport() -> Transport {
    TRANSPORT.get()
}

fn client_config(trust: &Trust) -> Arc<rustls::ClientConfig> {
    let config = trust.client_config().expect("roots");
    let Some(certificates) = trust.private_roots() else { return config };
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let versions: &[&rustls::SupportedProtocolVersion] = match transport() {
        Transport::Direct => return config,
        Transport::LibraryCipher => {
            provider.cipher_suites.retain(|suite| suite.suite() == rustls::CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
            &[&rustls::version::TLS13]
        }
        Transport::LibraryVersion => &[&rustls::version::TLS12],
    };
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).expect("a root");
    }
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.enable_secret_extraction = true;
    Arc::new(config)
}

pub fn settings(address: SocketAddr, trust: &Trust, target: &str) -> ConnectionSettings {
    ConnectionSettings {
        address,
        host: format!("localhost:{}", address.port()),
        target: target.to_owned(),
        tls: client_config(trust),
        limits: ConnectionLimits {
            open_within: PATIENCE,
            close_within: PATIENCE,
            ping_after: PATIENCE,
            silent_max: PATIENCE,
            ..ConnectionLimits::PUBLIC
        },
    }
}

/// A connection with a poll of its own, driven by the test.
pub struct Client {
    poll: Poll,
    events: Events,
    clock: Clock,
    /// How far the connection's time is ahead of the machine's: a test waits for a deadline by moving it.
    pub ahead: Nanos,
    pub connection: Connection,
}

impl Client {
    pub fn start(settings: &ConnectionSettings) -> Result<Client, ConnectionError> {
        let clock = Clock::start();
        let poll = Poll::new().expect("poll");
        let mut connection = Connection::open(settings, clock.now())?;
        connection.register(poll.registry(), Token(0)).expect("registers");
        Ok(Client { poll, events: Events::with_capacity(16), clock, ahead: Nanos::ZERO, connection })
    }

    /// The time that the connection is told.
    pub fn now(&self) -> Nanos {
        self.clock.now() + self.ahead
    }

    pub fn open(settings: &ConnectionSettings) -> Result<Client, ConnectionError> {
        let mut client = Client::start(settings)?;
        while !client.connection.drive_open(client.now())? {
            client.wait();
            client.connection.on_timer(client.now())?;
        }
        assert_eq!(client.connection.state(), ConnectionState::Open);
        assert_eq!(client.connection.is_direct(), transport() == Transport::Direct);
        Ok(client)
    }

    pub fn wait(&mut self) {
        match self.poll.poll(&mut self.events, Some(Duration::from_millis(10))) {
            // A stopped and continued process is such a case.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return,
            polled => polled.expect("polls"),
        }
        if self.events.iter().any(|event| event.is_readable()) {
            self.connection.on_readable();
        }
    }

    pub fn next_text(&mut self) -> Result<Vec<u8>, ConnectionError> {
        loop {
            let now = self.now();
            if let Some(frame) = self.connection.poll_frame(now)? {
                assert_eq!(frame.padded.len(), frame.length + FRAME_PADDING);
                return Ok(frame.padded[..frame.length].to_vec());
            }
            self.connection.flush()?;
            self.connection.on_timer(now)?;
            self.wait();
        }
    }
}

/// A port that is taken, so that nobody else gets it meanwhile, and on which nobody listens.
pub struct SilentPort {
    pub address: SocketAddr,
    _socket: socket2::Socket,
}

impl SilentPort {
    pub fn take() -> SilentPort {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
        let address = socket.local_addr().expect("bound").as_socket().expect("an IP address");
        SilentPort { address, _socket: socket }
    }
}

/// What a raw peer does after TLS is up and the upgrade request was read.
#[derive(Clone)]
pub struct Script {
    /// Extra header lines of the upgrade reply, each with its line end; `None`: no reply at all.
    pub reply_headers: Option<String>,
    /// Plaintext to send after it.
    pub then: Vec<u8>,
    /// Whether to end with a TLS close notice.
    pub orderly: bool,
    /// Keep the socket open until the client is gone.
    pub hold: bool,
    /// What else to do before the end.
    pub act: Option<fn(&mut rustls::ServerConnection, &mut std::net::TcpStream) -> std::io::Result<()>>,
}

impl Script {
    pub fn sending(then: impl Into<Vec<u8>>) -> Script {
        Script { reply_headers: Some(String::new()), then: then.into(), orderly: false, hold: false, act: None }
    }
}

/// A server that does exactly what its script says, once.
pub struct RawPeer {
    pub address: SocketAddr,
    pub trust: Trust,
    thread: Option<JoinHandle<()>>,
}

impl RawPeer {
    pub fn start(script: Script) -> RawPeer {
        let identity = LoopbackIdentity::generate().expect("certificates");
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let trust = Trust::from_pem(identity.ca_pem.as_bytes()).expect("own authority");
        let config = identity.server_config;
        let thread = std::thread::spawn(move || {
            let (tcp, _) = listener.accept().expect("a client");
            // A client that gives up early is part of the tests.
            let _ = play(tcp, config, &script);
        });
        RawPeer { address, trust, thread: Some(thread) }
    }

    pub fn settings(&self) -> ConnectionSettings {
        settings(self.address, &self.trust, "/ws")
    }
}

impl Drop for RawPeer {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the peer ends in order");
        }
    }
}

fn play(mut tcp: std::net::TcpStream, config: Arc<rustls::ServerConfig>, script: &Script) -> std::io::Result<()> {
    tcp.set_read_timeout(Some(PATIENCE_SPAN))?;
    let mut tls = rustls::ServerConnection::new(config).expect("a server session");
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        while tls.wants_write() {
            tls.write_tls(&mut tcp)?;
        }
        if receive(&mut tls, &mut tcp)? == 0 {
            return Ok(());
        }
        if tls.process_new_packets().is_err() {
            return Ok(());
        }
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = tls.reader().read(&mut chunk) {
            request.extend_from_slice(&chunk[..count]);
        }
    }
    if let Some(headers) = &script.reply_headers {
        let text = String::from_utf8_lossy(&request).into_owned();
        let key = text.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
        let accept = tungstenite::handshake::derive_accept_key(key.trim().as_bytes());
        let reply = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
        );
        tls.writer().write_all(reply.as_bytes())?;
    }
    tls.writer().write_all(&script.then)?;
    if let Some(act) = script.act {
        act(&mut tls, &mut tcp)?;
    }
    if script.orderly {
        tls.send_close_notify();
    }
    while tls.wants_write() {
        tls.write_tls(&mut tcp)?;
    }
    if script.hold {
        let mut sink = [0; 4096];
        loop {
            match tcp.read(&mut sink) {
                Ok(1..) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                _ => break,
            }
        }
    }
    Ok(())
}

/// Reads records once; a process that was stopped and continued meanwhile reads again.
pub fn receive(tls: &mut rustls::ServerConnection, tcp: &mut std::net::TcpStream) -> std::io::Result<usize> {
    loop {
        match tls.read_tls(tcp) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            received => return received,
        }
    }
}

/// Sends what the session has to send.
pub fn send(tls: &mut rustls::ServerConnection, tcp: &mut std::net::TcpStream) -> std::io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(tcp)?;
    }
    Ok(())
}

/// Reads until a whole client's frame of `payload_bytes` (at most 125) is there; its first byte and its payload.
pub fn read_frame(
    tls: &mut rustls::ServerConnection,
    tcp: &mut std::net::TcpStream,
    payload_bytes: usize,
) -> std::io::Result<(u8, Vec<u8>)> {
    let mut kept = Vec::new();
    let frame = read_frame_behind(&mut kept, tls, tcp, payload_bytes)?;
    assert!(kept.is_empty(), "more came than was waited for: {kept:?}");
    Ok(frame)
}

/// The same for one of several frames: what came behind it is kept for the next call.
pub fn read_frame_behind(
    kept: &mut Vec<u8>,
    tls: &mut rustls::ServerConnection,
    tcp: &mut std::net::TcpStream,
    payload_bytes: usize,
) -> std::io::Result<(u8, Vec<u8>)> {
    while kept.len() < 6 + payload_bytes {
        let mut chunk = [0; 512];
        match tls.reader().read(&mut chunk) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => kept.extend_from_slice(&chunk[..count]),
            Err(_) => {
                receive(tls, tcp)?;
                tls.process_new_packets().map_err(std::io::Error::other)?;
                send(tls, tcp)?;
            }
        }
    }
    let frame: Vec<u8> = kept.drain(..6 + payload_bytes).collect();
    assert_eq!(usize::from(frame[1]), 0x80 | payload_bytes, "masked, and of the length that was waited for");
    let (mask, masked) = (&frame[2..6], &frame[6..]);
    let payload = masked.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect();
    Ok((frame[0], payload))
}

/// The bytes of one unmasked server frame with this first byte.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(length as u8),
        length @ 126..=65_535 => {
            bytes.push(126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}
