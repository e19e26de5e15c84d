//! COLD: what is shown while a run works: a screen on a terminal, plain lines elsewhere, nothing when quiet.
//!
//! It reads a [`ScreenState`] and nothing else, so that it can never hold up the threads that trade.

mod terminal;
mod view;

use std::io::{self, IsTerminal, Write};

use crate::command::Context;
use crate::report::Percentiles;

use self::terminal::FullScreen;

/// Everything that is shown, as text where it is a price or a quantity.
#[derive(Clone, Debug, Default)]
pub struct ScreenState {
    /// `demo`, `paper`, `shadow` or `live`.
    pub mode: String,
    /// The venue's name.
    pub venue: String,
    /// The symbol whose book is shown.
    pub symbol: String,
    /// Since the start.
    pub elapsed_seconds: f64,
    /// `live`, or why not.
    pub book_state: String,
    /// `active`, `reduce-only`, `cancel-only` or `halted`.
    pub trading_state: String,
    /// Bids, best first.
    pub bids: Vec<LadderRow>,
    /// Asks, best first.
    pub asks: Vec<LadderRow>,
    /// Our orders.
    pub orders: Vec<OrderRow>,
    /// Position, base asset.
    pub position: String,
    /// Profit, quote asset.
    pub pnl_quote: String,
    /// Fees, quote asset.
    pub fees_quote: String,
    /// Latency distributions by name.
    pub latency: Vec<(&'static str, Percentiles)>,
    /// Counters by name, in the order they are to be shown.
    pub counters: Vec<(&'static str, u64)>,
    /// What happened last, newest last.
    pub messages: Vec<String>,
}

/// One price of the book.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LadderRow {
    /// Price.
    pub price: String,
    /// The venue's quantity.
    pub quantity: String,
    /// Our own quote there, if any.
    pub own: Option<String>,
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
    /// `pending`, `open`, `canceling`, `unknown`.
    pub state: &'static str,
}

/// Where the screen takes its state from; must not block.
pub trait ScreenSource {
    /// The state as it is.
    fn screen(&mut self) -> ScreenState;
}

/// What a run is shown on.
pub enum Screen {
    /// The whole terminal.
    Full(Box<FullScreen>),
    /// A line a second on stderr.
    Plain {
        /// The second that was printed last.
        second: Option<u64>,
    },
    /// Nothing.
    Silent,
}

impl Screen {
    /// The right one: nothing when quiet, the terminal if stdout is one and free, else plain lines on stderr.
    #[must_use]
    pub fn open(context: Context) -> Screen {
        if context.quiet {
            return Screen::Silent;
        }
        if !context.json && io::stdout().is_terminal() {
            match FullScreen::open() {
                Ok(screen) => return Screen::Full(Box::new(screen)),
                Err(error) => tracing::warn!("no full screen ({error}): plain lines instead"),
            }
        }
        Screen::Plain { second: None }
    }

    /// Shows the state; call it a few times a second. What cannot be shown is left out: a screen fails no run.
    pub fn draw(&mut self, source: &mut dyn ScreenSource) {
        match self {
            Screen::Full(screen) => {
                let mut state = source.screen();
                state.messages.extend(crate::log::held_lines());
                screen.draw(&state);
            }
            Screen::Plain { second } => {
                let state = source.screen();
                let now = state.elapsed_seconds as u64;
                if *second != Some(now) {
                    *second = Some(now);
                    let _ = writeln!(io::stderr().lock(), "{}", plain_line(&state));
                }
            }
            Screen::Silent => {}
        }
    }
}

/// The state in one line.
#[must_use]
pub fn plain_line(state: &ScreenState) -> String {
    let best = |rows: &[LadderRow]| rows.first().map_or("-".to_owned(), |row| row.price.clone());
    let counter = |name: &str| state.counters.iter().find(|(key, _)| *key == name).map_or(0, |(_, value)| *value);
    let latency = state.latency.first().map_or(String::new(), |(name, value)| format!(", {name} p99 {} ns", value.p99));
    format!(
        "{:>5.0} s  {} {}  {} / {}  orders {}, fills {}, position {}, profit {}{latency}",
        state.elapsed_seconds,
        state.symbol,
        state.book_state,
        best(&state.bids),
        best(&state.asks),
        state.orders.len(),
        counter("fills"),
        state.position,
        state.pnl_quote,
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A state with everything in it.
    pub(crate) fn full_state() -> ScreenState {
        let row = |price: &str, quantity: &str, own: Option<&str>| LadderRow {
            price: price.to_owned(),
            quantity: quantity.to_owned(),
            own: own.map(str::to_owned),
        };
        ScreenState {
            mode: "demo".to_owned(),
            venue: "binance-usdm".to_owned(),
            symbol: "BTCUSDT".to_owned(),
            elapsed_seconds: 12.4,
            book_state: "live".to_owned(),
            trading_state: "active".to_owned(),
            bids: vec![row("64000.1", "1.250", Some("0.001")), row("64000.0", "0.500", None)],
            asks: vec![row("64000.2", "2.000", None), row("64000.3", "0.750", Some("0.001"))],
            orders: vec![OrderRow {
                side: "bid",
                price: "64000.1".to_owned(),
                quantity: "0.001".to_owned(),
                filled: "0".to_owned(),
                state: "open",
            }],
            position: "0.003".to_owned(),
            pnl_quote: "-0.12".to_owned(),
            fees_quote: "0.04".to_owned(),
            latency: vec![(
                "decode to order",
                Percentiles { p50: 420, p99: 4_000, p999: 9_000, max: 20_000, count: 99 },
            )],
            counters: vec![("frames", 12_345), ("fills", 3)],
            messages: vec!["gateway ready".to_owned()],
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
    fn a_plain_line_holds_what_matters() {
        let line = plain_line(&full_state());
        for part in
            ["12 s", "BTCUSDT live", "64000.1 / 64000.2", "orders 1", "fills 3", "position 0.003", "p99 4000 ns"]
        {
            assert!(line.contains(part), "no `{part}` in: {line}");
        }
    }

    #[test]
    fn a_silent_screen_does_not_even_ask() {
        let mut source = Fixed(0);
        Screen::open(Context { json: false, quiet: true }).draw(&mut source);
        assert_eq!(source.0, 0);
        let mut plain = Screen::open(Context { json: true, quiet: false });
        plain.draw(&mut source);
        assert_eq!(source.0, 1);
        assert!(matches!(plain, Screen::Plain { second: Some(12) }));
    }
}
