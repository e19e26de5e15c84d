//! COLD: an operator's word to the wire: a line over a Unix socket, the thread that hears it, the I/O thread, the kernel.
//!
//! As `spinbook kill --symbol` goes: a socket's reader wakes, raises the control word, and the gateway loop finds it in its
//! next turn, cancels everything of the instrument in one request, signs, seals and writes it. An order is open each time.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use serde::Serialize;
use serde_json::{Value, json};
use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::intent::{Intent, IntentKind, TimeInForce};
use spinbook_engine::limits::{CANCEL_RING_SLOTS, EXECUTION_RING_SLOTS, ORDER_RING_SLOTS};
use spinbook_engine::ring::{self, Consumer, Producer};
use spinbook_engine::types::{Lots, Nanos, OrderId, Side, SlotId, Tick};
use spinbook_feed::net::connection::tls::{LoopbackIdentity, Trust};
use spinbook_feed::net::host::clock::{Clock, CycleScale, cycles};
use spinbook_feed::net::host::threads;
use spinbook_feed::net::io::gateway_loop::{
    GatewayLane, GatewayLoop, GatewayLoopSettings, GatewayRings, GatewayShared, Idle,
};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::instrument::Instrument;

use super::client::connector;
use super::exchange::{Answers, OrderAnswer, text_behind};
use super::line::ServedConnection;
use super::ours::{order_limits, patient_gateway};
use super::{EPOCH, STUCK};
use crate::clock::CycleClock;
use crate::histogram::{PERCENTILES, histogram};
use crate::markets::{shape_of, synthetic};

/// Words before the first that counts.
const WARM_WORDS: usize = 50;

/// How long words take to the wire.
#[derive(Clone, Debug, Serialize)]
pub struct WordTable {
    /// Which product line.
    pub what: &'static str,
    /// Words measured.
    pub words: usize,
    /// ns at each of [`PERCENTILES`].
    pub ns: Vec<f64>,
    /// The longest.
    pub ns_max: f64,
}

/// The exchange side: any number of connections, each request answered at once.
struct WordVenue {
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    lines: Vec<ServedConnection>,
    answers: Answers,
    /// Requests to cancel everything so far.
    cancels: usize,
}

impl WordVenue {
    fn bind(product: ProductLine, tls: Arc<ServerConfig>) -> io::Result<WordVenue> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let answers = Answers::new(product, OrderAnswer::Accept);
        Ok(WordVenue { listener, tls, lines: Vec::new(), answers, cancels: 0 })
    }

    fn turn(&mut self) -> io::Result<()> {
        match self.listener.accept() {
            Ok((tcp, _)) => self.lines.push(ServedConnection::new(tcp, &self.tls)?),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        for line in &mut self.lines {
            for text in line.texts()? {
                let reply = match text_behind(&text, b"\"method\":\"") {
                    Some(b"openOrders.cancelAll") => {
                        self.cancels += 1;
                        cancelled(&mut self.answers, &text)?
                    }
                    _ => self.answers.reply(&text)?,
                };
                line.send_text(&reply)?;
            }
        }
        Ok(())
    }
}

/// The newest order is cancelled, if there was one, and listed.
fn cancelled(answers: &mut Answers, text: &[u8]) -> io::Result<Vec<u8>> {
    let mut request: Value = serde_json::from_slice(text)?;
    request["method"] = json!("order.cancel");
    match answers.reply(request.to_string().as_bytes()) {
        Ok(single) => {
            let mut reply: Value = serde_json::from_slice(&single)?;
            reply["result"] = json!([reply["result"]]);
            Ok(reply.to_string().into_bytes())
        }
        // Nothing was ever placed.
        Err(_) => answers.reply(text),
    }
}

/// The gateway loop with the far ends of its rings, in the measuring thread.
struct WordRig {
    venue: WordVenue,
    gateway: GatewayLoop,
    shared: Arc<GatewayShared>,
    orders: Producer<Intent>,
    /// Held open: a ring whose producer is gone is over.
    _cancels: Producer<Intent>,
    executions: Consumer<ExecutionEvent>,
    instrument: Instrument,
    clock: Clock,
    number: u32,
}

impl WordRig {
    fn open(product: ProductLine) -> io::Result<WordRig> {
        let text = |error: &dyn std::fmt::Display| io::Error::other(error.to_string());
        let identity = LoopbackIdentity::generate().map_err(|error| text(&error))?;
        let trust = Trust::from_pem(identity.ca_pem.as_bytes()).map_err(|error| text(&error))?;
        let tls = trust.client_config().map_err(|error| text(&error))?;
        let venue = WordVenue::bind(product, identity.server_config)?;
        let to = connector(venue.listener.local_addr()?, &tls);
        let instrument = synthetic(shape_of(product));
        let lane = GatewayLane {
            gateway: patient_gateway(product, order_limits(), instrument),
            orders: to.clone(),
            user_data: to,
        };
        let (order_producer, orders) = ring::channel(ORDER_RING_SLOTS);
        let (cancel_producer, cancels) = ring::channel(CANCEL_RING_SLOTS);
        let (execution_producer, executions) = ring::channel(EXECUTION_RING_SLOTS);
        let rings = GatewayRings { cancels, orders, executions: execution_producer, decisions: None };
        let settings = GatewayLoopSettings {
            idle: Idle::Spin,
            drain_within: Nanos::from_seconds(1),
            on_connection_end: |_, connection, error| eprintln!("the connection {connection:?} ended: {error}"),
            rest: None,
        };
        let (clock, scale) = (Clock::start(), CycleScale::measure(Duration::from_millis(20)));
        let shared = Arc::new(GatewayShared::default());
        let gateway = GatewayLoop::new(vec![lane], rings, settings, clock, scale, shared.clone())?;
        let (orders, _cancels) = (order_producer, cancel_producer);
        Ok(WordRig { venue, gateway, shared, orders, _cancels, executions, instrument, clock, number: 0 })
    }

    fn turn(&mut self) -> io::Result<()> {
        match self.gateway.turn()? {
            None => Ok(()),
            Some(_) => Err(io::Error::other("the gateway's loop has ended")),
        }
    }

    /// Takes turns of both sides until something came of it.
    fn until(&mut self, what: &str, mut holds: impl FnMut(&mut WordRig) -> bool) -> io::Result<()> {
        let begun = Instant::now();
        while !holds(self) {
            self.venue.turn()?;
            self.turn()?;
            if begun.elapsed() > STUCK {
                return Err(io::Error::other(format!("it never came to {what}")));
            }
        }
        Ok(())
    }

    fn heard(&mut self, kind: ExecutionKind) -> bool {
        std::iter::from_fn(|| self.executions.pop()).any(|event| event.kind == kind)
    }

    /// An order is open.
    fn place(&mut self) -> io::Result<()> {
        self.number += 1;
        let intent = Intent {
            order: OrderId::new(EPOCH, self.number),
            tick: Tick(612_345),
            lots: Lots(self.instrument.lots_order_step.max(1) * 1_000),
            decided: self.clock.now(),
            deadline: Nanos::NEVER,
            kind: IntentKind::Place,
            side: Side::Bid,
            slot: SlotId(0),
            time_in_force: TimeInForce::PostOnly,
            ..Intent::default()
        };
        self.orders.push(intent).map_err(|_| io::Error::other("the ring is full"))?;
        self.until("an open order", |rig| rig.heard(ExecutionKind::Accepted))
    }

    /// Says the word and takes the I/O thread's turns until its cancel is in the kernel; how many cycles that took.
    fn say(&mut self, operator: &mut UnixStream) -> io::Result<u64> {
        let before = self.shared.kill_to_wire.count();
        let begun = cycles();
        operator.write_all(b"kill\n")?;
        let waited = Instant::now();
        while self.shared.kill_to_wire.count() == before {
            self.turn()?;
            if waited.elapsed() > STUCK {
                return Err(io::Error::other("the word never led to a cancel"));
            }
        }
        Ok(self.gateway.written().ended.saturating_sub(begun))
    }
}

/// Measures `words` words after some that warm up.
///
/// # Errors
/// The sockets or the gateway refuse.
pub fn measure(product: ProductLine, words: usize) -> io::Result<WordTable> {
    let mut rig = WordRig::open(product)?;
    let id = rig.instrument.id;
    let (mut operator, ear) = UnixStream::pair()?;
    let shared = rig.shared.clone();
    let hear = move || {
        // It ends with the operator's end of the socket.
        for _ in BufReader::new(ear).lines().map_while(Result::ok) {
            shared.stop_instruments(&[id]);
        }
    };
    // Away from the loop that spins: the calling thread may be tied to one core.
    let core = crate::threads::cores().first().copied().filter(|_| crate::threads::cores().len() > 1);
    let hearing = threads::spawn("word-ear", core, |_| {}, hear)?;
    rig.until("a session", |rig| rig.heard(ExecutionKind::GatewayReady))?;
    let clock = CycleClock::calibrated();
    let mut spans = histogram();
    for word in 0..WARM_WORDS + words {
        rig.place()?;
        let cancels = rig.venue.cancels;
        let cycles = rig.say(&mut operator)?;
        if word >= WARM_WORDS {
            spans.saturating_record(clock.ns(cycles).max(1.0) as u64);
        }
        rig.until("the venue's confirmation", |rig| rig.shared.stopped_confirmed.contains(id))?;
        if rig.venue.cancels != cancels + 1 {
            return Err(io::Error::other(format!("{} requests to cancel for one word", rig.venue.cancels - cancels)));
        }
        rig.shared.allow_instruments(&[id]);
        rig.until("an instrument that is traded again", |rig| !rig.shared.stopped_confirmed.contains(id))?;
    }
    drop(operator);
    hearing.join().map_err(|_| io::Error::other("the thread that hears has failed"))?;
    rig.shared.abandon.store(true, Ordering::Release);
    Ok(WordTable {
        what: product.name(),
        words,
        ns: PERCENTILES.iter().map(|percentile| spans.value_at_percentile(*percentile) as f64).collect(),
        ns_max: spans.max() as f64,
    })
}

#[cfg(test)]
mod tests {
    use spinbook_feed::venue::ProductLine;

    use super::measure;

    #[test]
    fn every_word_leads_to_one_request_that_cancels_everything() {
        for product in ProductLine::all() {
            let table = measure(product, 20).expect("a session, and a confirmation of each word");
            assert_eq!(table.words, 20);
            assert!(table.ns[0] > 0.0 && table.ns[0] <= table.ns_max, "{table:?}");
        }
    }
}
