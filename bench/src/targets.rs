//! COLD: every ratio that is held to something, from the figures of a run.

use crate::contest::{Contest, Time};
use crate::histogram::PERCENTILES;
use crate::measure::{DecodeTable, Figures, PathClass, PathTable};
use crate::paced::cell::{Pause, Warmth};
use crate::paced::table::{PacedClass, PacedSpans, PacedTable};

use crate::risk_chain::RiskTable;
use crate::send::{SEALING, SIGNING};
use crate::target::{Limit, Target};
use crate::text::{format_figure, format_ns_pair};
use crate::wire::handover::HandoverTable;
use crate::wire::table::WireTable;
use crate::wire::word::WordTable;

/// Other people's books, as `bench/peers` names them, and how many times faster ours must be.
const BOOK_PEERS: [(&str, f64); 4] = [
    ("hftbacktest ROIVectorMarketDepth", 1.8),
    ("hftbacktest HashMapMarketDepth", 7.0),
    ("barter-data OrderBook", 25.0),
    ("nautilus-model OrderBook", 25.0),
];
/// Ours over the floor at p50, wire to wire.
const WIRE_RATIO_MAX: f64 = 1.15;

/// Where frames with pauses between them are measured.
pub const PACED_STAGE: &str = "frame to order, paced";
/// Pauses, and the p50 of frames that cause an order behind them over that of such frames back to back, kept warm.
const PACED_RATIOS_MAX: [(Pause, f64); 4] = [
    (Pause::Nanos(100_000), 1.05),
    (Pause::Nanos(1_000_000), 1.1),
    (Pause::Nanos(10_000_000), 1.75),
    (Pause::Recorded, 1.25),
];
/// From the read that finds a frame to its order on the ring, behind the longest of these pauses, in µs.
const PACED_READ_US_MAX: f64 = 9.0;

/// A figure, none if it was not measured, and where it comes from, or why there is none.
type Measured = (Option<f64>, String);

/// What a row is about: the stage and the input.
struct Row<'a>(&'static str, &'a str);

impl Row<'_> {
    fn holds(&self, yardstick: impl Into<String>, limit: Limit, unit: &'static str, measured: Measured) -> Target {
        let (input, yardstick) = (self.1.to_owned(), yardstick.into());
        Target { stage: self.0, input, yardstick, limit, unit, measured: measured.0, note: measured.1 }
    }

    fn ratio(&self, yardstick: impl Into<String>, limit: Limit, measured: Measured) -> Target {
        self.holds(yardstick, limit, "×", measured)
    }
}

/// All targets with what was measured.
#[must_use]
pub fn targets(figures: &Figures) -> Vec<Target> {
    let mut all = decode(&figures.decode, &figures.decode_native);
    for table in &figures.book {
        let ratio = table.times.first().zip(table.times.get(2)).map(|(ours, bare)| ours.ns / bare.ns);
        let measured = (ratio, ns_note(table.times.first(), table.times.get(2)));
        let row = Row("book", &table.what);
        all.push(row.ratio("a level over a bare store of its quantity", Limit::AtMost(4.0), measured));
    }
    all.extend(books(figures));
    all.extend(figures.path.iter().flat_map(path));
    all.extend(figures.risk.iter().map(risk));
    all.extend(figures.receive.iter().flat_map(receive));
    all.extend(figures.send.iter().filter_map(send));
    all.extend(figures.paced.tables.iter().flat_map(paced));
    all.extend(figures.wire.handover.iter().map(handover));
    all.extend(figures.wire.word.iter().map(word));
    all.extend(figures.wire.wire.iter().map(wire));
    if figures.wire.wire.is_empty() {
        let why = figures.wire.skipped.first().map_or("left out".to_owned(), String::clone);
        all.push(Row("wire to wire", "").ratio("p50 over the floor", Limit::AtMost(WIRE_RATIO_MAX), (None, why)));
    }
    all
}

fn ns_note(ours: Option<&Time>, theirs: Option<&Time>) -> String {
    let ns = |time: Option<&Time>| time.map_or(f64::NAN, |time| time.ns);
    format_ns_pair(ns(ours), ns(theirs))
}

/// One target a table and scanner: of the two builds the one in which the peers come closer counts.
fn decode(tables: &[DecodeTable], native: &[DecodeTable]) -> Vec<Target> {
    let mut all = Vec::new();
    for (scanner, what, limit) in [(0, "best scanner", 5.0), (1, "portable scanner", 3.0)] {
        for table in tables {
            let twin = native.iter().find(|twin| twin.what == table.what).map(|twin| (twin, ", peers' own build"));
            let builds = [Some((table, "")), twin];
            let ratio = |table: &DecodeTable| table.ratio(scanner).unwrap_or(f64::NAN);
            let harder = builds.into_iter().flatten().min_by(|one, other| ratio(one.0).total_cmp(&ratio(other.0)));
            let Some((table, build)) = harder else { continue };
            let note = match (table.times.get(scanner), table.best_peer()) {
                (Some(ours), Some(peer)) => format!("{:.0} ns, {} {:.0} ns{build}", ours.ns, peer.name, peer.ns),
                _ => String::new(),
            };
            let measured = (table.ratio(scanner), note);
            let yardstick = format!("{what} over the best peer");
            all.push(Row("decode", &table.what).ratio(yardstick, Limit::AtLeast(limit), measured));
        }
    }
    all
}

/// Ours beside other people's books on every recording, in the peers' build. Of several set-ups of a peer its fastest
/// counts.
fn books(figures: &Figures) -> Vec<Target> {
    let why = match &figures.peers_missing {
        Some(_) => "bench/peers did not run; why and what to do stands at the end",
        None => "bench/peers has no figures of this recording",
    };
    let mut all = Vec::new();
    for table in &figures.book {
        let twin = figures.book_native.iter().find(|twin| twin.what == table.what);
        for (peer, limit) in BOOK_PEERS {
            let measured = match twin.and_then(|twin| twin.best_of(peer).map(|row| (twin, row))) {
                Some((twin, row)) => {
                    let (ours, theirs, about) = (twin.ours.ns, row.time.ns, &row.about);
                    let note = format!("{ours:.2} ns, {theirs:.2} ns ({}; {})", about.version, about.setup);
                    (Some(twin.ratio(row)), note)
                }
                None => (None, why.to_owned()),
            };
            all.push(Row("book", &table.what).ratio(format!("over {peer}"), Limit::AtLeast(limit), measured));
        }
    }
    all
}

fn path(table: &PathTable) -> Vec<Target> {
    let Some(depth) = table.classes.iter().find(|class| class.what == "depth frames") else { return Vec::new() };
    let row = Row("frame to order", &table.what);
    let mut all: Vec<Target> = [(50.0, 6.0), (99.0, 7.0)]
        .into_iter()
        .map(|(percentile, limit)| {
            let yardstick = format!("p{percentile} over the plain pipeline");
            row.ratio(yardstick, Limit::AtLeast(limit), plain_over_ours(depth, percentile))
        })
        .collect();
    let line = depth.rows.first().and_then(|row| row.line);
    let fit = || "least squares over the levels of depth frames".to_owned();
    let fixed = (line.map(|line| line.intercept), fit());
    all.push(row.holds("fixed part", Limit::AtMost(120.0), " ns", fixed));
    all.push(row.holds("a level", Limit::AtMost(7.0), " ns", (line.map(|line| line.slope), fit())));
    let why = if table.allocations.is_some() { "allocator calls, whole recording" } else { "no counting allocator" };
    let calls = table.allocations.map(|calls| calls as f64);
    all.push(row.holds("allocations", Limit::AtMost(0.0), "", (calls, why.into())));
    all
}

/// Frames that cause an order with pauses before them, kept warm in every way. Frames whose pause was calm are held to the
/// ratios: what an interruption costs is the machine's.
fn paced(table: &PacedTable) -> Vec<Target> {
    let row = Row(PACED_STAGE, &table.what);
    let of = |pause: Pause, warmth: Warmth| table.row(PacedClass::Ordered, pause, warmth);
    let ns = |spans: Option<PacedSpans>| spans.and_then(|spans| spans.p50()).map_or("-".to_owned(), format_figure);
    let ratio = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{}×", format_figure(value)));
    let why = "too few frames".to_owned();
    let mut all: Vec<Target> = PACED_RATIOS_MAX
        .into_iter()
        .map(|(pause, limit)| {
            let (kept, off) = (of(pause, Warmth::All), of(pause, Warmth::Off));
            let measured = kept.and_then(|kept| kept.over_back_to_back);
            let note = format!(
                "{} ns, {} ns back to back; all frames, calm or not: {}; not kept warm: {}",
                ns(kept.map(|row| row.calm)),
                ns(of(Pause::None, Warmth::Off).map(|row| row.calm)),
                ratio(kept.and_then(|kept| kept.over_back_to_back_all)),
                ratio(off.and_then(|off| off.over_back_to_back)),
            );
            let yardstick =
                format!("behind pauses ({}) over the same frames back to back, p50, kept warm", pause.name());
            let note = if measured.is_some() { note } else { why.clone() };
            row.ratio(yardstick, Limit::AtMost(limit), (measured, note))
        })
        .collect();
    let longest = Pause::Nanos(10_000_000);
    let (kept, off) = (of(longest, Warmth::All), of(longest, Warmth::Off));
    let measured = kept.and_then(|kept| kept.receive_to_ring.p50()).map(|ns| ns / 1e3);
    let note = format!(
        "all frames: {} ns; not kept warm: {} ns",
        ns(kept.map(|kept| kept.receive_to_ring_all)),
        ns(off.map(|off| off.receive_to_ring))
    );
    let note = if measured.is_some() { note } else { why };
    let yardstick = format!("read to ring, p50 behind pauses ({}), kept warm", longest.name());
    all.push(row.holds(yardstick, Limit::AtMost(PACED_READ_US_MAX), " µs", (measured, note)));
    all
}

fn plain_over_ours(class: &PathClass, percentile: f64) -> Measured {
    let place = PERCENTILES.iter().position(|&one| one == percentile);
    match (place, &class.rows[..]) {
        (Some(place), [ours, plain, ..]) => {
            let (ours, plain) = (ours.ns[place], plain.ns[place]);
            (Some(plain / ours), format!("{ours:.0} ns, {plain:.0} ns"))
        }
        _ => (None, String::new()),
    }
}

/// An order's way through every control.
fn risk(table: &RiskTable) -> Target {
    let (passed, orders) = (table.passed, table.orders);
    let note = format!("{passed} of {orders} recorded orders pass, ±{:.1} %", table.time.spread * 100.0);
    let measured = (Some(table.time.ns), note);
    Row("risk", &table.what).holds("the whole chain, batch mean", Limit::AtMost(50.0), " ns", measured)
}

fn receive(contest: &Contest) -> [Target; 2] {
    let (row, times) = (Row("receive", contest.what), &contest.times);
    let bare = (Some(contest.over_yardstick), ns_note(times.get(1), times.first()));
    let best = times.iter().skip(3).min_by(|one, other| one.ns.total_cmp(&other.ns));
    let peers = (Some(contest.peer_over_ours), ns_note(times.get(1), best));
    [
        row.ratio("over bare AES-128-GCM", Limit::AtMost(1.2), bare),
        row.ratio("over the best tungstenite + rustls", Limit::AtLeast(1.6), peers),
    ]
}

/// Signing is held to a time, sealing to the bare cipher; the other steps are shown only.
fn send(contest: &Contest) -> Option<Target> {
    let ours = contest.times.get(1);
    match contest.what {
        SIGNING => {
            let measured = (ours.map(|time| time.ns), "kept midstates".into());
            Some(Row("send", "").holds(SIGNING, Limit::AtMost(200.0), " ns", measured))
        }
        SEALING => {
            let measured = (Some(contest.over_yardstick), ns_note(ours, contest.times.first()));
            Some(Row("send", SEALING).ratio("over the bare seal", Limit::AtMost(1.2), measured))
        }
        _ => None,
    }
}

fn handover(table: &HandoverTable) -> Target {
    let figure = |name: &str| {
        let step = table.steps.iter().find(|step| step.name.contains(name));
        step.map_or(String::new(), |step| format!("p50 {:.0} ns, p99 {:.0} ns", step.p50, step.p99))
    };
    let note = format!(
        "{} orders; decision until the write: {}; until the kernel has it: {}",
        table.orders,
        figure("until the write"),
        figure("until the kernel")
    );
    let measured = (table.allocations.map(|calls| calls as f64), note);
    Row("send", table.what).holds("allocations from a decision into the kernel", Limit::AtMost(0.0), "", measured)
}

/// An operator's kill, from the line in the socket to the request in the kernel.
fn word(table: &WordTable) -> Target {
    let at = |wanted: f64| PERCENTILES.iter().position(|one| *one == wanted).and_then(|place| table.ns.get(place));
    let text = |ns: Option<&f64>| ns.map_or(String::new(), |ns| format!("{:.0} ns", ns));
    let note = format!("{} words; p50 {}, max {}", table.words, text(at(50.0)), text(Some(&table.ns_max)));
    let measured = (at(99.0).map(|ns| ns / 1e6), note);
    Row("kill word to wire", table.what).holds("p99", Limit::AtMost(1.0), " ms", measured)
}

fn wire(table: &WireTable) -> Target {
    let mut notes = Vec::new();
    if let [ours, floor] = &table.sides[..] {
        for (percentile, (ours, floor)) in PERCENTILES.iter().zip(ours.ns.iter().zip(&floor.ns)) {
            notes.push(format!("p{percentile} {}, {} ns", format_figure(*ours), format_figure(*floor)));
        }
        notes.extend(table.below_noise());
    }
    let measured = (Some(table.ratio_p50), notes.join("; "));
    Row("wire to wire", &table.what).ratio("p50 over the floor", Limit::AtMost(WIRE_RATIO_MAX), measured)
}
