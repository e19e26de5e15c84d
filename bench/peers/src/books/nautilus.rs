//! COLD: nautilus-model's order book, aggregated by price: a sorted map of levels, each with a map of its orders.

use core::ops::Range;

use nautilus_model::data::{BookOrder, OrderBookDelta, OrderBookDeltas};
use nautilus_model::enums::{BookAction, BookType, OrderSide};
use nautilus_model::identifiers::InstrumentId;
use nautilus_model::orderbook::OrderBook;
use nautilus_model::types::{Price, Quantity};
use spinbook_bench::contest::Work;
use spinbook_bench::peer_book::{PeerSetup, PeerBook};
use spinbook_bench::plain::{Increment, Increments};
use spinbook_bench::workload::LevelStream;
use spinbook_engine::types::{Level, Lots, Side, Tick};

use super::{mantissa, version};

/// How the changes reach the book.
enum Changes {
    /// As its data engine hands them over: all changes of a message at once; none for a message without changes.
    Deltas(Vec<Option<OrderBookDeltas>>),
    /// One call a level.
    Orders(Vec<BookOrder>),
}

struct Book<'a> {
    stream: &'a LevelStream,
    changes: Changes,
    book: OrderBook,
    increments: Increments,
}

fn price(increment: Increment, units: i64) -> Price {
    let decimals = increment.decimals() as u8;
    Price::from_mantissa_exponent(mantissa(increment, units), -(decimals as i8), decimals)
}

fn quantity(increment: Increment, units: i64) -> Quantity {
    let decimals = increment.decimals() as u8;
    Quantity::from_mantissa_exponent(mantissa(increment, units) as u64, -(decimals as i8), decimals)
}

impl Book<'_> {
    #[inline]
    fn apply(&mut self, index: usize) -> bool {
        let message = &self.stream.messages[index];
        match &self.changes {
            Changes::Deltas(deltas) => deltas[index].as_ref().is_none_or(|it| self.book.apply_deltas(it).is_ok()),
            Changes::Orders(orders) => {
                for &order in &orders[message.begin..message.end] {
                    if order.size.is_zero() {
                        self.book.delete(order, 0, message.sequence, 0.into());
                    } else {
                        self.book.update(order, 0, message.sequence, 0.into());
                    }
                }
                true
            }
        }
    }

    /// Fixed-point values of the library in units; a value off the increment shows as a difference.
    fn level(&self, price: Price, quantity_raw: u64) -> Level {
        let (one_price, one_quantity) = (self::price(self.increments.price, 1), quantity(self.increments.quantity, 1));
        Level { tick: Tick(price.raw / one_price.raw), lots: Lots((quantity_raw / one_quantity.raw) as i64) }
    }
}

impl Work for Book<'_> {
    fn name(&self) -> String {
        let PeerSetup { peer, version, setup, .. } = self.about();
        format!("{peer} {version}, {setup}")
    }

    fn reset(&mut self) {
        self.book.reset();
        self.apply(0);
    }

    fn run(&mut self, range: Range<usize>) -> u64 {
        let mut sum = 0u64;
        for index in 1 + range.start..1 + range.end {
            sum = sum.wrapping_add(u64::from(!self.apply(index)) << 63);
            let book = &self.book;
            let prices =
                [book.best_bid_price(), book.best_ask_price()].map(|price| price.map_or(0, |it| it.raw as u64));
            let sizes = [book.best_bid_size(), book.best_ask_size()].map(|size| size.map_or(0, |it| it.raw));
            sum = sum.wrapping_add((prices[0] ^ sizes[0]) ^ (prices[1] ^ sizes[1]).rotate_left(1));
        }
        sum
    }
}

impl PeerBook for Book<'_> {
    fn about(&self) -> PeerSetup {
        let setup = match self.changes {
            Changes::Deltas(_) => "L2_MBP, apply_deltas",
            Changes::Orders(_) => "L2_MBP, update and delete",
        };
        PeerSetup {
            peer: "nautilus-model OrderBook".into(),
            version: version("nautilus-model"),
            setup: setup.into(),
            ..PeerSetup::default()
        }
    }

    fn touch(&self) -> [Option<Level>; 2] {
        let book = &self.book;
        let level = |(price, size): (Price, Quantity)| self.level(price, size.raw);
        [
            book.best_bid_price().zip(book.best_bid_size()).map(level),
            book.best_ask_price().zip(book.best_ask_size()).map(level),
        ]
    }

    fn levels(&self, side: Side) -> Vec<Level> {
        match side {
            Side::Bid => self.book.bids(None).map(|level| self.level(level.price.value, level.size_raw())).collect(),
            Side::Ask => self.book.asks(None).map(|level| self.level(level.price.value, level.size_raw())).collect(),
        }
    }
}

/// Every level of the stream as an order of the library, place by place.
fn orders(stream: &LevelStream, increments: Increments) -> Vec<BookOrder> {
    let order = |side: OrderSide| {
        move |level: &Level| {
            let (price, size) = (price(increments.price, level.tick.0), quantity(increments.quantity, level.lots.0));
            BookOrder::new(side, price, size, 0)
        }
    };
    let of_message = |message| {
        let bids = stream.bids(message).iter().map(order(OrderSide::Buy));
        bids.chain(stream.asks(message).iter().map(order(OrderSide::Sell)))
    };
    stream.messages.iter().flat_map(of_message).collect()
}

/// The book in both ways of calling it.
pub fn all(stream: &LevelStream, increments: Increments) -> Vec<Box<dyn PeerBook + '_>> {
    let instrument: InstrumentId = InstrumentId::from("BTCUSDT.BINANCE");
    let orders = orders(stream, increments);
    let deltas = stream.messages.iter().map(|message| {
        let delta = |&order: &BookOrder| {
            let action = if order.size.is_zero() { BookAction::Delete } else { BookAction::Update };
            OrderBookDelta::new(instrument, action, order, 0, message.sequence, 0.into(), 0.into())
        };
        let deltas: Vec<OrderBookDelta> = orders[message.begin..message.end].iter().map(delta).collect();
        (!deltas.is_empty()).then(|| OrderBookDeltas::new(instrument, deltas))
    });
    let deltas = Changes::Deltas(deltas.collect());
    let book = |changes| -> Box<dyn PeerBook + '_> {
        Box::new(Book { stream, changes, book: OrderBook::new(instrument, BookType::L2_MBP), increments })
    };
    vec![book(deltas), book(Changes::Orders(orders))]
}
