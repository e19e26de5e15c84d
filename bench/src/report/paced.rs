//! COLD: the section of frame to order at a market's pace.

use crate::document::{Document, ReportTable};
use crate::paced::table::{PACED_PERCENTILES, PacedClass, PacedRow, PacedSpans, PacedTable};
use crate::text::{format_count, format_figure};

/// What is measured, and a table a recording and class of frames.
pub fn section(out: &mut Document, tables: &[PacedTable]) {
    if tables.is_empty() {
        return;
    }
    out.heading(2, "Frame to order at a market's pace: ns");
    out.text(
        "The hot loop as it ships (socket, record layer, WebSocket, decoder, sequence, book, strategy, quoter, risk, ring), \
         turning through real pauses; another core writes each frame when it is due, over loopback with TLS 1.3. Before \
         each frame of a group of four lies the pause that was drawn for the group, and `engine.keep_warm` was drawn as \
         well, so all rows meet the same frames and the same noise in one process; between groups the recording is played \
         as fast as it goes. The venue takes every order at once. Frame to ring is what the loop's own meter spans, from \
         the frame in hand to the decision's end; the stamps' cost is subtracted. Read to ring begins with the turn whose \
         read found the frame. Calm: no gap of more than 40 µs between two turns in the pause before the frame. Recorded \
         pauses are cut to 50 ms. Over none: the median of the frames' ratios, each over the median time of the same frame \
         without a pause. A percentile with fewer than ten samples beyond it is not shown.",
    );
    tables.iter().for_each(|paced| table(out, paced));
}

fn table(out: &mut Document, paced: &PacedTable) {
    let totals = &paced.totals;
    let policy = if totals.before_others {
        "the hot thread runs before all ordinary ones (SCHED_FIFO)"
    } else {
        "an ordinary thread (SCHED_FIFO was refused): the system's scheduler interrupts it as well"
    };
    out.text(format!(
        "**{}** ({} groups of frames in {:.0} s, {} passes; {policy}). While nothing kept the loop warm something else had \
         its core {} times a second for 5 µs or more: that is the machine, and it is what empties the caches. {} \
         rehearsals, {} of them void, the longest {} ns. {} frames did other than without pauses, {} left out behind a \
         stall. {} of {} KiB of books on huge pages.",
        paced.what,
        format_count(totals.groups),
        totals.seconds,
        totals.passes,
        format_figure(paced.gaps_per_second),
        format_count(totals.rehearsals as usize),
        totals.rehearsals_void,
        format_count(totals.rehearsal_ns_max as usize),
        totals.unlearned,
        totals.stalled,
        format_count(totals.huge_bytes >> 10),
        format_count(totals.book_bytes >> 10),
    ));
    for class in PacedClass::ALL {
        let percentiles = |which: &str| PACED_PERCENTILES.map(|percentile| format!("{which} p{percentile}"));
        let head = [class.name().to_owned(), "keep_warm".into(), "calm".into(), "of".into()];
        let last = ["over none", "all over none", "read p50", "read to ring p50", "all p50"].map(str::to_owned);
        let columns = head.into_iter().chain(percentiles("calm")).chain(percentiles("all")).chain(last);
        let mut rows = ReportTable::new(columns);
        for row in paced.rows.iter().filter(|row| row.class == class) {
            rows.row(cells(row));
        }
        out.table(rows);
    }
}

fn cells(row: &PacedRow) -> Vec<String> {
    let figure = |value: Option<f64>| value.map_or("-".to_owned(), format_figure);
    let spans = |spans: &PacedSpans| spans.ns.map(figure);
    let mut cells = vec![row.cell.pause.name(), row.cell.warmth.name().to_owned()];
    cells.extend([format_count(row.calm.count), format_count(row.all.count)]);
    cells.extend(spans(&row.calm).into_iter().chain(spans(&row.all)));
    cells.extend([row.over_back_to_back, row.over_back_to_back_all].map(figure));
    cells.extend([row.receive.p50(), row.receive_to_ring.p50(), row.receive_to_ring_all.p50()].map(figure));
    cells
}
