//! COLD: Binance's routes and the requests that subscribe its streams, written once at set-up.

use super::Product;
use crate::venue::instrument::Instrument;
use crate::venue::market::{Channels, MarketRoute};

/// Streams named in one message, so that frames stay small.
const STREAMS_PER_MESSAGE: usize = 200;

/// Which part of the venue's stream host a stream is served from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StreamRoute {
    /// Spot: the one route.
    Only,
    /// USD-M depth and best bid/ask.
    Public,
    /// USD-M trades and everything else of the market.
    Market,
}

impl StreamRoute {
    /// Path for a combined connection without streams; they are subscribed by message.
    const fn path(self) -> &'static str {
        match self {
            StreamRoute::Only => "/stream",
            StreamRoute::Public => "/public/stream",
            StreamRoute::Market => "/market/stream",
        }
    }

    /// From which route a stream suffix is served.
    fn of(product: Product, channel: &str) -> StreamRoute {
        match product {
            Product::BinanceSpot => StreamRoute::Only,
            Product::BinanceUsdm if channel.starts_with("depth") || channel == "bookTicker" => StreamRoute::Public,
            Product::BinanceUsdm => StreamRoute::Market,
        }
    }
}

/// Routes, and the text of every request.
#[derive(Debug)]
pub(super) struct Subscriptions {
    pub(super) routes: Box<[MarketRoute]>,
    pub(super) texts: Box<[String]>,
}

impl Subscriptions {
    pub(super) fn new(product: Product, channels: &Channels, instruments: &[Instrument]) -> Subscriptions {
        let mut needed = Vec::new();
        for channel in channels.all() {
            let route = StreamRoute::of(product, channel);
            if !needed.contains(&route) {
                needed.push(route);
            }
        }
        let mut texts = Vec::new();
        let mut routes = Vec::new();
        for route in needed {
            let suffixes: Vec<&str> =
                channels.all().filter(|channel| StreamRoute::of(product, channel) == route).collect();
            routes.push(write_route(route, &suffixes, instruments, &mut texts));
        }
        Subscriptions { routes: routes.into_boxed_slice(), texts: texts.into_boxed_slice() }
    }
}

/// Writes the requests of one route behind those already in `texts`.
fn write_route(
    route: StreamRoute,
    suffixes: &[&str],
    instruments: &[Instrument],
    texts: &mut Vec<String>,
) -> MarketRoute {
    let of_one = |instrument: &Instrument| -> Vec<String> {
        let symbol = instrument.symbol.to_lowercase();
        suffixes.iter().map(|suffix| format!("\"{symbol}@{suffix}\"")).collect()
    };
    let streams: Vec<String> = instruments.iter().flat_map(of_one).collect();
    let all_first = texts.len();
    for part in streams.chunks(STREAMS_PER_MESSAGE) {
        texts.push(message(part, texts.len()));
    }
    let one_first = texts.len();
    for instrument in instruments {
        texts.push(message(&of_one(instrument), texts.len()));
    }
    MarketRoute { target: route.path(), all: all_first..one_first, one_first, streams: streams.len() }
}

fn message(streams: &[String], request: usize) -> String {
    format!("{{\"method\":\"SUBSCRIBE\",\"params\":[{}],\"id\":{}}}", streams.join(","), request + 1)
}
