//! COLD: the sections of what is measured over sockets: decision to kernel, wire to wire.

use super::PlotPath;
use crate::document::{Document, ReportTable};
use crate::histogram::PERCENTILES;
use crate::text::{format_count, format_figure};
use crate::wire::WireFigures;
use crate::wire::disturbance::Disturbance;
use crate::wire::handover::HandoverTable;
use crate::wire::table::{SideTable, WireTable, script_settings};
use crate::wire::word::WordTable;

/// Both; `plots` are those of the wire.
pub fn section(out: &mut Document, figures: &WireFigures, plots: &[PlotPath]) {
    if figures.wire.is_empty() && figures.handover.is_empty() && figures.word.is_empty() {
        return;
    }
    out.heading(2, "Decision to kernel: ns");
    out.text(
        "One thread, one connection on loopback with TLS and WebSocket: an intent is pushed on the ring and popped, the \
         gateway checks, books, encodes and signs it, the frame is masked, sealed and written. The order is read and \
         refused, and the refusal taken, between two orders. The write is the system's: on loopback it carries the bytes \
         up to the receiver's socket.",
    );
    figures.handover.iter().for_each(|table| handover(out, table));
    if let Some(table) = &figures.journal {
        out.heading(2, "A place into the journal: ns");
        out.text(
            "What an order costs that is written down before it leaves: its name at the venue is made, the record with its \
             length, number and checksum copied into the mapped file, whose pages another thread keeps ready and brings to \
             the disk. The stage `place-journaled` of the gate counts its instructions.",
        );
        let columns = ["orders".to_owned()].into_iter().chain(PERCENTILES.map(|percentile| format!("p{percentile}")));
        let mut rows = ReportTable::new(columns.chain(["max".to_owned()]));
        let figures = table.ns.iter().chain([&table.ns_max]).copied().map(format_figure);
        rows.row([format_count(table.orders)].into_iter().chain(figures));
        out.table(rows);
    }
    out.heading(2, "Kill word to wire: ns");
    out.text(
        "From an operator's line into a Unix socket until the request that cancels everything of an instrument is in the \
         kernel: the thread that hears it wakes and raises the control word, the gateway loop finds it in its next turn, \
         signs, seals and writes. An order is open each time, and each word is confirmed before the next.",
    );
    words(out, &figures.word);
    out.heading(2, "Wire to wire: ns");
    out.text(explanation());
    for table in &figures.wire {
        wire(out, table);
        for (what, path) in plots.iter().filter(|(what, _)| *what == table.what) {
            out.plot(format!("Wire to wire, percentiles, {what}"), path);
        }
    }
}

fn words(out: &mut Document, tables: &[WordTable]) {
    let columns = ["product line".to_owned(), "words".to_owned()].into_iter();
    let percentiles = PERCENTILES.map(|percentile| format!("p{percentile}"));
    let mut rows = ReportTable::new(columns.chain(percentiles).chain(["max".to_owned()]));
    for table in tables {
        let figures = table.ns.iter().chain([&table.ns_max]).copied().map(format_figure);
        rows.row([table.what.to_owned(), format_count(table.words)].into_iter().chain(figures));
    }
    out.table(rows);
}

fn handover(out: &mut Document, table: &HandoverTable) {
    let mut rows = ReportTable::new(["step", "p50", "p99"]);
    for step in &table.steps {
        rows.row([step.name, &format!("{:.0}", step.p50), &format!("{:.0}", step.p99)]);
    }
    out.text(format!("**{}** ({} orders)", table.what, table.orders));
    out.table(rows);
    if let Some(calls) = table.allocations {
        out.text(format!("Calls to the allocator on this way, over all orders: {calls}."));
    }
}

fn explanation() -> String {
    let script = script_settings(0);
    format!(
        "From when a market frame is due to leave the exchange side until its order's bytes have been read there, over \
         loopback with TLS 1.3 and WebSocket.\n\n\
         - **Frames**: recorded depth and best bid/ask frames, byte for byte, sealed ahead. Bursts keep their recorded \
         rhythm, pauses are cut to {} µs, and what is due together leaves in one write.\n\
         - **Schedule**: fixed beforehand. Each latency counts from when its frame was due, however late it left, so \
         nothing is omitted when a side falls behind; one picked frame at a time is under way, and the next waits with \
         its clock running. The rows \"from the actual sending\" show what a sender that waits would see.\n\
         - **Orders**: each {}rd frame, if due {} µs or more after the last such one, must cause exactly one. The \
         reference strategy works at every frame, and its bid is let through for these, with a quantity that names the \
         frame. The exchange side refuses each order at once, as a venue refuses a post-only order. One that is lost, \
         doubled or of another frame ends the measurement.\n\
         - **Spinbook**: the real hot loop (socket, record layer, WebSocket, decoder, sequence, book, strategy, quoter, \
         risk), the ring, and the real gateway loop.\n\
         - **Floor**: the same threads, sockets, TLS, WebSocket and ring, read and polled alike; a picked frame is only \
         decrypted and its frame header read, and a fixed order is sent. Rounds alternate.\n\
         - **Cores**: the hot thread spins on one. On the other the exchange side and the gateway loop take turns in one \
         thread, spinning: with three spinning threads on two cores the scheduler would be measured. A program that \
         trades on two cores lets its gateway loop sleep up to 20 µs instead; with three or more it spins, as here.",
        script.pause_ns_max / 1_000,
        script.pick_every,
        script.pick_apart_ns / 1_000,
    )
}

fn wire(out: &mut Document, table: &WireTable) {
    out.text(format!("**{}** ({} frames a round; {})", table.what, format_count(table.frames), table.cores));
    let columns = ["side".to_owned(), "orders".to_owned()].into_iter();
    let percentiles = PERCENTILES.map(|percentile| format!("p{percentile}"));
    let mut rows = ReportTable::new(columns.chain(percentiles).chain(["max".to_owned()]));
    let mut row = |name: String, side: &SideTable, ns: &[f64], max: f64| {
        let figures = ns.iter().chain([&max]).copied().map(format_figure);
        rows.row([name, format_count(side.orders)].into_iter().chain(figures));
    };
    table.sides.iter().for_each(|side| row(side.name.to_owned(), side, &side.ns, side.ns_max));
    for side in &table.sides {
        row(format!("{}, from the actual sending", side.name), side, &side.service_ns, f64::NAN);
    }
    out.table(rows);
    out.text(format!(
        "Ours over the floor at p50: {:.3} (the median of the pairs of rounds; of the least disturbed rounds {:.3}).",
        table.ratio_p50, table.ratio_best
    ));
    if let [ours, floor] = &table.sides[..] {
        parts(out, ours, floor);
    }
    disturbances(out, table);
}

fn parts(out: &mut Document, ours: &SideTable, floor: &SideTable) {
    let mut rows = ReportTable::new(["part of the way", "Spinbook p10", "floor p10", "Spinbook p50", "floor p50"]);
    for ((name, our_p10, our_p50), (_, floor_p10, floor_p50)) in ours.parts.iter().zip(&floor.parts) {
        rows.figures(name, [*our_p10, *floor_p10, *our_p50, *floor_p50]);
    }
    out.table(rows);
    let mut rows = ReportTable::new(["decision until", "Spinbook p50", "p99", "floor p50", "p99"]);
    rows.figures("the write", ours.decision_to_write.into_iter().chain(floor.decision_to_write));
    rows.figures("the kernel has the bytes", ours.decision_to_kernel.into_iter().chain(floor.decision_to_kernel));
    out.table(rows);
}

/// What the machine did, beside the tails.
fn disturbances(out: &mut Document, table: &WireTable) {
    let mut rows = ReportTable::new([
        "side",
        "seconds",
        "orders slower than twice the median",
        "interrupts, hot thread's core",
        "other core",
        "of both, the timer's",
        "hot thread put aside",
        "other thread",
        "stolen, ms",
    ]);
    for SideTable { name, slow, disturbance, .. } in &table.sides {
        let Disturbance { seconds, interrupts_hot, interrupts_io, timer, switches_hot, switches_io, stolen_ms } =
            *disturbance;
        let counts = [*slow, interrupts_hot, interrupts_io, timer, switches_hot, switches_io, stolen_ms];
        let counts = counts.into_iter().map(|count| count.to_string());
        rows.row([(*name).to_owned(), format!("{seconds:.1}")].into_iter().chain(counts));
    }
    out.table(rows);
    out.text(match table.below_noise() {
        Some(why) => format!("The tails are the machine's: {why}."),
        None => "The threads kept their cores; an order that is under way when an interrupt comes waits for it.".into(),
    });
}
