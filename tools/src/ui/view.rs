//! COLD: the picture: book ladder, our orders, account, latency, counters and what happened.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table, Wrap};

use super::columns::{Column, Grid, cut, widths};
use super::{LadderRow, LastTrade, ScreenState};

/// The smallest terminal on which everything of worth has room.
const SIZE_MIN: (u16, u16) = (60, 20);
/// Rows of messages where every row counts, their title included.
const MESSAGE_ROWS_LEAST: u16 = 3;
/// Rows of a terminal below which that is so.
const ROWS_SCARCE: u16 = 24;

/// Rows of messages on a small terminal, their title included; a large one gives them more.
const MESSAGE_ROWS_MIN: u16 = 5;
/// Rows of a terminal above which every further one goes to the messages.
const ROWS_FILLED: u16 = 30;
/// Cells of a row that has room for mode and venue, too.
const HEAD_WIDTH: u16 = 80;
/// Counters side by side.
const COUNTER_COLUMNS: usize = 3;
/// Eighths of a character cell, for bars.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Draws the whole picture.
pub fn draw(frame: &mut Frame<'_>, state: &ScreenState, messages: &[String]) {
    let area = frame.area();
    if area.width < SIZE_MIN.0 || area.height < SIZE_MIN.1 {
        return draw_too_small(frame, area, state);
    }
    let message_rows = match area.height {
        ..ROWS_SCARCE => MESSAGE_ROWS_LEAST,
        height => MESSAGE_ROWS_MIN.max(height.saturating_sub(ROWS_FILLED - MESSAGE_ROWS_MIN)),
    };
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(message_rows)]).areas(area);
    let [left, right] = Layout::horizontal([Constraint::Fill(12), Constraint::Fill(13)]).spacing(1).areas(body);
    let rows = |content: usize| u16::try_from(1 + content).unwrap_or(u16::MAX);
    let fixed = rows(2) + rows(1 + state.latency.len());
    // Orders before counters: an order that is open is worth more than how many there were.
    let orders = rows(1 + state.orders.len()).min(right.height.saturating_sub(fixed + rows(1)));
    let counted = state.counters.len().div_ceil(counter_columns(state, right.width));
    let counters = rows(counted).min(right.height.saturating_sub(fixed + orders));
    let [orders, account, latency, counters] = Layout::vertical([
        Constraint::Min(0),
        Constraint::Length(rows(2)),
        Constraint::Length(rows(1 + state.latency.len())),
        Constraint::Length(counters),
    ])
    .areas(right);
    draw_head(frame, head, state);
    let listed = if state.symbols.len() > 1 { 2 + state.symbols.len() } else { 0 };
    // The book keeps half of the height, however many symbols there are.
    let listed = u16::try_from(listed).unwrap_or(u16::MAX).min(left.height / 2);
    let [ladder, list] = Layout::vertical([Constraint::Min(0), Constraint::Length(listed)]).areas(left);
    draw_ladder(frame, ladder, state);
    if listed > 0 {
        draw_symbols(frame, list, state);
    }
    draw_orders(frame, orders, state);
    draw_account(frame, account, state);
    draw_latency(frame, latency, state);
    draw_counters(frame, counters, state);
    draw_messages(frame, foot, messages);
}

/// What a terminal that is too small shows: that it is, and what must not be missed.
fn draw_too_small(frame: &mut Frame<'_>, area: Rect, state: &ScreenState) {
    let lines = [
        format!("{}x{} is too small: {}x{} is needed", area.width, area.height, SIZE_MIN.0, SIZE_MIN.1),
        format!("{} book {}, trading {}{}", state.symbol, state.book_state, state.trading_state, not_quoting(state)),
        format!("position {} {}, our orders {}", state.position, state.base_asset, state.orders.len()),
        format!("profit {} {}", state.pnl_quote, state.quote_asset),
        "Ctrl-C ends the run in order".to_owned(),
    ];
    let lines: Vec<Line<'_>> = lines.into_iter().map(Line::raw).collect();
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), area);
}

fn section(title: &str) -> Block<'_> {
    Block::new().borders(Borders::TOP).border_style(Style::new().dark_gray()).title(title.bold())
}

fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

fn right(text: impl Into<String>) -> Cell<'static> {
    Cell::from(Line::raw(text.into()).alignment(Alignment::Right))
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, state: &ScreenState) {
    let good = |good: bool| Style::new().fg(if good { Color::Green } else { Color::Yellow });
    let more = match state.symbols.len() {
        0 | 1 => String::new(),
        count => format!(" +{}", count - 1),
    };
    // Where the row is short, what the state is counts for more than which run it is.
    let run = if area.width < HEAD_WIDTH { String::new() } else { format!("{} {} ", state.mode, state.venue) };
    let line = Line::from(vec![
        Span::styled(" spinbook ", Style::new().add_modifier(Modifier::REVERSED)),
        Span::raw(format!(" {run}{}{more}  ", state.symbol)),
        Span::styled(format!("book {}", state.book_state), good(state.book_state == "live")),
        Span::raw("  "),
        Span::styled(format!("trading {}", state.trading_state), good(state.trading_state == "active")),
        Span::styled(not_quoting(state), good(false)),
    ]);
    let time = match state.seconds {
        Some(seconds) => format!("{:.0} of {seconds} s ", state.elapsed_seconds),
        None => format!("{:.0} s ", state.elapsed_seconds),
    };
    let width = u16::try_from(time.len()).unwrap_or(0).min(area.width);
    frame.render_widget(Paragraph::new(line), Rect { width: area.width.saturating_sub(width + 1), ..area });
    let corner = Rect { x: area.right() - width, width, ..area };
    frame.render_widget(Paragraph::new(time), corner);
}

/// The best rows that have room; our own farther out take the places of the last ones.
fn visible(rows: &[LadderRow], room: usize) -> Vec<&LadderRow> {
    let own_beyond: Vec<&LadderRow> = rows.iter().skip(room).filter(|row| row.own.is_some()).collect();
    let near = room.saturating_sub(own_beyond.len());
    rows.iter().take(near).chain(own_beyond).take(room).collect()
}

fn draw_ladder(frame: &mut Frame<'_>, area: Rect, state: &ScreenState) {
    // A title, a head, and the line between the sides.
    let room = usize::from(area.height.saturating_sub(3));
    let bids_room = room / 2;
    let asks = visible(&state.asks, room - bids_room);
    let bids = visible(&state.bids, bids_room);
    let texts: Vec<[String; 3]> =
        asks.iter().chain(&bids).map(|row| ladder_texts(row)).chain([trade_texts(state)]).collect();
    let columns = [10, 10, 10].map(|least| Column { width_least: least, may_go: false });
    let [ours, price, quantity] = widths(&columns, &texts, usize::from(area.width).saturating_sub(3), 0);
    let bar_cells = usize::from(area.width).saturating_sub(ours + price + quantity + 3);
    // The longest bar is that of the largest quantity on the screen.
    let largest = asks.iter().chain(&bids).map(|row| row.share_permille).max().unwrap_or(0).max(1);
    let blank = (room - bids_room).saturating_sub(asks.len());
    let [verb, at, of] = trade_texts(state);
    let last = if verb.is_empty() { "" } else { "last" };
    let between =
        Row::new([right(cut(&verb, ours)), right(cut(&at, price)), right(cut(&of, quantity)), Cell::from(last)]);
    let between = between.style(dim());
    let ladder_row = |row: &LadderRow, color| {
        ladder_row(row, color, [ours, price, quantity], bar(row.share_permille, largest, bar_cells))
    };
    let rows = std::iter::repeat_n(Row::new([""]), blank)
        .chain(asks.into_iter().rev().map(|row| ladder_row(row, Color::Red)))
        .chain(std::iter::once(between))
        .chain(bids.into_iter().map(|row| ladder_row(row, Color::Green)));
    let length = |cells: usize| Constraint::Length(u16::try_from(cells).unwrap_or(u16::MAX));
    let widths = [length(ours), length(price), length(quantity), Constraint::Fill(1)];
    let head = Row::new([right("ours"), right("price"), right("quantity"), Cell::new("")]).style(dim());
    let title = format!(" book of {} ", state.symbol);
    frame.render_widget(Table::new(rows, widths).header(head).block(section(&title)), area);
}

/// Every symbol in a row: where its market is, where we are, what we hold.
fn draw_symbols(frame: &mut Frame<'_>, area: Rect, state: &ScreenState) {
    let rows = state.symbols.iter().map(|symbol| {
        let [bid, ask] = &symbol.own;
        let quotes = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let color = if symbol.book_state == "live" { Color::Reset } else { Color::Yellow };
        let texts = [symbol.name.clone(), quotes(bid), quotes(ask), symbol.position.clone(), symbol.fills.to_string()];
        (texts, Style::new().fg(color))
    });
    let grid = Grid { head: ["", "our bid", "our ask", "position", "fills"], left: [0].as_slice(), may_go: &[4] };
    let title = format!(" symbols: {} ", state.symbols.len());
    frame.render_widget(grid.table(rows.collect(), area.width).block(section(&title)), area);
}

fn ladder_texts(row: &LadderRow) -> [String; 3] {
    let own = row.own.as_ref().map(|own| format!("{own} ►")).unwrap_or_default();
    [own, row.price.clone(), row.quantity.clone()]
}

fn trade_texts(state: &ScreenState) -> [String; 3] {
    let texts = |trade: &LastTrade| [trade.verb.to_owned(), trade.price.clone(), trade.quantity.clone()];
    state.last_trade.as_ref().map(texts).unwrap_or_default()
}

fn ladder_row(row: &LadderRow, color: Color, [ours, price, quantity]: [usize; 3], bar: String) -> Row<'static> {
    let [own, at, of] = ladder_texts(row);
    let style = if row.own.is_some() { Style::new().fg(color).bold() } else { Style::new().fg(color) };
    Row::new([
        right(cut(&own, ours)).style(Style::new().fg(Color::Cyan).bold()),
        right(cut(&at, price)).style(style),
        right(cut(&of, quantity)).style(style),
        Cell::from(bar).style(Style::new().fg(color).dim()),
    ])
}

/// A bar of up to this many cells, to an eighth of a cell.
fn bar(share_permille: u16, largest: u16, cells: usize) -> String {
    let eighths = usize::from(share_permille.min(largest)) * cells * 8 / usize::from(largest);
    // What is there is seen, however little it is.
    let eighths = if share_permille > 0 && cells > 0 { eighths.max(1) } else { eighths };
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

fn draw_orders(frame: &mut Frame<'_>, area: Rect, state: &ScreenState) {
    let rows = state.orders.iter().map(|order| {
        let color = if order.side == "bid" { Color::Green } else { Color::Red };
        let texts = [
            order.side.to_owned(),
            order.price.clone(),
            order.quantity.clone(),
            order.filled.clone(),
            order.state.to_owned(),
        ];
        (texts, Style::new().fg(color))
    });
    let grid = Grid { head: ["side", "price", "qty", "filled", "state"], left: [0, 4].as_slice(), may_go: &[3] };
    // An order that has no row is still counted in the title.
    let title = format!(" our orders: {} ", state.orders.len());
    frame.render_widget(grid.table(rows.collect(), area.width).block(section(&title)), area);
}

fn draw_account(frame: &mut Frame<'_>, area: Rect, state: &ScreenState) {
    let losing = state.pnl_quote.starts_with('-');
    let lines = vec![
        Line::from(vec![
            Span::styled("position ", dim()),
            Span::raw(format!("{} {}", state.position, state.base_asset)).bold(),
            Span::styled("   fills ", dim()),
            Span::raw(state.fills.to_string()),
        ]),
        Line::from(vec![
            Span::styled("profit ", dim()),
            Span::styled(
                format!("{} {}", state.pnl_quote, state.quote_asset),
                Style::new().fg(if losing { Color::Red } else { Color::Green }).bold(),
            ),
            Span::styled("   fees ", dim()),
            Span::raw(state.fees_quote.clone()),
        ]),
    ];
    frame.render_widget(Paragraph::new(lines).block(section(" account ")), area);
}

fn draw_latency(frame: &mut Frame<'_>, area: Rect, state: &ScreenState) {
    let rows = state.latency.iter().map(|(name, value)| {
        let [p50, p99, p999, max] = value.figures().map(|figure| figure.map_or("-".to_owned(), short_nanos));
        ([name.replace(" to ", "→"), p50, p99, p999, max], Style::new())
    });
    let grid = Grid { head: ["", "p50", "p99", "p99.9", "max"], left: [0].as_slice(), may_go: &[3, 4] };
    frame.render_widget(grid.table(rows.collect(), area.width).block(section(" latency ")), area);
}

/// Why the symbol is not quoted, where it is not.
fn not_quoting(state: &ScreenState) -> String {
    if state.not_quoting.is_empty() { String::new() } else { format!("   not quoting: {}", state.not_quoting) }
}

/// At most six characters: a column of a small terminal.
fn short_nanos(ns: u64) -> String {
    let (unit, name) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (1_000, "us"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    match ns / unit {
        whole @ 0..10 => format!("{whole}.{} {name}", ns % unit / (unit / 10)),
        whole => format!("{whole} {name}"),
    }
}

/// How many counters stand side by side: as many as show whole, at most as many as are easily read.
fn counter_columns(state: &ScreenState, width: u16) -> usize {
    let longest = state.counters.iter().map(|(name, value)| name.len() + 1 + value.to_string().len()).max();
    ((usize::from(width) + 1) / (longest.unwrap_or(0) + 1)).clamp(1, COUNTER_COLUMNS)
}

fn draw_counters(frame: &mut Frame<'_>, area: Rect, state: &ScreenState) {
    let alarming = |name: &str| ["gaps", "rejected", "stalls", "hot allocs"].contains(&name);
    let cell = |(name, value): &(&'static str, u64)| {
        let color = if alarming(name) && *value > 0 { Color::Yellow } else { Color::Reset };
        Cell::from(Line::from(vec![
            Span::styled(format!("{name} "), dim()),
            Span::styled(value.to_string(), Style::new().fg(color)),
        ]))
    };
    let columns = counter_columns(state, area.width);
    let room = columns * usize::from(area.height.saturating_sub(1));
    // Where not all have room, those that alarm come before those that only count.
    let mut shown: Vec<&(&'static str, u64)> = state.counters.iter().collect();
    if shown.len() > room {
        shown.sort_by_key(|(name, value)| !(alarming(name) && *value > 0));
    }
    let cells: Vec<Cell<'_>> = shown.into_iter().map(cell).collect();
    let rows = cells.chunks(columns).map(|chunk| Row::new(chunk.to_vec()));
    let table = Table::new(rows, vec![Constraint::Fill(1); columns]).block(section(" counters "));
    frame.render_widget(table, area);
}

fn draw_messages(frame: &mut Frame<'_>, area: Rect, messages: &[String]) {
    let room = usize::from(area.height.saturating_sub(1));
    let from = messages.len().saturating_sub(room);
    let line = |message: &String| {
        let style = match message.as_str() {
            text if text.starts_with("ERROR") => Style::new().fg(Color::Red),
            text if text.starts_with("WARN") => Style::new().fg(Color::Yellow),
            _ => Style::new(),
        };
        Line::styled(message.clone(), style)
    };
    let lines: Vec<Line<'_>> = messages[from..].iter().map(line).collect();
    frame.render_widget(Paragraph::new(lines).block(section(" what happened (Ctrl-C ends the run in order) ")), area);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::ui::tests::{full_state, symbol_row};

    fn picture(width: u16, height: u16, state: &ScreenState) -> String {
        let messages = ["gateway ready".to_owned(), "WARN a connection ended".to_owned()];
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test terminal");
        terminal.draw(|frame| draw(frame, state, &messages)).expect("drawn");
        let buffer = terminal.backend().buffer().clone();
        let rows: Vec<String> =
            (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>()).collect();
        rows.join("\n")
    }

    /// The picture's line with this text in it.
    fn line<'a>(picture: &'a str, text: &str) -> &'a str {
        picture.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("no `{text}` in\n{picture}"))
    }

    #[test]
    fn a_small_terminal_shows_everything_that_was_promised() {
        let picture = picture(80, 24, &full_state());
        println!("{picture}");
        let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let head = line(&picture, "spinbook");
        assert!(head.contains("demo binance-usdm BTCUSDT  book live  trading active"), "{head}");
        assert!(head.ends_with("12 of 30 s "), "{head}");
        for (text, beside) in [
            ("64000.3 0.750", "0.010 ►"),
            ("64000.1 1.250", "0.001 ►"),
            ("buy 64000.2 0.004", "last"),
            ("bid 64000.1", "0.010 0.009 open"),
            ("ask 64000.3", "0.010 0.000 canceling"),
            ("position 0.003 BTC", "fills 3"),
            ("profit -0.12 USDT", "fees 0.04"),
            ("decode→order 420 ns 4.0 us", "9.0 us 20 us"),
            ("wire→wire 52 us 310 us", "2.0 ms 3.0 ms"),
            ("frames 12345", "gaps 1"),
            ("resyncs 2", "sent 41"),
            ("acked 40 filled 7", "canceled 30"),
            ("rejected 1", "hot allocs 0"),
        ] {
            let found = picture.lines().map(squeezed).any(|line| line.contains(text) && line.contains(beside));
            assert!(found, "no line with `{text}` and `{beside}` in\n{picture}");
        }
        line(&picture, "WARN a connection ended");
        line(&picture, "gateway ready");
    }

    #[test]
    fn asks_stand_above_bids_and_bars_grow_with_the_quantity() {
        let picture = picture(110, 34, &full_state());
        let at = |text: &str| picture.find(text).unwrap_or_else(|| panic!("no `{text}` in\n{picture}"));
        let order = [at(" 64000.3  "), at("2.000"), at("1.250"), at("64000.0")];
        assert!(order.is_sorted(), "{order:?} in\n{picture}");
        let bars = |text: &str| line(&picture, text).matches('█').count();
        assert!(bars("2.000") > bars("1.250 ") && bars("1.250 ") > bars("0.500"), "{picture}");
        assert_eq!(
            (bar(800, 800, 4), bar(400, 800, 4), bar(1, 800, 4), bar(0, 800, 4)),
            ("████".into(), "██".into(), "▏".into(), "".into())
        );
    }

    #[test]
    fn several_symbols_are_listed_below_the_book_of_the_first() {
        let mut state = full_state();
        assert!(!picture(110, 34, &state).contains("symbols:"));
        for name in ["binance-usdm:BTCUSDT", "binance-spot:BTCUSDT", "binance-spot:ETHUSDT"] {
            state.symbols.push(symbol_row(name, "live"));
        }
        let picture = picture(120, 34, &state);
        assert!(line(&picture, "spinbook").contains("BTCUSDT +3"), "{picture}");
        line(&picture, "symbols: 4");
        for name in ["binance-usdm:BTCUSDT", "binance-spot:BTCUSDT", "binance-spot:ETHUSDT"] {
            assert!(line(&picture, name).contains("64000.1"), "{picture}");
        }
    }

    #[test]
    fn our_order_far_out_keeps_a_row() {
        let row = |price: i64, own: Option<&str>| LadderRow {
            price: price.to_string(),
            own: own.map(str::to_owned),
            ..LadderRow::default()
        };
        let rows: Vec<LadderRow> = (0..10).map(|at| row(at, (at == 9).then_some("1"))).collect();
        let prices: Vec<&str> = visible(&rows, 4).iter().map(|row| row.price.as_str()).collect();
        assert_eq!(prices, ["0", "1", "2", "9"]);
        assert!(visible(&rows, 0).is_empty());
    }

    /// Every number of a state as it is shown, by itself.
    fn numbers(state: &ScreenState) -> Vec<String> {
        let mut texts: Vec<String> = vec![state.position.clone(), state.pnl_quote.clone(), state.fees_quote.clone()];
        texts.push(state.fills.to_string());
        texts.push(format!("{:.0}", state.elapsed_seconds));
        texts.extend(state.seconds.map(|seconds| seconds.to_string()));
        for row in state.bids.iter().chain(&state.asks) {
            texts.extend([row.price.clone(), row.quantity.clone()].into_iter().chain(row.own.clone()));
        }
        texts.extend(state.last_trade.iter().flat_map(|trade| [trade.price.clone(), trade.quantity.clone()]));
        for order in &state.orders {
            texts.extend([order.price.clone(), order.quantity.clone(), order.filled.clone()]);
        }
        for symbol in &state.symbols {
            texts.extend(symbol.own.iter().cloned().chain([symbol.position.clone(), symbol.fills.to_string()]));
        }
        for (_, value) in &state.latency {
            let shown = value.figures().into_iter().flatten().map(short_nanos);
            texts.extend(shown.map(|text| text.split(' ').next().unwrap_or_default().to_owned()));
        }
        texts.extend(state.counters.iter().map(|(_, value)| value.to_string()));
        texts.extend([state.orders.len().to_string(), state.symbols.len().to_string()]);
        texts
    }

    #[test]
    fn no_number_loses_its_first_digits_whatever_the_size() {
        let mut long = full_state();
        let row = |price: &str, quantity: &str, own: Option<&str>| LadderRow {
            price: price.to_owned(),
            quantity: quantity.to_owned(),
            share_permille: 500,
            own: own.map(str::to_owned),
        };
        long.bids =
            vec![row("0.000012345678", "1234567890.12", Some("987654.321")), row("64012.15", "0.00395000", None)];
        long.asks = vec![row("0.000012345679", "2234567890.12", None)];
        long.orders[0].price = "0.000012345678".to_owned();
        long.orders[0].quantity = "987654.321".to_owned();
        long.position = "-1234567.00395".to_owned();
        long.pnl_quote = "-12345678.1234".to_owned();
        long.counters[0].1 = 123_456_789_012;
        long.symbols.push(symbol_row("binance-spot:1000SATSUSDT", "live"));
        for state in [full_state(), long] {
            let known = numbers(&state);
            for (width, height) in
                (60..200).step_by(7).flat_map(|width| [20, 22, 24, 30, 44].map(|height| (width, height)))
            {
                let picture = picture(width, height, &state);
                for token in picture
                    .split_whitespace()
                    .filter(|token| token.trim_start_matches('-').starts_with(|first: char| first.is_ascii_digit()))
                {
                    let is_known = match token.strip_suffix('…') {
                        Some(begin) => known.iter().any(|text| text.starts_with(begin)),
                        None => known.iter().any(|text| text == token) || token == "1000SATSUSDT",
                    };
                    assert!(is_known, "`{token}` at {width}x{height} in\n{picture}");
                }
                for order in &state.orders {
                    assert!(
                        picture.contains(&order.state[..4]),
                        "an order without a row at {width}x{height}:\n{picture}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_terminal_that_is_too_small_says_so() {
        for (width, height) in [(59, 20), (60, 19), (30, 8)] {
            let picture = picture(width, height, &full_state());
            let text = picture.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains(&format!("{width}x{height} is too small: 60x20 is needed")), "{picture}");
            assert!(text.contains("position 0.003 BTC, our orders 2"), "{picture}");
        }
        let smallest = picture(60, 20, &full_state());
        assert!(!smallest.contains("too small"));
        assert!(line(&smallest, "spinbook").contains("BTCUSDT  book live  trading active"), "{smallest}");
    }

    #[test]
    fn any_size_and_an_empty_state_are_drawn() {
        for (width, height) in [(1, 1), (20, 5), (40, 12), (80, 24), (120, 40), (300, 100)] {
            picture(width, height, &ScreenState::default());
            picture(width, height, &full_state());
        }
    }
}
