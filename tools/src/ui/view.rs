//! COLD: the picture: book ladder, our orders, account, latency, counters and what happened.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table};

use super::{LadderRow, ScreenState};

/// Rows of messages on a small terminal, their title included; a large one gives them more.
const MESSAGE_ROWS_MIN: u16 = 5;
/// Rows of a terminal above which every further one goes to the messages.
const ROWS_FILLED: u16 = 30;
/// Counters side by side.
const COUNTER_COLUMNS: usize = 3;
/// Eighths of a character cell, for bars.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Draws the whole picture.
pub fn draw(frame: &mut Frame<'_>, state: &ScreenState, messages: &[String]) {
    let area = frame.area();
    let message_rows = MESSAGE_ROWS_MIN.max(area.height.saturating_sub(ROWS_FILLED - MESSAGE_ROWS_MIN));
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(message_rows)]).areas(area);
    let [left, right] = Layout::horizontal([Constraint::Fill(12), Constraint::Fill(13)]).spacing(1).areas(body);
    let rows = |content: usize| Constraint::Length(u16::try_from(1 + content).unwrap_or(u16::MAX));
    let [orders, account, latency, counters] = Layout::vertical([
        Constraint::Min(0),
        rows(2),
        rows(1 + state.latency.len()),
        rows(state.counters.len().div_ceil(COUNTER_COLUMNS)),
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
    let line = Line::from(vec![
        Span::styled(" spinbook ", Style::new().add_modifier(Modifier::REVERSED)),
        Span::raw(format!(" {} {} {}{more}  ", state.mode, state.venue, state.symbol)),
        Span::styled(format!("book {}", state.book_state), good(state.book_state == "live")),
        Span::raw("  "),
        Span::styled(format!("trading {}", state.trading_state), good(state.trading_state == "active")),
        Span::styled(not_quoting(state), good(false)),
    ]);
    let time = match state.seconds {
        Some(seconds) => format!("{:.0} of {seconds} s ", state.elapsed_seconds),
        None => format!("{:.0} s ", state.elapsed_seconds),
    };
    frame.render_widget(Paragraph::new(line), area);
    let width = u16::try_from(time.len()).unwrap_or(0).min(area.width);
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
    let [ours, price, quantity] = [10, 10, 10];
    let bar_cells = usize::from(area.width.saturating_sub(ours + price + quantity + 3));
    // The longest bar is that of the largest quantity on the screen.
    let largest = asks.iter().chain(&bids).map(|row| row.share_permille).max().unwrap_or(0).max(1);
    let blank = (room - bids_room).saturating_sub(asks.len());
    let trade = match &state.last_trade {
        Some(trade) => {
            [right(trade.verb), right(trade.price.clone()), right(trade.quantity.clone()), Cell::from("last")]
        }
        None => [""; 4].map(Cell::new),
    };
    let between = Row::new(trade).style(dim());
    let rows = std::iter::repeat_n(Row::new([""]), blank)
        .chain(asks.into_iter().rev().map(|row| ladder_row(row, Color::Red, largest, bar_cells)))
        .chain(std::iter::once(between))
        .chain(bids.into_iter().map(|row| ladder_row(row, Color::Green, largest, bar_cells)));
    let widths =
        [Constraint::Length(ours), Constraint::Length(price), Constraint::Length(quantity), Constraint::Fill(1)];
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
        Row::new([
            Cell::from(symbol.name.clone()),
            right(quotes(bid)),
            right(quotes(ask)),
            right(symbol.position.clone()),
            right(symbol.fills.to_string()),
        ])
        .style(Style::new().fg(color))
    });
    let fill = Constraint::Fill(2);
    let widths = [Constraint::Fill(5), fill, fill, fill, Constraint::Fill(1)];
    let head = Row::new([Cell::new("")].into_iter().chain(["our bid", "our ask", "position", "fills"].map(right)));
    let title = format!(" symbols: {} ", state.symbols.len());
    frame.render_widget(Table::new(rows, widths).header(head.style(dim())).block(section(&title)), area);
}

fn ladder_row(row: &LadderRow, color: Color, largest: u16, bar_cells: usize) -> Row<'static> {
    let own = row.own.as_ref().map(|own| format!("{own} ►")).unwrap_or_default();
    let style = if row.own.is_some() { Style::new().fg(color).bold() } else { Style::new().fg(color) };
    Row::new([
        right(own).style(Style::new().fg(Color::Cyan).bold()),
        right(row.price.clone()).style(style),
        right(row.quantity.clone()).style(style),
        Cell::from(bar(row.share_permille, largest, bar_cells)).style(Style::new().fg(color).dim()),
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
        Row::new([
            Cell::from(order.side),
            right(order.price.clone()),
            right(order.quantity.clone()),
            right(order.filled.clone()),
            Cell::from(order.state),
        ])
        .style(Style::new().fg(color))
    });
    let widths =
        [Constraint::Length(4), Constraint::Fill(3), Constraint::Fill(2), Constraint::Fill(2), Constraint::Length(9)];
    let head = Row::new([Cell::new("side"), right("price"), right("qty"), right("filled"), Cell::new("state")]);
    // An order that has no row is still counted in the title.
    let title = format!(" our orders: {} ", state.orders.len());
    frame.render_widget(Table::new(rows, widths).header(head.style(dim())).block(section(&title)), area);
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
        let cells = value.figures().map(|figure| right(figure.map_or("-".to_owned(), short_nanos)));
        Row::new(std::iter::once(Cell::from(name.replace(" to ", "→"))).chain(cells))
    });
    let fill = Constraint::Fill(1);
    let widths = [Constraint::Length(12), fill, fill, fill, fill];
    let head = Row::new([Cell::new("")].into_iter().chain(["p50", "p99", "p99.9", "max"].map(right))).style(dim());
    frame.render_widget(Table::new(rows, widths).column_spacing(0).header(head).block(section(" latency ")), area);
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

fn draw_counters(frame: &mut Frame<'_>, area: Rect, state: &ScreenState) {
    let alarming = |name: &str| ["gaps", "rejected", "stalls", "hot allocs"].contains(&name);
    let cells: Vec<Cell<'_>> = state
        .counters
        .iter()
        .map(|(name, value)| {
            let color = if alarming(name) && *value > 0 { Color::Yellow } else { Color::Reset };
            Cell::from(Line::from(vec![
                Span::styled(format!("{name} "), dim()),
                Span::styled(value.to_string(), Style::new().fg(color)),
            ]))
        })
        .collect();
    let rows = cells.chunks(COUNTER_COLUMNS).map(|chunk| Row::new(chunk.to_vec()));
    let table = Table::new(rows, [Constraint::Fill(1); COUNTER_COLUMNS]).block(section(" counters "));
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

    #[test]
    fn any_size_and_an_empty_state_are_drawn() {
        for (width, height) in [(1, 1), (20, 5), (40, 12), (80, 24), (120, 40), (300, 100)] {
            picture(width, height, &ScreenState::default());
            picture(width, height, &full_state());
        }
    }
}
