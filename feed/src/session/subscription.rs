//! COLD: the subscription messages of a session, written once at set-up.

use crate::venue::ProductLine;
use crate::venue::binance::StreamRoute;
use crate::venue::instrument::Instrument;

/// Streams named in one message, so that frames stay small.
const STREAMS_PER_MESSAGE: usize = 200;

/// Stream suffixes of a market (`btcusdt@` goes before them).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channels {
    /// Depth updates.
    pub depth: String,
    /// Best bid and ask; `None`: not subscribed.
    pub touch: Option<String>,
    /// Trades; `None`: not subscribed.
    pub trade: Option<String>,
}

impl Channels {
    /// The product line's documented ones.
    #[must_use]
    pub fn of(product: ProductLine) -> Channels {
        let card = product.card();
        Channels {
            depth: card.depth_channel.to_owned(),
            touch: Some(card.touch_channel.to_owned()),
            trade: Some(card.trade_channel.to_owned()),
        }
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        [Some(self.depth.as_str()), self.touch.as_deref(), self.trade.as_deref()].into_iter().flatten()
    }

    /// The routes they need, the one with depth first.
    #[must_use]
    pub fn routes(&self, product: ProductLine) -> Vec<StreamRoute> {
        let mut routes = Vec::new();
        for channel in self.all() {
            let route = StreamRoute::of(product, channel);
            if !routes.contains(&route) {
                routes.push(route);
            }
        }
        routes
    }
}

/// What one route's connection sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RouteMessages {
    /// Index of the first message that subscribes everything.
    pub(super) all_first: usize,
    /// How many messages subscribe everything.
    pub(super) all_count: usize,
    /// Index of the message that subscribes the first symbol alone; the others follow.
    pub(super) one_first: usize,
    /// Streams in all.
    pub(super) streams: usize,
}

impl RouteMessages {
    /// Whether the answer with this id is to one of the messages that subscribe everything.
    pub(super) fn is_of_all(&self, id: u64) -> bool {
        let first = self.all_first as u64 + 1;
        (first..first + self.all_count as u64).contains(&id)
    }
}

/// Writes the messages of one route behind those already in `texts`. A message's id is its index plus one.
pub(super) fn write_messages(
    product: ProductLine,
    route: StreamRoute,
    channels: &Channels,
    instruments: &[Instrument],
    texts: &mut Vec<String>,
) -> RouteMessages {
    let suffixes: Vec<&str> = channels.all().filter(|channel| StreamRoute::of(product, channel) == route).collect();
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
    RouteMessages { all_first, all_count: one_first - all_first, one_first, streams: streams.len() }
}

fn message(streams: &[String], index: usize) -> String {
    format!("{{\"method\":\"SUBSCRIBE\",\"params\":[{}],\"id\":{}}}", streams.join(","), index + 1)
}
