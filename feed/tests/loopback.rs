//! COLD: the net lane against real sockets on loopback: what a peer may do wrong, and what it gets for it.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::{Events, Poll, Token};
use spinbook_engine::types::Nanos;
use spinbook_feed::net::clock::Clock;
use spinbook_feed::net::connection::{
    Connection, ConnectionError, ConnectionLimits, ConnectionSettings, ConnectionState, FRAME_PADDING, Operation,
};
use spinbook_feed::net::server::{Server, ServerError, ServerSettings};
use spinbook_feed::net::tls::{LoopbackIdentity, Trust};
use spinbook_feed::venue::exchange_side::{
    ClientControl, ConnectionId, ExchangeOutput, ExchangeSide, HttpRequest, HttpResponse,
};

/// An exchange that answers every text with the same text and obeys a few words.
#[derive(Default)]
struct Echo {
    outputs: VecDeque<ExchangeOutput>,
    pongs: Arc<std::sync::atomic::AtomicU64>,
}

impl ExchangeSide for Echo {
    fn on_http(&mut self, request: &HttpRequest<'_>, _now: Nanos) -> HttpResponse {
        let (path, _) = request.path_and_query();
        match path {
            "/busy" => HttpResponse {
                status: 429,
                headers: vec![("Retry-After".to_owned(), "7".to_owned())],
                body: b"{\"code\":-1003}".to_vec(),
            },
            "/large" => HttpResponse {
                status: 200,
                headers: Vec::new(),
                body: vec![b'x'; 300_000],
            },
            "/away" => HttpResponse {
                status: 302,
                headers: vec![("Location".to_owned(), "https://elsewhere.invalid/".to_owned())],
                body: Vec::new(),
            },
            _ => HttpResponse {
                status: 200,
                headers: Vec::new(),
                body: request.target.as_bytes().to_vec(),
            },
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
            b"cut" => self.outputs.push_back(ExchangeOutput::Close {
                connection,
                code: 0,
                reason: String::new(),
            }),
            b"bye" => {
                self.outputs.push_back(ExchangeOutput::Close {
                    connection,
                    code: 1001,
                    reason: "bye".to_owned(),
                });
            }
            b"large" => self.outputs.push_back(ExchangeOutput::Text {
                connection,
                text: vec![b'y'; 2 << 20],
            }),
            b"invalid" => self.outputs.push_back(ExchangeOutput::Text {
                connection,
                text: vec![0xff, 0xfe],
            }),
            b"flood" => {
                for _ in 0..1000 {
                    self.outputs.push_back(ExchangeOutput::Ping {
                        connection,
                        payload: b"p".to_vec(),
                    });
                }
            }
            b"pings" => {
                for payload in [b"1", b"2", b"3", b"4", b"5"] {
                    self.outputs.push_back(ExchangeOutput::Ping {
                        connection,
                        payload: payload.to_vec(),
                    });
                }
            }
            _ => self.outputs.push_back(ExchangeOutput::Text {
                connection,
                text: text.to_vec(),
            }),
        }
    }

    fn on_websocket_control(&mut self, _: ConnectionId, control: ClientControl, _now: Nanos) {
        if control == ClientControl::Pong {
            self.pongs.fetch_add(1, Ordering::Relaxed);
        }
    }

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
struct Running {
    address: SocketAddr,
    trust: Trust,
    pongs: Arc<std::sync::atomic::AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(identity: &LoopbackIdentity) -> Running {
        let echo = Echo::default();
        let pongs = echo.pongs.clone();
        let settings = ServerSettings::on((Ipv4Addr::LOCALHOST, 0).into());
        let mut server = Server::bind(settings, identity.server_config.clone(), echo).expect("a free port");
        let address = server.address();
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::spawn(move || server.run(&Clock::start(), &told).expect("polls"));
        let trust = Trust::from_pem(identity.ca_pem.as_bytes()).expect("own authority");
        Running {
            address,
            trust,
            pongs,
            stop,
            thread: Some(thread),
        }
    }

    fn plain() -> Running {
        Running::start(&LoopbackIdentity::generate().expect("certificates"))
    }

    fn settings(&self, target: &str) -> ConnectionSettings {
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

fn settings(address: SocketAddr, trust: &Trust, target: &str) -> ConnectionSettings {
    ConnectionSettings {
        address,
        host: format!("localhost:{}", address.port()),
        target: target.to_owned(),
        tls: trust.client_config().expect("roots"),
        limits: ConnectionLimits {
            open_within: Nanos::from_millis(2_000),
            ..ConnectionLimits::PUBLIC
        },
    }
}

/// A connection with a poll of its own, driven by the test.
struct Client {
    poll: Poll,
    events: Events,
    clock: Clock,
    connection: Connection,
}

impl Client {
    fn start(settings: &ConnectionSettings) -> Result<Client, ConnectionError> {
        let clock = Clock::start();
        let poll = Poll::new().expect("poll");
        let mut connection = Connection::open(settings, clock.now())?;
        connection.register(poll.registry(), Token(0)).expect("registers");
        Ok(Client {
            poll,
            events: Events::with_capacity(16),
            clock,
            connection,
        })
    }

    fn open(settings: &ConnectionSettings) -> Result<Client, ConnectionError> {
        let mut client = Client::start(settings)?;
        while !client.connection.drive_open(client.clock.now())? {
            client.wait();
            client.connection.on_timer(client.clock.now())?;
        }
        assert_eq!(client.connection.state(), ConnectionState::Open);
        Ok(client)
    }

    fn wait(&mut self) {
        self.poll
            .poll(&mut self.events, Some(Duration::from_millis(10)))
            .expect("polls");
        if self.events.iter().any(|event| event.is_readable()) {
            self.connection.on_readable();
        }
    }

    fn next_text(&mut self) -> Result<Vec<u8>, ConnectionError> {
        loop {
            let now = self.clock.now();
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

#[test]
fn texts_come_back_whole_over_tls() {
    let running = Running::plain();
    let mut client = Client::open(&running.settings("/ws/echo")).expect("opens");
    for length in [0, 1, 125, 126, 127, 4096, 65_535, 65_536, 200_000] {
        let text: Vec<u8> = (0..length).map(|i| b'a' + (i % 26) as u8).collect();
        client.connection.send_text(&text).expect("sends");
        assert!(
            client.next_text().expect("comes back") == text,
            "{length} bytes changed on the way"
        );
    }
    client.connection.close(client.clock.now());
    match client.next_text() {
        Err(ConnectionError::Closed { code: 1000, .. }) => {}
        other => panic!("an orderly close, not {other:?}"),
    }
    assert_eq!(client.connection.state(), ConnectionState::Ended);
}

#[test]
fn many_texts_at_once_survive_partial_writes() {
    let running = Running::plain();
    let mut options = running.settings("/ws/echo");
    options.limits.backlog_bytes_max = 64 << 20;
    let mut client = Client::open(&options).expect("opens");
    // Far more than the socket buffers hold, so writes are cut short and completed later.
    let text = vec![b'z'; 250_000];
    for _ in 0..40 {
        client.connection.send_text(&text).expect("kept and completed");
    }
    for _ in 0..40 {
        assert_eq!(client.next_text().expect("comes back").len(), text.len());
    }
}
