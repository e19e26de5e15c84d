//! COLD: an order written into the journal before it leaves: what that costs, in files as a run has them.

use core::hint::black_box;
use std::io;

use serde::Serialize;
use spinbook_engine::intent::{Intent, TimeInForce};
use spinbook_engine::types::{Lots, Nanos, OrderId, Side, SlotId, Tick};
use spinbook_feed::journal::frame::JournalHeader;
use spinbook_feed::journal::store::{JournalStore, MemoryStore};
use spinbook_feed::journal::writer::{Journal, JournalWriter};
use spinbook_feed::net::io::journal_files::{JOURNAL_PART_BYTES, JournalFiles};
use spinbook_feed::venue::instrument::Symbol;
use spinbook_feed::venue::order_ids::ClientIdFormat;

use crate::clock::{CycleClock, start, stop};
use crate::histogram::{PERCENTILES, histogram};

/// Orders before the first that counts.
const WARM_ORDERS: u32 = 300;
/// Room for the stage's orders and for what new orders leave free.
const STAGE_BYTES: usize = 1 << 20;

/// What an order costs that is written down.
#[derive(Clone, Debug, Serialize)]
pub struct JournalTable {
    /// Orders measured.
    pub orders: usize,
    /// ns at each of [`PERCENTILES`].
    pub ns: Vec<f64>,
    /// The longest.
    pub ns_max: f64,
}

fn header() -> JournalHeader {
    let venue = Symbol::new("bench").expect("a short name");
    JournalHeader { run: 1, salt: 0x5eed, part: 0, created: Nanos(1), venue }
}

fn journal(store: impl JournalStore + 'static) -> Journal {
    Journal::On(Box::new(JournalWriter::new(Box::new(store), Vec::new(), Nanos(1))))
}

/// Writes an order down as the gateway does before it leaves, its name at the venue included; whether it was taken.
#[inline]
fn place(journal: &mut Journal, number: u32) -> bool {
    let order = OrderId::new(1, number);
    let intent = Intent {
        order,
        tick: Tick(612_345 + i64::from(number % 100)),
        lots: Lots(1_000 + i64::from(number % 7)),
        side: if number.is_multiple_of(2) { Side::Bid } else { Side::Ask },
        slot: SlotId(0),
        time_in_force: TimeInForce::PostOnly,
        ..Intent::default()
    };
    let now = Nanos::from_millis(1_760_000_000_000 + i64::from(number));
    journal.place(black_box(&intent), || ClientIdFormat::Dashed.write(order), now).is_ok()
}

/// Writes `orders` orders into memory, inside what `counted` counts; how many were taken.
pub fn stage(orders: u32, counted: impl FnOnce(&mut dyn FnMut() -> u64) -> u64) -> u64 {
    let mut journal = journal(MemoryStore::new(&header().write(), STAGE_BYTES));
    counted(&mut || (1..=orders).filter(|number| place(&mut journal, *number)).count() as u64)
}

/// Measures `orders` orders, one by one, in files of a folder of its own, with the thread beside that brings them to the
/// disk.
///
/// # Errors
/// The system refuses the folder or a file, or an order was not taken.
pub fn measure(orders: usize) -> io::Result<JournalTable> {
    let folder = std::env::temp_dir().join(format!("spinbook-bench-journal-{}", std::process::id()));
    let measured = measure_in(&folder, orders);
    // A leftover in the temporary folder is no reason to fail.
    let _ = std::fs::remove_dir_all(&folder);
    measured
}

fn measure_in(folder: &std::path::Path, orders: usize) -> io::Result<JournalTable> {
    let mut journal = journal(JournalFiles::begin(folder, header(), JOURNAL_PART_BYTES)?);
    let clock = CycleClock::calibrated();
    let mut spans = histogram();
    let last = WARM_ORDERS + u32::try_from(orders).map_err(io::Error::other)?;
    for number in 1..=last {
        let begun = start();
        let taken = place(&mut journal, number);
        let ticks = stop() - begun;
        if !taken {
            return Err(io::Error::other(format!("order {number} was not taken")));
        }
        if number > WARM_ORDERS {
            spans.saturating_record((clock.ns(ticks) - clock.pair_ns).max(1.0) as u64);
        }
    }
    let counters = journal.finish();
    if counters.records != u64::from(last) {
        return Err(io::Error::other(format!("{} of {last} orders were written", counters.records)));
    }
    Ok(JournalTable {
        orders,
        ns: PERCENTILES.iter().map(|percentile| spans.value_at_percentile(*percentile) as f64).collect(),
        ns_max: spans.max() as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::measure;

    #[test]
    fn every_order_that_is_timed_is_in_the_journal() {
        let table = measure(2_000).expect("room for two thousand orders");
        assert!(table.ns[0] > 0.0 && table.ns[0] <= table.ns_max, "{table:?}");
    }
}
