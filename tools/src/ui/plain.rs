//! COLD: the state of a run in one line, for where there is no terminal.

use super::{LadderRow, ScreenState, SymbolRow};

/// The state in one line: book, our quotes, orders, account, latencies, and what is wrong, if anything is.
#[must_use]
pub fn plain_line(state: &ScreenState) -> String {
    let count = |name: &str| state.counters.iter().find(|(key, _)| *key == name).map_or(0, |(_, value)| *value);
    let trading = match state.trading_state.as_str() {
        "active" => String::new(),
        other => format!(", trading {other}"),
    };
    let mut line = format!(
        "{:>4.0} s  {} {}{trading}  bid {} ask {}  ours {} / {}  sent {} acked {} filled {} canceled {} rejected {}  \
         fills {}  position {}  profit {}  fees {}  {} frames/s",
        state.elapsed_seconds,
        state.symbol,
        state.book_state,
        best(&state.bids),
        best(&state.asks),
        own(state, "bid"),
        own(state, "ask"),
        count("sent"),
        count("acked"),
        count("filled"),
        count("canceled"),
        count("rejected"),
        state.fills,
        state.position,
        state.pnl_quote,
        state.fees_quote,
        count("frames/s"),
    );
    for name in ["gaps", "resyncs"] {
        if count(name) > 0 {
            line.push_str(&format!("  {name} {}", count(name)));
        }
    }
    for (name, value) in state.latency.iter().filter(|(_, value)| value.count > 0) {
        let figures = value.texts().join("/");
        line.push_str(&format!("  {name} p50/p99/p99.9/max {figures}"));
    }
    line.push_str(&unquoted(&state.not_quoting));
    for symbol in state.symbols.iter().skip(1) {
        line.push_str(&symbol_line(symbol));
    }
    line
}

/// A further symbol, on a line of its own below.
fn symbol_line(symbol: &SymbolRow) -> String {
    let or_none = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let ([bid, ask], [own_bid, own_ask]) =
        (symbol.prices.each_ref().map(|text| or_none(text)), symbol.own.each_ref().map(|text| or_none(text)));
    format!(
        "\n        {} {}  bid {bid} ask {ask}  ours {own_bid} / {own_ask}  fills {}  position {}",
        symbol.name, symbol.book_state, symbol.fills, symbol.position
    ) + &unquoted(&symbol.not_quoting)
}

/// Why a symbol is not quoted, at the end of its line.
fn unquoted(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!("  not quoting: {why}") }
}

fn best(rows: &[LadderRow]) -> String {
    let venues = rows.iter().find(|row| !row.quantity.is_empty());
    venues.map_or("-".to_owned(), |row| format!("{} x {}", row.price, row.quantity))
}

/// Our best price of a side.
fn own<'a>(state: &'a ScreenState, side: &str) -> &'a str {
    let rows = if side == "bid" { &state.bids } else { &state.asks };
    rows.iter().find(|row| row.own.is_some()).map_or("-", |row| row.price.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::tests::{full_state, symbol_row};

    #[test]
    fn every_further_symbol_has_a_line_below() {
        let mut state = full_state();
        assert_eq!(plain_line(&state).lines().count(), 1);
        state.symbols.push(symbol_row("binance-spot:BTCUSDT", "lost: disconnected"));
        let line = plain_line(&state);
        let further = line.lines().nth(1).expect("a second line").trim();
        let expected = "binance-spot:BTCUSDT lost: disconnected  bid 64000.1 ask 64000.2  ours 64000.1 / -  fills 3  \
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
            "sent 41 acked 40 filled 7 canceled 30 rejected 1",
            "fills 3  position 0.003  profit -0.12  fees 0.04",
            "1204 frames/s  gaps 1  resyncs 2",
            "decode to order p50/p99/p99.9/max 420 ns/4.0 us/9.0 us/20.0 us",
        ] {
            assert!(line.contains(part), "no `{part}` in: {line}");
        }
        assert!(!line.contains("trading") && !line.contains("not quoting"), "{line}");
        state.not_quoting = "bids: the venue asked to wait".to_owned();
        assert!(plain_line(&state).ends_with("  not quoting: bids: the venue asked to wait"));
        state.trading_state = "halted".to_owned();
        assert!(plain_line(&state).contains("live, trading halted"));
    }

    #[test]
    fn nothing_known_is_a_line_too() {
        assert!(plain_line(&ScreenState::default()).contains("bid - ask -  ours - / -"));
    }
}
