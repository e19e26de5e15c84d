//! COLD: the state of a run in one line, for where there is no terminal.

use super::{MarketState, ScreenState};

/// The state in one line: book, our quotes, orders, account, latencies, and what is wrong, if anything is. Every further
/// symbol has a line of its own below.
#[must_use]
pub fn plain_line(state: &ScreenState) -> String {
    let count = |name: &str| state.counters.iter().find(|(key, _)| *key == name).map_or(0, |(_, value)| *value);
    let nothing = MarketState::default();
    let market = state.markets.first().unwrap_or(&nothing);
    let trading = match market.trading_state.as_str() {
        "active" => String::new(),
        other => format!(", trading {other}"),
    };
    let orders: Vec<String> = state.counted().iter().map(|(name, count)| format!("{name} {count}")).collect();
    let mut line = format!(
        "{:>4.0} s  {} {}{trading}  bid {} ask {}  ours {} / {}  {}  \
         fills {}  position {}  profit {}  fees {}  {} frames/s",
        state.elapsed_seconds,
        market.name,
        market.book_state,
        best(market, "bid"),
        best(market, "ask"),
        market.own("bid"),
        market.own("ask"),
        orders.join(" "),
        state.orders.fills,
        market.position,
        market.pnl_quote,
        market.fees_quote,
        count("frames/s"),
    );
    for name in ["gaps", "resyncs"] {
        if count(name) > 0 {
            line.push_str(&format!("  {name} {}", count(name)));
        }
    }
    for latency in state.latency.iter().filter(|latency| latency.whole.count > 0) {
        let (name, figures) = (latency.name, latency.whole.texts().join("/"));
        line.push_str(&format!("  {name} p50/p99/p99.9/max {figures}"));
    }
    line.push_str(&unquoted(&market.not_quoting));
    for market in state.markets.iter().skip(1) {
        line.push_str(&market_line(market));
    }
    line
}

/// A further symbol, on a line of its own below.
fn market_line(market: &MarketState) -> String {
    let price = |side| market.best(side).map_or("-", |row| row.price.as_str());
    format!(
        "\n        {} {}  bid {} ask {}  ours {} / {}  fills {}  position {}",
        market.name,
        market.book_state,
        price("bid"),
        price("ask"),
        market.own("bid"),
        market.own("ask"),
        market.fills,
        market.position
    ) + &unquoted(&market.not_quoting)
}

/// Why a symbol is not quoted, at the end of its line.
fn unquoted(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!("  not quoting: {why}") }
}

fn best(market: &MarketState, side: &str) -> String {
    market.best(side).map_or("-".to_owned(), |row| format!("{} x {}", row.price, row.quantity))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::tests::{full_state, market};

    #[test]
    fn every_further_symbol_has_a_line_below() {
        let mut state = full_state();
        assert_eq!(plain_line(&state).lines().count(), 1);
        state.markets.push(market("binance-spot:BTCUSDT", "lost: disconnected"));
        let line = plain_line(&state);
        let further = line.lines().nth(1).expect("a second line").trim();
        let expected = "binance-spot:BTCUSDT lost: disconnected  bid 64000.1 ask 64000.2  ours 64000.1 / 64000.3  fills 3  \
                        position 0.003";
        assert_eq!(further, expected);
    }

    #[test]
    fn a_plain_line_holds_what_matters() {
        let mut state = full_state();
        let line = plain_line(&state);
        for part in [
            "12 s",
            "BTCUSDT live  bid 64000.1 x 1.250 ask 64000.2 x 2.000",
            "ours 64000.1 / 64000.3",
            "sent 41 acked 40 filled 7 canceled 30 expired 0 rejected 1 unknown 1 open 2",
            "fills 9  position 0.003  profit -0.12  fees 0.04",
            "1204 frames/s  gaps 1  resyncs 2",
            "decode to order p50/p99/p99.9/max 420 ns/4.0 us/9.0 us/20.0 us",
        ] {
            assert!(line.contains(part), "no `{part}` in: {line}");
        }
        assert!(!line.contains("trading") && !line.contains("not quoting"), "{line}");
        state.markets[0].not_quoting = "bids: the venue asked to wait".to_owned();
        assert!(plain_line(&state).ends_with("  not quoting: bids: the venue asked to wait"));
        state.markets[0].trading_state = "halted".to_owned();
        assert!(plain_line(&state).contains("live, trading halted"));
    }

    #[test]
    fn nothing_known_is_a_line_too() {
        assert!(plain_line(&ScreenState::default()).contains("bid - ask -  ours - / -"));
    }
}
