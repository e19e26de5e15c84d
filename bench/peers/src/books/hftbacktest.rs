//! COLD: hftbacktest's market depths: a vector over a range of interest, and hash maps.

use core::ops::Range;

use hftbacktest::depth::{
    HashMapMarketDepth, INVALID_MAX, INVALID_MIN, L2MarketDepth, MarketDepth, ROIVectorMarketDepth,
};
use hftbacktest::types::Side as Sides;
use spinbook_bench::contest::Work;
use spinbook_bench::peer_book::{PeerSetup, PeerBook};
use spinbook_bench::plain::Increments;
use spinbook_bench::workload::LevelStream;
use spinbook_engine::types::{Level, Lots, Side, Tick};

use super::{float, version};

/// Price and quantity as the library takes them.
type FloatLevel = (f64, f64);

/// What the two depths do not share.
trait Depth: L2MarketDepth + MarketDepth {
    /// Ticks and quantities above zero of a side, in any order.
    fn held(&self, side: Side) -> Vec<(i64, f64)>;
}

impl Depth for ROIVectorMarketDepth {
    fn held(&self, side: Side) -> Vec<(i64, f64)> {
        let quantities = if side == Side::Bid { self.bid_depth() } else { self.ask_depth() };
        let (first, _) = self.roi_tick();
        let ticks = quantities.iter().zip(first..).map(|(&quantity, tick)| (tick, quantity));
        ticks.filter(|&(_, quantity)| quantity > 0.0).collect()
    }
}

impl Depth for HashMapMarketDepth {
    fn held(&self, side: Side) -> Vec<(i64, f64)> {
        let levels = if side == Side::Bid { &self.bid_depth } else { &self.ask_depth };
        levels.iter().map(|(&tick, &quantity)| (tick, quantity)).collect()
    }
}

/// A depth beside the stream.
struct Book<'a, D> {
    stream: &'a LevelStream,
    /// The stream's levels, place by place.
    levels: Vec<FloatLevel>,
    depth: D,
    about: PeerSetup,
}

impl<D: Depth> Book<'_, D> {
    /// Applies one message, bids first, as the library's own reader of depth events does.
    #[inline]
    fn apply(&mut self, index: usize) {
        let message = &self.stream.messages[index];
        let timestamp = message.sequence as i64;
        for &(price, quantity) in &self.levels[message.begin..message.middle] {
            self.depth.update_bid_depth(price, quantity, timestamp);
        }
        for &(price, quantity) in &self.levels[message.middle..message.end] {
            self.depth.update_ask_depth(price, quantity, timestamp);
        }
    }

    fn lots(&self, quantity: f64) -> Lots {
        Lots((quantity / self.depth.lot_size()).round() as i64)
    }
}

impl<D: Depth> Work for Book<'_, D> {
    fn name(&self) -> String {
        format!("{} {}, {}", self.about.peer, self.about.version, self.about.setup)
    }

    fn reset(&mut self) {
        self.depth.clear_depth(Sides::None, 0.0);
        self.apply(0);
    }

    fn run(&mut self, range: Range<usize>) -> u64 {
        let mut sum = 0u64;
        for index in 1 + range.start..1 + range.end {
            self.apply(index);
            let depth = &self.depth;
            let bid = depth.best_bid_tick() as u64 ^ depth.best_bid_qty().to_bits();
            let ask = depth.best_ask_tick() as u64 ^ depth.best_ask_qty().to_bits();
            sum = sum.wrapping_add(bid ^ ask.rotate_left(1));
        }
        sum
    }
}

impl<D: Depth> PeerBook for Book<'_, D> {
    fn about(&self) -> PeerSetup {
        self.about.clone()
    }

    fn touch(&self) -> [Option<Level>; 2] {
        let depth = &self.depth;
        let level = |tick, quantity| Level { tick: Tick(tick), lots: self.lots(quantity) };
        let (bid, ask) = (depth.best_bid_tick(), depth.best_ask_tick());
        [
            (bid != INVALID_MIN).then(|| level(bid, depth.best_bid_qty())),
            (ask != INVALID_MAX).then(|| level(ask, depth.best_ask_qty())),
        ]
    }

    fn levels(&self, side: Side) -> Vec<Level> {
        let mut held = self.depth.held(side);
        held.sort_unstable_by_key(|&(tick, _)| if side == Side::Bid { -tick } else { tick });
        held.into_iter().map(|(tick, quantity)| Level { tick: Tick(tick), lots: self.lots(quantity) }).collect()
    }
}

/// A range of interest in ticks, and how it is called in tables.
struct Interest {
    ticks: (i64, i64),
    name: String,
}

/// All prices of the stream; and 5 % about the snapshot's mid price, where all trading of these recordings lies.
fn interests(stream: &LevelStream, tick_size: f64) -> Vec<Interest> {
    let ticks = || stream.levels.iter().map(|level| level.tick.0);
    let whole = (ticks().min().unwrap_or(0), ticks().max().unwrap_or(0));
    let first = &stream.messages[0];
    let best_bid = stream.bids(first).iter().map(|level| level.tick.0).max();
    let best_ask = stream.asks(first).iter().map(|level| level.tick.0).min();
    let named = |what: &str, ticks: (i64, i64)| Interest {
        ticks,
        name: format!("{what}: {:.0} to {:.0}", ticks.0 as f64 * tick_size, ticks.1 as f64 * tick_size),
    };
    let mut all = vec![named("all prices", whole)];
    if let (Some(bid), Some(ask)) = (best_bid, best_ask) {
        let mid = (bid + ask) / 2;
        let near = ((mid - mid / 20).max(whole.0), (mid + mid / 20).min(whole.1));
        all.push(named("mid price and 5 % about it", near));
    }
    all
}

/// The vector over both ranges, and the hash maps with room for every price.
pub fn all(stream: &LevelStream, increments: Increments) -> Vec<Box<dyn PeerBook + '_>> {
    let (tick_size, lot_size) = (float(increments.price, 1), float(increments.quantity, 1));
    let convert = |level: &Level| (float(increments.price, level.tick.0), float(increments.quantity, level.lots.0));
    let levels: Vec<FloatLevel> = stream.levels.iter().map(convert).collect();
    let about = |which: &str, setup: String| PeerSetup {
        peer: format!("hftbacktest {which}"),
        version: version("hftbacktest"),
        setup,
        ..PeerSetup::default()
    };
    let mut books: Vec<Box<dyn PeerBook + '_>> = Vec::new();
    for Interest { ticks: (low, high), name } in interests(stream, tick_size) {
        let changes = &stream.levels[stream.messages[0].end..];
        let about = PeerSetup {
            dropped: changes.iter().filter(|level| level.tick.0 < low || level.tick.0 > high).count(),
            memory_bytes: Some((high + 1 - low) as usize * 2 * size_of::<f64>()),
            ..about("ROIVectorMarketDepth", name)
        };
        let bounds = (float(increments.price, low), float(increments.price, high));
        let depth = ROIVectorMarketDepth::new(tick_size, lot_size, bounds.0, bounds.1);
        books.push(Box::new(Book { stream, levels: levels.clone(), depth, about }));
    }
    let mut depth = HashMapMarketDepth::new(tick_size, lot_size);
    let mut prices: Vec<i64> = stream.levels.iter().map(|level| level.tick.0).collect();
    prices.sort_unstable();
    prices.dedup();
    depth.bid_depth.reserve(prices.len());
    depth.ask_depth.reserve(prices.len());
    let about = about("HashMapMarketDepth", "maps reserved".into());
    books.push(Box::new(Book { stream, levels, depth, about }));
    books
}
