//! COLD: the sections of what is measured in memory: decode, book, frame to order, rings, receive, send.

use super::PlotPath;
use crate::contest::Time;
use crate::document::{Document, ReportTable};
use crate::histogram::PERCENTILES;
use crate::measure::{BookTable, DecodeTable, Figures, PathTable};
use crate::peer_book::{PeerBookRow, PeerBookTable};
use crate::ring::RingTable;
use crate::text::{format_count, format_figure};

/// All of them; `plots` are those of frame to order.
pub(crate) fn section(out: &mut Document, figures: &Figures, plots: &[PlotPath]) {
    out.heading(2, "Decode: ns a frame");
    out.text(
        "Throughput: frames without a pause between them. The general decoder alone is what reads a frame in a form that no \
         scanner knows.",
    );
    decode(out, &figures.decode);
    if !figures.decode_native.is_empty() {
        out.text(
            "The same contest in the peers' own build (`bench/peers`: compiled for this processor, link-time \
             optimisation, no overflow checks), which sonic-rs needs for its vector code:",
        );
        decode(out, &figures.decode_native);
    }
    out.heading(2, "Book: ns a changed level");
    book(out, &figures.book);
    peer_books(out, &figures.book_native);
    out.heading(2, "Frame to order: ns");
    out.text(
        "From a frame in a padded buffer until the engine has decided and its intents lie on the rings: decode, sequence \
         rule, book, strategy, quoter, risk. Two stamps around each frame, their cost included. All pipelines end in the \
         same engine and must decide the same; the plain ones push on our ring, too. Percentiles are medians of the \
         rounds; mean and fit take each frame by its median round.",
    );
    for table in &figures.path {
        path(out, table);
        for (what, path) in plots.iter().filter(|(what, _)| *what == table.what) {
            out.plot(format!("Frame to order, percentiles, {what}"), path);
        }
    }
    for (table, build) in [(&figures.ring, ""), (&figures.ring_native, ", the peers' own build")] {
        table.iter().for_each(|table| ring(out, table, build));
    }
    if !figures.receive.is_empty() {
        let mut table = ReportTable::new(["layout", "who", "ns", "over the bare cipher"]);
        for contest in &figures.receive {
            let bare = contest.times.first().map_or(f64::NAN, |time| time.ns);
            for Time { name, ns, .. } in &contest.times {
                table.row([contest.what, name, &format!("{ns:.0}"), &format!("{:.2}", ns / bare)]);
            }
        }
        out.heading(2, "Receive: TLS 1.3 and WebSocket, in memory, ns a message");
        out.table(table);
    }
    if !figures.send.is_empty() {
        let mut table = ReportTable::new(["step", "who", "ns"]);
        for contest in &figures.send {
            contest.times.iter().for_each(|time| table.row([contest.what, &time.name, &format!("{:.0}", time.ns)]));
        }
        out.heading(2, "Send: ns a step");
        out.table(table);
    }
}

/// A table whose columns are `before`, one a contender, and `after`; none if nothing was measured.
fn contenders(out: &mut Document, first: Option<&[Time]>, before: &[&str], after: &[&str]) -> Option<ReportTable> {
    let Some(times) = first else {
        out.text("Not measured.");
        return None;
    };
    let names = times.iter().map(|time| time.name.as_str());
    Some(ReportTable::new(before.iter().copied().chain(names).chain(after.iter().copied())))
}

fn decode(out: &mut Document, tables: &[DecodeTable]) {
    let after = ["best peer / best scanner", "best peer / portable"];
    let first = tables.first().map(|table| &table.times[..]);
    let Some(mut rows) = contenders(out, first, &["frames", "mean bytes"], &after) else { return };
    for table in tables {
        let ratio = |scanner| table.ratio(scanner).map_or("-".into(), |ratio| format!("{ratio:.2}×"));
        let mut cells = vec![format!("{} ({})", table.what, table.frames), table.bytes_mean.to_string()];
        cells.extend(table.times.iter().map(Time::text));
        cells.extend([ratio(0), ratio(1)]);
        rows.row(cells);
    }
    out.table(rows);
}

fn book(out: &mut Document, tables: &[BookTable]) {
    let first = tables.first().map(|table| &table.times[..]);
    let before = ["recording", "messages", "levels"];
    let Some(mut rows) = contenders(out, first, &before, &["our book, KiB"]) else { return };
    for table in tables {
        let mut cells = vec![table.what.clone(), format_count(table.messages), format_count(table.levels)];
        cells.extend(table.times.iter().map(Time::text));
        cells.push(format_count(table.memory_bytes / 1024));
        rows.row(cells);
    }
    out.table(rows);
    out.text(
        "Both books read their best bid and ask after each message and hold the same levels at the end; the bare store \
         only writes each quantity into an array of the window's size.",
    );
}

/// Other people's books in the peers' build, with what each differs in.
fn peer_books(out: &mut Document, tables: &[PeerBookTable]) {
    if tables.is_empty() {
        return;
    }
    out.text(
        "Other people's books in the peers' own build (`bench/peers`: compiled for this processor, link-time \
         optimisation, no overflow checks, ours too). Every level is in the library's own types before the clock starts, \
         and best bid and ask, price and quantity, are read after each message. Each book was first compared with the \
         truth (a sorted map): best prices and quantities after every message, all levels at the end.",
    );
    for table in tables {
        let held = format_count(table.levels_end);
        out.text(format!(
            "**{}**: {} messages, {} changed levels, {held} levels at the end",
            table.what,
            format_count(table.messages),
            format_count(table.levels),
        ));
        let columns = ["book", "set-up", "ns a level", "ours is faster", "levels at the end", "differs from the truth"];
        let mut rows = ReportTable::new(columns);
        rows.row([&table.ours.name, "", &table.ours.text(), "", &held, "no"]);
        table.peers.iter().for_each(|peer| rows.row(peer_book(table, peer)));
        out.table(rows);
    }
}

fn peer_book(table: &PeerBookTable, row: &PeerBookRow) -> [String; 6] {
    let about = &row.about;
    let memory = about.memory_bytes.map_or(String::new(), |bytes| format!(" ({} KiB)", format_count(bytes / 1024)));
    let differs = match (row.difference.is_none(), about.dropped) {
        (true, _) => "no".to_owned(),
        (false, 0) => row.difference.text(),
        (false, dropped) => {
            format!("{}; it dropped {} changes outside its range", row.difference.text(), format_count(dropped))
        }
    };
    [
        format!("{} {}", about.peer, about.version),
        format!("{}{memory}", about.setup),
        row.time.text(),
        format!("{:.2}×", table.ratio(row)),
        format_count(row.levels_end),
        differs,
    ]
}

fn path(out: &mut Document, table: &PathTable) {
    for class in &table.classes {
        out.text(format!("**{}, {}** ({})", table.what, class.what, format_count(class.frames)));
        let percentiles = PERCENTILES.map(|percentile| format!("p{percentile}"));
        let columns = ["pipeline".to_owned()].into_iter().chain(percentiles);
        let mut rows = ReportTable::new(columns.chain(["mean".to_owned(), "fixed part + a level".to_owned()]));
        for row in &class.rows {
            let figures = row.ns.iter().copied().chain([row.mean_ns]).map(format_figure);
            let line = row.line.map_or("-".into(), |line| line.to_string());
            rows.row([row.name.clone()].into_iter().chain(figures).chain([line]));
        }
        out.table(rows);
    }
    if let Some(calls) = table.allocations {
        out.text(format!(
            "Calls to the allocator by our path over the whole recording, once its book is live: {calls}."
        ));
    }
}

fn ring(out: &mut Document, ring: &RingTable, build: &str) {
    let mut rows = ReportTable::new(["ring", "one way, ns", "flat out, ns a message"]);
    for (one_way, stream) in ring.one_way.iter().zip(&ring.stream) {
        rows.row([&one_way.name, &one_way.text(), &stream.text()]);
    }
    out.heading(2, format!("Ring: 80-byte intents between two threads, {} cores{build}", ring.cores));
    out.table(rows);
    out.text(
        "One way is half a round trip through two rings; the median of blocks of 50 round trips. Flat out: the median of \
         blocks of 1,000 messages.",
    );
}
