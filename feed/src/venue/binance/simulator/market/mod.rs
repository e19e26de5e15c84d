//! COLD: a seeded synthetic market: depth, best bid/ask, trades and a snapshot, in the form of a recording.
//!
//! Frame sizes, level distances and rates are drawn from quantiles measured on recorded BTCUSDT traffic
//! (`statistics`); `measure` measures any market so that both can be printed side by side.

pub mod measure;
mod print;
pub mod statistics;

use crate::sim::api::ListingSettings;
use crate::sim::flow::{Flow, FlowEvent, SyntheticSymbol};
use crate::venue::ProductLine;
use crate::venue::binance::Product;
use crate::venue::binance::frame_text::FramePrinter;
use crate::venue::instrument::Symbol;
use crate::venue::source::{MarketSource, Record, RecordKind, SourceError};
use spinbook_engine::types::Nanos;
use std::collections::VecDeque;

/// A seeded synthetic market without end.
pub struct Synthetic {
    listings: Vec<ListingSettings>,
    flows: Vec<(Flow, FramePrinter)>,
    /// Time, kind and bytes of the frames to come.
    queue: VecDeque<(Nanos, RecordKind, Vec<u8>)>,
    /// The frame that was given last, and its padding.
    buffer: Vec<u8>,
    at: Nanos,
    interval: Nanos,
    started: bool,
}

impl Synthetic {
    /// A market whose event times start at `start`.
    ///
    /// # Errors
    /// Which listing or price cannot be used.
    pub fn new(
        product: ProductLine,
        symbols: &[SyntheticSymbol],
        seed: u64,
        start: Nanos,
    ) -> Result<Synthetic, String> {
        let statistics = statistics::recorded(product);
        let of = Product::of(product);
        let flow = |(place, symbol): (usize, &SyntheticSymbol)| {
            let flow = Flow::new(statistics, base_id(of), symbol, seed, place)?;
            let printer = FramePrinter::new(of, &symbol.listing.symbol, flow.price, flow.quantity);
            Ok((flow, printer))
        };
        let flows: Result<Vec<_>, String> = symbols.iter().enumerate().map(flow).collect();
        let listings = symbols.iter().map(|symbol| symbol.listing.clone()).collect();
        Ok(Synthetic {
            listings,
            flows: flows?,
            queue: VecDeque::new(),
            buffer: Vec::new(),
            at: start,
            interval: statistics.interval,
            started: false,
        })
    }

    /// The usual one: BTCUSDT at 64,000.
    ///
    /// # Errors
    /// None in practice; the listing is known here.
    pub fn bitcoin(product: ProductLine, seed: u64, start: Nanos) -> Result<Synthetic, String> {
        let listing =
            crate::venue::binance::simulator::rules::known_listing(product, "BTCUSDT").ok_or("BTCUSDT is not known")?;
        Synthetic::new(product, &[SyntheticSymbol { listing, price: "64000".to_owned() }], seed, start)
    }

    /// What it lists.
    #[must_use]
    pub fn listings(&self) -> Vec<ListingSettings> {
        self.listings.clone()
    }

    fn generate(&mut self) {
        let mut frames = Vec::new();
        let mut events: Vec<(Nanos, FlowEvent)> = Vec::new();
        for (flow, printer) in &mut self.flows {
            flow.interval(self.at, self.interval, &mut events);
            let printed = events.drain(..).map(|(at, event)| (at, RecordKind::Stream, printer.frame(&event, at)));
            frames.extend(printed);
        }
        self.at = self.at + self.interval;
        if !self.started {
            // As in a recording: the stream runs before the snapshot is taken.
            self.started = true;
            for ((flow, printer), listing) in self.flows.iter().zip(&self.listings) {
                let kind = RecordKind::Snapshot { symbol: Symbol::new(&listing.symbol) };
                frames.push((self.at, kind, printer.snapshot(&flow.snapshot(), self.at)));
            }
        }
        frames.sort_by_key(|(at, ..)| *at);
        self.queue.extend(frames);
    }
}

/// Where the update ids of a product line's market start.
fn base_id(product: Product) -> u64 {
    match product {
        Product::BinanceSpot => 50_093_000_000,
        Product::BinanceUsdm => 4_984_000_000_000,
    }
}

impl MarketSource for Synthetic {
    fn next(&mut self) -> Result<Option<Record<'_>>, SourceError> {
        while self.queue.is_empty() {
            self.generate();
        }
        let next = self.queue.pop_front();
        Ok(next.map(|(at, kind, frame)| Record::of_frame(at, kind, &frame, &mut self.buffer)))
    }
}
