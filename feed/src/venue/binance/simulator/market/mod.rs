//! COLD: a seeded synthetic market: depth, best bid/ask, trades and a snapshot, in the form of a recording.
//!
//! Frame sizes, level distances and rates are drawn from quantiles measured on recorded BTCUSDT traffic
//! (`statistics`); `measure` measures any market so that both can be printed side by side.

mod flow;
pub mod measure;
pub mod statistics;

use crate::sim::api::ListingSettings;
use crate::sim::side::{MarketFrame, MarketSource};
use crate::venue::ProductLine;
use flow::Flow;
use spinbook_engine::types::Nanos;
use statistics::RecordedStatistics;
use std::collections::VecDeque;

/// One symbol of a synthetic market.
#[derive(Clone, Debug)]
pub struct SyntheticSymbol {
    /// Its listing.
    pub listing: ListingSettings,
    /// Price at the start, as text of the listing.
    pub price: String,
}

/// A seeded synthetic market without end.
pub struct Synthetic {
    listings: Vec<ListingSettings>,
    flows: Vec<Flow>,
    queue: VecDeque<MarketFrame>,
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
        let statistics = RecordedStatistics::of(product);
        let flows: Result<Vec<Flow>, String> =
            symbols.iter().enumerate().map(|(index, symbol)| Flow::new(product, symbol, seed, index)).collect();
        let listings = symbols.iter().map(|symbol| symbol.listing.clone()).collect();
        Ok(Synthetic {
            listings,
            flows: flows?,
            queue: VecDeque::new(),
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
        for flow in &mut self.flows {
            flow.interval(self.at, self.interval, &mut frames);
        }
        self.at = self.at + self.interval;
        if !self.started {
            // As in a recording: the stream runs before the snapshot is taken.
            self.started = true;
            for flow in &self.flows {
                frames.push(MarketFrame { at: self.at, bytes: flow.snapshot(self.at) });
            }
        }
        frames.sort_by_key(|frame| frame.at);
        self.queue.extend(frames);
    }
}

impl MarketSource for Synthetic {
    fn next_frame(&mut self) -> Result<Option<MarketFrame>, String> {
        while self.queue.is_empty() {
            self.generate();
        }
        Ok(self.queue.pop_front())
    }
}
