//! COLD: barter-data's order book: a sorted vector of decimals a side.

use core::ops::Range;

use barter_data::books::{Level as DecimalLevel, OrderBook};
use barter_data::subscription::book::OrderBookEvent;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use spinbook_bench::contest::Work;
use spinbook_bench::peer_book::{PeerSetup, PeerBook};
use spinbook_bench::plain::{Increment, Increments};
use spinbook_bench::workload::LevelStream;
use spinbook_engine::types::{Level, Lots, Side, Tick};

use super::{mantissa, version};

struct Book {
    /// The snapshot, then one update a message, as the library's own stream yields them.
    events: Vec<OrderBookEvent>,
    book: OrderBook,
    increments: Increments,
}

fn decimal(increment: Increment, units: i64) -> Decimal {
    Decimal::new(mantissa(increment, units), increment.decimals())
}

/// A decimal in units of the increment; a value off the increment shows as a difference.
fn units(increment: Increment, value: Decimal) -> i64 {
    (value / decimal(increment, 1)).to_i64().unwrap_or(i64::MIN)
}

impl Book {
    fn level(&self, level: &DecimalLevel) -> Level {
        Level {
            tick: Tick(units(self.increments.price, level.price)),
            lots: Lots(units(self.increments.quantity, level.amount)),
        }
    }
}

impl Work for Book {
    fn name(&self) -> String {
        let PeerSetup { peer, version, setup, .. } = self.about();
        format!("{peer} {version}, {setup}")
    }

    fn reset(&mut self) {
        self.book.update(&self.events[0]);
    }

    fn run(&mut self, range: Range<usize>) -> u64 {
        let mut sum = 0u64;
        let of = |level: Option<&DecimalLevel>| {
            level.map_or(0, |level| level.price.mantissa() as u64 ^ level.amount.mantissa() as u64)
        };
        for event in &self.events[1 + range.start..1 + range.end] {
            self.book.update(event);
            sum = sum.wrapping_add(of(self.book.bids().best()) ^ of(self.book.asks().best()).rotate_left(1));
        }
        sum
    }
}

impl PeerBook for Book {
    fn about(&self) -> PeerSetup {
        PeerSetup {
            peer: "barter-data OrderBook".into(),
            version: version("barter-data"),
            setup: "events built and sorted beforehand".into(),
            ..PeerSetup::default()
        }
    }

    fn touch(&self) -> [Option<Level>; 2] {
        [self.book.bids().best().map(|level| self.level(level)), self.book.asks().best().map(|level| self.level(level))]
    }

    fn levels(&self, side: Side) -> Vec<Level> {
        let levels = if side == Side::Bid { self.book.bids().levels() } else { self.book.asks().levels() };
        levels.iter().map(|level| self.level(level)).collect()
    }
}

/// The book beside the stream's events.
pub fn all(stream: &LevelStream, increments: Increments) -> Vec<Box<dyn PeerBook + '_>> {
    let convert = |level: &Level| DecimalLevel {
        price: decimal(increments.price, level.tick.0),
        amount: decimal(increments.quantity, level.lots.0),
    };
    let event = |(index, message)| {
        let (bids, asks) = (stream.bids(message).iter().map(convert), stream.asks(message).iter().map(convert));
        let book = OrderBook::new(message.sequence, None, bids, asks);
        if index == 0 { OrderBookEvent::Snapshot(book) } else { OrderBookEvent::Update(book) }
    };
    let events: Vec<OrderBookEvent> = stream.messages.iter().enumerate().map(event).collect();
    vec![Box::new(Book { events, book: OrderBook::default(), increments })]
}
