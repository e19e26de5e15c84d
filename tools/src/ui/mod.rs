//! COLD: what is shown while a run works: a screen on a terminal, plain lines elsewhere, nothing when quiet.
//!
//! It reads a [`ScreenState`] and nothing else, so that it can never hold up the threads that trade.

mod amounts;
mod columns;
mod controls;
mod keyboard;
pub mod keys;
mod ladder;
pub mod meanings;
mod panels;
mod plain;
pub mod report;
mod terminal;
pub mod time;
mod view;

use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::time::Duration;

use spinbook_engine::telemetry::OrderAccount;

use crate::log;
use crate::outcome::Context;
use crate::ui::report::Percentiles;

pub use self::keyboard::Obey;
pub use self::plain::plain_line;
use self::terminal::FullScreen;
pub use self::terminal::give_back;

/// Messages that are kept for the screen; older ones are forgotten.
const MESSAGES_MAX: usize = 200;

/// Everything that is shown, as text where it is a price or a quantity.
#[derive(Clone, Debug, Default)]
pub struct ScreenState {
    /// `demo`, `paper`, `shadow` or `live`.
    pub mode: String,
    /// The venue's name.
    pub venue: String,
    /// Every symbol that is traded, by its place.
    pub markets: Vec<MarketState>,
    /// Since the start.
    pub elapsed_seconds: f64,
    /// How long the run is to take; none: until it is interrupted.
    pub planned: Option<Duration>,
    /// What became of every order, at the same moment as the first symbol's state.
    pub orders: OrderAccount,
    /// What was measured.
    pub latency: Vec<LatencyState>,
    /// Counters by name, in the order they are to be shown.
    pub counters: Vec<(&'static str, u64)>,
    /// What happened since the state was asked for last, oldest first.
    pub news: Vec<String>,
}

/// One symbol that is traded, all of it at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MarketState {
    /// The symbol, with its venue where there are several.
    pub name: String,
    /// What is traded.
    pub base_asset: String,
    /// What it is paid with.
    pub quote_asset: String,
    /// `live`, or why not.
    pub book_state: String,
    /// `active`, `paused`, `reduce-only`, `cancel-only` or `halted`.
    pub trading_state: String,
    /// Why sides are not quoted; empty where both are.
    pub not_quoting: String,
    /// Bids, best first.
    pub bids: Vec<LadderRow>,
    /// Asks, best first.
    pub asks: Vec<LadderRow>,
    /// The market's last trade.
    pub last_trade: Option<LastTrade>,
    /// Our orders.
    pub orders: Vec<OrderRow>,
    /// Position, base asset.
    pub position: String,
    /// Profit, quote asset.
    pub pnl_quote: String,
    /// Fees, quote asset.
    pub fees_quote: String,
    /// Executions so far.
    pub fills: u64,
}

impl ScreenState {
    /// What is counted, in the order it is shown: each order is in exactly one of the six after those it was accepted by.
    #[must_use]
    pub fn counted(&self) -> Vec<(&'static str, u64)> {
        let orders = &self.orders;
        let mut counted = vec![
            ("sent", orders.sent),
            ("acked", orders.accepted),
            ("filled", orders.filled),
            ("canceled", orders.canceled),
            ("expired", orders.expired),
            ("rejected", orders.rejected),
            ("unknown", orders.unknown),
            ("open", orders.open),
        ];
        // Seldom there, so it takes no room where it is not.
        counted.extend((orders.refused_here > 0).then_some(("refused here", orders.refused_here)));
        counted
    }
}

impl MarketState {
    /// The rows of a side, best first, by its name: `bid` or `ask`.
    fn side(&self, side: &str) -> &[LadderRow] {
        if side == "bid" { &self.bids } else { &self.asks }
    }

    /// The market's best price and quantity of a side.
    #[must_use]
    pub fn best(&self, side: &str) -> Option<&LadderRow> {
        self.side(side).iter().find(|row| !row.quantity.is_empty())
    }

    /// Our own best price of a side; `-` where we have none.
    #[must_use]
    pub fn own(&self, side: &str) -> &str {
        self.side(side).iter().find(|row| row.own.is_some()).map_or("-", |row| row.price.as_str())
    }
}

/// A latency that is measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyState {
    /// Its name: from what to what.
    pub name: &'static str,
    /// What exactly is measured, in a sentence without its full stop.
    pub meaning: &'static str,
    /// Since it counts.
    pub whole: Percentiles,
    /// Median and 99th percentile of each second, oldest first; none where nothing was measured.
    pub history: Vec<Option<[u64; 2]>>,
}

/// One price of the book.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LadderRow {
    /// Price.
    pub price: String,
    /// The venue's quantity; empty if only our order stands there.
    pub quantity: String,
    /// That quantity as thousandths of the largest shown.
    pub share_permille: u16,
    /// What is open of our own orders there, if any.
    pub own: Option<String>,
}

/// A public trade.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastTrade {
    /// What the one who took did: `buy` or `sell`.
    pub verb: &'static str,
    /// Price.
    pub price: String,
    /// Quantity.
    pub quantity: String,
}

/// One of our orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderRow {
    /// `bid` or `ask`.
    pub side: &'static str,
    /// Price.
    pub price: String,
    /// Quantity ordered.
    pub quantity: String,
    /// Quantity filled.
    pub filled: String,
    /// `placing`, `open`, `canceling`, `unknown`.
    pub state: &'static str,
}

/// Where the screen takes its state from; must not block.
pub trait ScreenSource {
    /// The state as it is.
    fn screen(&mut self) -> ScreenState;
}

/// What happened, in the order in which it was seen: news of the run and lines of the log.
#[derive(Debug, Default)]
pub struct Messages {
    lines: VecDeque<String>,
    log_seen: u64,
}

impl Messages {
    fn take(&mut self, state: &ScreenState) {
        let (held, count) = log::held_since(self.log_seen);
        self.log_seen = count;
        let logged = held.iter().map(|line| without_time(line).to_owned());
        let news = state.news.iter().map(|news| format!("{:>6.1} s  {news}", state.elapsed_seconds));
        self.lines.extend(logged.chain(news));
        let old = self.lines.len().saturating_sub(MESSAGES_MAX);
        self.lines.drain(..old);
    }
}

/// A log line without its time: what stands on a screen is of now.
fn without_time(line: &str) -> &str {
    match line.split_once("Z ") {
        Some((time, rest)) if time.starts_with(|first: char| first.is_ascii_digit()) => rest.trim_start(),
        _ => line,
    }
}

/// What a run is shown on.
pub enum Screen {
    /// The whole terminal.
    Full {
        /// The terminal.
        terminal: Box<FullScreen>,
        /// What happened.
        messages: Messages,
    },
    /// A line a second in the log.
    Plain {
        /// The second that was printed last.
        second: Option<u64>,
    },
    /// Nothing.
    Silent,
}

impl Screen {
    /// The right one: nothing when quiet, the terminal if stdout is one and free, else plain lines in the log.
    ///
    /// Where stdin is a terminal as well its keys work; those that concern the run are told to `obey`.
    #[must_use]
    pub fn open(context: Context, symbols: usize, obey: Obey) -> Screen {
        if context.quiet {
            return Screen::Silent;
        }
        let able = std::env::var_os("TERM").is_some_and(|kind| kind != "dumb" && !kind.is_empty());
        if !context.json && able && io::stdout().is_terminal() {
            match FullScreen::open(symbols, obey) {
                Ok(screen) => {
                    return Screen::Full { terminal: Box::new(screen), messages: Messages::default() };
                }
                Err(error) => tracing::warn!("no full screen ({error}): plain lines instead"),
            }
        }
        Screen::Plain { second: None }
    }

    /// Whether it shows something else than was asked for by a key.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        matches!(self, Screen::Full { terminal, .. } if terminal.is_outdated())
    }

    /// Shows the state; call it a few times a second. What cannot be shown is left out: a screen fails no run.
    pub fn draw(&mut self, source: &mut dyn ScreenSource) {
        match self {
            Screen::Full { terminal, messages } => {
                let state = source.screen();
                messages.take(&state);
                terminal.draw(&state, messages.lines.make_contiguous());
            }
            Screen::Plain { second } => {
                let state = source.screen();
                let now = state.elapsed_seconds as u64;
                if *second != Some(now) {
                    *second = Some(now);
                    // Through the log, so that each line has its time and goes where the log goes.
                    plain_line(&state).lines().for_each(|line| tracing::info!("{line}"));
                }
            }
            Screen::Silent => {}
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ui::meanings::{DECODE_TO_ORDER, WIRE_TO_WIRE};

    /// A symbol with everything in it.
    pub fn market(name: &str, book_state: &str) -> MarketState {
        let row = |price: &str, quantity: &str, share_permille, own: Option<&str>| LadderRow {
            price: price.to_owned(),
            quantity: quantity.to_owned(),
            share_permille,
            own: own.map(str::to_owned),
        };
        let order = |side, price: &str, filled: &str, state| OrderRow {
            side,
            price: price.to_owned(),
            quantity: "0.010".to_owned(),
            filled: filled.to_owned(),
            state,
        };
        MarketState {
            name: name.to_owned(),
            base_asset: "BTC".to_owned(),
            quote_asset: "USDT".to_owned(),
            book_state: book_state.to_owned(),
            trading_state: "active".to_owned(),
            not_quoting: String::new(),
            bids: vec![row("64000.1", "1.250", 625, Some("0.001")), row("64000.0", "0.500", 250, None)],
            asks: vec![row("64000.2", "2.000", 1000, None), row("64000.3", "0.750", 375, Some("0.010"))],
            last_trade: Some(LastTrade { verb: "buy", price: "64000.2".to_owned(), quantity: "0.004".to_owned() }),
            orders: vec![order("bid", "64000.1", "0.009", "open"), order("ask", "64000.3", "0.000", "canceling")],
            position: "0.003".to_owned(),
            pnl_quote: "-0.12".to_owned(),
            fees_quote: "0.04".to_owned(),
            fills: 3,
        }
    }

    /// A state with everything in it.
    pub(crate) fn full_state() -> ScreenState {
        ScreenState {
            mode: "demo".to_owned(),
            venue: "binance-usdm".to_owned(),
            markets: vec![market("BTCUSDT", "live")],
            elapsed_seconds: 12.4,
            planned: Some(Duration::from_secs(30)),
            orders: OrderAccount {
                sent: 41,
                accepted: 40,
                filled: 7,
                canceled: 30,
                expired: 0,
                rejected: 1,
                unknown: 1,
                open: 2,
                refused_here: 0,
                fills: 9,
            },
            latency: vec![
                LatencyState {
                    name: DECODE_TO_ORDER.0,
                    meaning: DECODE_TO_ORDER.1,
                    whole: Percentiles { p50: 420, p99: 4_000, p999: 9_000, max: 20_000, count: 1_999 },
                    history: vec![Some([400, 3_000]), None, Some([430, 5_000])],
                },
                LatencyState {
                    name: WIRE_TO_WIRE.0,
                    meaning: WIRE_TO_WIRE.1,
                    whole: Percentiles { p50: 52_000, p99: 310_000, p999: 2_000_000, max: 3_000_000, count: 1_999 },
                    history: vec![Some([50_000, 300_000]), None, None],
                },
            ],
            counters: vec![
                ("frames", 12_345),
                ("frames/s", 1_204),
                ("gaps", 1),
                ("resyncs", 2),
                ("quotes", 88),
                ("stalls", 0),
                ("hot allocs", 0),
            ],
            news: vec!["bought 0.001 at 64000.1".to_owned()],
        }
    }

    struct Fixed(u32);

    impl ScreenSource for Fixed {
        fn screen(&mut self) -> ScreenState {
            self.0 += 1;
            full_state()
        }
    }

    #[test]
    fn a_silent_screen_does_not_even_ask() {
        let mut source = Fixed(0);
        let obey = || -> Obey { Box::new(|command| panic!("nobody asked for {command:?}")) };
        Screen::open(Context { json: false, quiet: true }, 1, obey()).draw(&mut source);
        assert_eq!(source.0, 0);
        let mut plain = Screen::open(Context { json: true, quiet: false }, 1, obey());
        plain.draw(&mut source);
        assert_eq!(source.0, 1);
        assert!(matches!(plain, Screen::Plain { second: Some(12) }));
    }

    #[test]
    fn messages_are_kept_in_order_and_bounded() {
        let mut messages = Messages::default();
        let state = full_state();
        for _ in 0..MESSAGES_MAX + 5 {
            messages.take(&state);
        }
        assert_eq!(messages.lines.len(), MESSAGES_MAX);
        assert_eq!(messages.lines.back().map(String::as_str), Some("  12.4 s  bought 0.001 at 64000.1"));
        assert_eq!(without_time("2026-01-02T03:04:05.678901Z  WARN a pipe"), "WARN a pipe");
        assert_eq!(without_time("XYZ is no time"), "XYZ is no time");
    }
}
