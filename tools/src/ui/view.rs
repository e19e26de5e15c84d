//! COLD: the picture: books, our orders, account, latency, counters and what happened, as much as has room.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Wrap};

use super::columns::section;
use super::keys::{LIST, ScreenView};
use super::ladder::{LADDER_WIDTH_MIN, draw_ladders, draw_symbols};
use super::panels::{
    all_counters, counter_columns, draw_account, draw_counters, draw_history, draw_latency, draw_orders,
    history_rows_min, short_name,
};
use super::{MarketState, ScreenState};

/// The smallest terminal on which everything of worth has room.
const SIZE_MIN: (u16, u16) = (60, 20);
/// Rows of messages where every row counts, their title included.
const MESSAGE_ROWS_LEAST: u16 = 3;
/// Rows of a terminal below which that is so.
const ROWS_SCARCE: u16 = 24;

/// Rows of messages on a small terminal, their title included; a large one gives them more.
const MESSAGE_ROWS_MIN: u16 = 5;
/// Rows of a terminal above which every second further one goes to the messages.
const ROWS_FILLED: u16 = 30;
/// Cells of a row that has room for mode and venue, too.
const HEAD_WIDTH: u16 = 80;
/// Cells of a terminal from which on what stands beside the books is not stretched any more.
const WIDTH_WIDE: u16 = 120;
/// Cells of what stands beside the books there.
const PANEL_WIDTH: u16 = 44;
/// Symbols for whose ladders there is room before a second column of panels gets any.
const LADDERS_FIRST: usize = 4;

/// What the screen shows, and of what.
pub(super) struct Picture<'a> {
    /// The run.
    pub(super) state: &'a ScreenState,
    /// What happened, oldest first.
    pub(super) messages: &'a [String],
    /// What keys have made of it.
    pub(super) view: ScreenView,
    /// Whether there are keys.
    pub(super) has_keys: bool,
}

impl Picture<'_> {
    /// The symbol in front and its place.
    fn front(&self) -> Option<(usize, &MarketState)> {
        let place = self.view.selected.min(self.state.markets.len().saturating_sub(1));
        self.state.markets.get(place).map(|market| (place, market))
    }

    fn is_several(&self) -> bool {
        self.state.markets.len() > 1
    }
}

/// Draws the whole picture.
pub(super) fn draw(frame: &mut Frame<'_>, picture: &Picture<'_>) {
    let area = frame.area();
    let Some((place, market)) = picture.front() else {
        return frame.render_widget(Paragraph::new("nothing is traded"), area);
    };
    if area.width < SIZE_MIN.0 || area.height < SIZE_MIN.1 {
        return draw_too_small(frame, area, market);
    }
    let message_rows = match area.height {
        ..ROWS_SCARCE => MESSAGE_ROWS_LEAST,
        height => MESSAGE_ROWS_MIN + height.saturating_sub(ROWS_FILLED) / 2,
    };
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(message_rows)]).areas(area);
    draw_head(frame, head, picture.state, market);
    draw_body(frame, body, picture, place, market);
    draw_messages(frame, foot, picture);
    if picture.view.help {
        draw_help(frame, area, picture);
    }
}

fn draw_body(frame: &mut Frame<'_>, body: Rect, picture: &Picture<'_>, place: usize, market: &MarketState) {
    let markets = &picture.state.markets;
    let (left, mut panels) = columns(body, markets.len());
    let further = panels.split_off(1);
    let has_history = draw_panels(frame, panels[0], further.first().copied(), picture, market);
    let listed = if picture.is_several() { 2 + markets.len() } else { 0 };
    // The books keep half of the height, however many symbols there are.
    let listed = u16::try_from(listed).unwrap_or(u16::MAX).min(left.height / 2);
    // The past comes below the books where nothing else has room for it and they have more than they need.
    let rows = markets.iter().map(|market| market.bids.len().max(market.asks.len())).max().unwrap_or(0);
    let needed = u16::try_from(3 + 2 * rows).unwrap_or(u16::MAX);
    let spare = left.height.saturating_sub(listed).saturating_sub(needed);
    let least = history_rows_min(picture.state.latency.len());
    let past = if has_history || picture.state.latency.is_empty() || spare < least { 0 } else { spare };
    let [ladders, list, history] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(listed), Constraint::Length(past)]).areas(left);
    draw_ladders(frame, ladders, markets, place);
    if listed > 0 {
        draw_symbols(frame, list, markets, place);
    }
    if past > 0 {
        draw_history(frame, history, &picture.state.latency);
    }
}

/// Where the books are, and the columns beside them, one or two.
fn columns(body: Rect, markets: usize) -> (Rect, Vec<Rect>) {
    if body.width < WIDTH_WIDE {
        let [left, right] = Layout::horizontal([Constraint::Fill(12), Constraint::Fill(13)]).spacing(1).areas(body);
        return (left, vec![right]);
    }
    let wanted = u16::try_from(markets.clamp(1, LADDERS_FIRST)).unwrap_or(1) * (LADDER_WIDTH_MIN + 1);
    let panels = if body.width >= wanted + 2 * (PANEL_WIDTH + 1) { 2 } else { 1 };
    let mut widths = vec![Constraint::Fill(1)];
    widths.resize(1 + panels, Constraint::Length(PANEL_WIDTH));
    let areas = Layout::horizontal(widths).spacing(1).split(body);
    (areas[0], areas[1..].to_vec())
}

/// Draws what stands beside the books: what is there now, and in a further column or in the rows that are left what was.
/// Whether the past had room.
fn draw_panels(
    frame: &mut Frame<'_>,
    area: Rect,
    further: Option<Rect>,
    picture: &Picture<'_>,
    market: &MarketState,
) -> bool {
    let (state, several) = (picture.state, picture.is_several());
    let rows = |content: usize| u16::try_from(1 + content).unwrap_or(u16::MAX);
    let (account_rows, latency_rows) = (rows(2), rows(1 + state.latency.len()));
    let counter_rows = rows(all_counters(state).len().div_ceil(counter_columns(state, area.width)));
    if let Some(further) = further {
        let [latency, counters, history] =
            Layout::vertical([Constraint::Length(latency_rows), Constraint::Length(counter_rows), Constraint::Min(0)])
                .areas(further);
        let [account, orders] = Layout::vertical([Constraint::Length(account_rows), Constraint::Min(0)]).areas(area);
        draw_account(frame, account, market, several);
        draw_orders(frame, orders, market, several);
        draw_latency(frame, latency, &state.latency);
        draw_counters(frame, counters, state);
        draw_history(frame, history, &state.latency);
        return true;
    }
    let fixed = account_rows + latency_rows;
    // Orders before counters: an order that is open is worth more than how many there were.
    let order_rows = rows(1 + market.orders.len()).min(area.height.saturating_sub(fixed + rows(1)));
    let counter_rows = counter_rows.min(area.height.saturating_sub(fixed + order_rows));
    let spare = area.height.saturating_sub(fixed + order_rows + counter_rows);
    let past = if !state.latency.is_empty() && spare >= history_rows_min(state.latency.len()) { spare } else { 0 };
    let [orders, account, latency, history, counters] = Layout::vertical([
        Constraint::Min(0),
        Constraint::Length(account_rows),
        Constraint::Length(latency_rows),
        Constraint::Length(past),
        Constraint::Length(counter_rows),
    ])
    .areas(area);
    draw_orders(frame, orders, market, several);
    draw_account(frame, account, market, several);
    draw_latency(frame, latency, &state.latency);
    if past > 0 {
        draw_history(frame, history, &state.latency);
    }
    draw_counters(frame, counters, state);
    past > 0
}

/// What a terminal that is too small shows: that it is, and what must not be missed.
fn draw_too_small(frame: &mut Frame<'_>, area: Rect, market: &MarketState) {
    let lines = [
        format!("{}x{} is too small: {}x{} is needed", area.width, area.height, SIZE_MIN.0, SIZE_MIN.1),
        format!("{} book {}, trading {}{}", market.name, market.book_state, market.trading_state, not_quoting(market)),
        format!("position {} {}, our orders {}", market.position, market.base_asset, market.orders.len()),
        format!("profit {} {}", market.pnl_quote, market.quote_asset),
        "Ctrl-C ends the run in order".to_owned(),
    ];
    let lines: Vec<Line<'_>> = lines.into_iter().map(Line::raw).collect();
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), area);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, state: &ScreenState, market: &MarketState) {
    let good = |good: bool| Style::new().fg(if good { Color::Green } else { Color::Yellow });
    let more = match state.markets.len() {
        0 | 1 => String::new(),
        count => format!(" +{}", count - 1),
    };
    // Where the row is short, what the state is counts for more than which run it is.
    let run = if area.width < HEAD_WIDTH { String::new() } else { format!("{} {} ", state.mode, state.venue) };
    let line = Line::from(vec![
        Span::styled(" spinbook ", Style::new().add_modifier(Modifier::REVERSED)),
        Span::raw(format!(" {run}{}{more}  ", market.name)),
        Span::styled(format!("book {}", market.book_state), good(market.book_state == "live")),
        Span::raw("  "),
        Span::styled(format!("trading {}", market.trading_state), good(market.trading_state == "active")),
        Span::styled(not_quoting(market), good(false)),
    ]);
    let time = match state.planned {
        Some(span) => format!("{:.0} of {} s ", state.elapsed_seconds, span.as_secs_f64()),
        None => format!("{:.0} s ", state.elapsed_seconds),
    };
    let width = u16::try_from(time.len()).unwrap_or(0).min(area.width);
    frame.render_widget(Paragraph::new(line), Rect { width: area.width.saturating_sub(width + 1), ..area });
    let corner = Rect { x: area.right() - width, width, ..area };
    frame.render_widget(Paragraph::new(time), corner);
}

/// Why the symbol is not quoted, where it is not.
fn not_quoting(market: &MarketState) -> String {
    if market.not_quoting.is_empty() { String::new() } else { format!("   not quoting: {}", market.not_quoting) }
}

fn draw_messages(frame: &mut Frame<'_>, area: Rect, picture: &Picture<'_>) {
    let messages = picture.messages;
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
    let title = match (picture.has_keys, picture.is_several()) {
        (false, _) => " what happened (Ctrl-C ends the run in order) ",
        (true, false) => " what happened (q ends in order, p pauses, ? help) ",
        (true, true) => " what happened (q ends in order, p pauses, Tab symbol, ? help) ",
    };
    frame.render_widget(Paragraph::new(lines).block(section(title)), area);
}

/// The keys, and what the latencies mean.
fn draw_help(frame: &mut Frame<'_>, area: Rect, picture: &Picture<'_>) {
    let keys = LIST.iter().map(|(keys, does)| Line::raw(format!(" {keys:<9} {does}")));
    let meanings = picture
        .state
        .latency
        .iter()
        .flat_map(|latency| [Line::raw(""), Line::raw(format!(" {}: {}", short_name(latency), latency.meaning))]);
    let lines: Vec<Line<'_>> = keys.chain(meanings).collect();
    let width = area.width.min(SIZE_MIN.0);
    let height = area.height.min(SIZE_MIN.1 - 2);
    let middle = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    frame.render_widget(Clear, middle);
    let block = Block::new().borders(Borders::ALL).title(" keys ".bold());
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), middle);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::ui::LadderRow;
    use crate::ui::panels::short_nanos;
    use crate::ui::tests::{full_state, market};

    fn picture(width: u16, height: u16, state: &ScreenState) -> String {
        picture_of(width, height, state, ScreenView::default())
    }

    fn picture_of(width: u16, height: u16, state: &ScreenState, view: ScreenView) -> String {
        let messages = ["gateway ready".to_owned(), "WARN a connection ended".to_owned()];
        let whole = Picture { state, messages: &messages, view, has_keys: true };
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test terminal");
        terminal.draw(|frame| draw(frame, &whole)).expect("drawn");
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
            ("resyncs 2", "quotes 88"),
            ("sent 41 acked 40", "hot allocs 0"),
            ("filled 7 canceled 30", "expired 0"),
            ("rejected 1", "unknown 1"),
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
    }

    #[test]
    fn several_symbols_are_listed_below_the_book_of_the_first() {
        let mut state = full_state();
        assert!(!picture(110, 34, &state).contains("symbols:"));
        for name in ["binance-usdm:BTCUSDT", "binance-spot:BTCUSDT", "binance-spot:ETHUSDT"] {
            state.markets.push(market(name, "live"));
        }
        let picture = picture(120, 34, &state);
        assert!(line(&picture, "spinbook").contains("BTCUSDT +3"), "{picture}");
        line(&picture, "symbols: 4");
        for name in ["binance-usdm:BTCUSDT", "binance-spot:BTCUSDT", "binance-spot:ETHUSDT"] {
            let row = picture.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{picture}"));
            assert!(row.contains("64000.1") && row.contains("0.003"), "{picture}");
        }
    }

    #[test]
    fn wide_terminals_show_several_books_side_by_side_with_the_selected_one_among_them() {
        let mut state = full_state();
        for name in ["ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT"] {
            state.markets.push(market(name, "live"));
        }
        for (width, height, books) in [(60, 20, 1), (80, 24, 1), (120, 40, 2), (160, 50, 3), (200, 60, 4), (300, 80, 5)]
        {
            for selected in 0..5 {
                let picture = picture_of(width, height, &state, ScreenView { selected, help: false });
                assert_eq!(picture.matches(" book of ").count(), books, "{width}x{height}:\n{picture}");
                let name = &state.markets[selected].name;
                line(&picture, &format!("book of {name}"));
                line(&picture, &format!("our orders of {name}: 2"));
                line(&picture, &format!("account in {name}"));
                // Every one of them has a bar at its largest level, and a shorter one below it.
                let bars = |quantity: &str| {
                    let row = line(&picture, quantity);
                    row.matches('█').count()
                };
                assert!(width < 120 || bars(" 2.000 ") > bars(" 0.500 "), "{picture}");
            }
        }
    }

    #[test]
    fn latencies_are_shown_second_by_second_where_there_is_room() {
        for (width, height) in [(80, 40), (120, 40), (160, 40), (200, 60)] {
            let picture = picture(width, height, &full_state());
            line(&picture, "latency, second by second");
            assert!(line(&picture, "decode→order p50").contains("430 ns"), "{picture}");
            assert!(line(&picture, "decode→order p99").contains("5.0 us"), "{picture}");
            line(&picture, "wire→wire p99");
        }
        // Not instead of the book.
        let mut deep = full_state();
        deep.markets[0].bids = vec![deep.markets[0].bids[0].clone(); 10];
        assert!(!picture(60, 20, &deep).contains("second by second"));
    }

    #[test]
    fn help_lists_every_key_and_what_the_latencies_mean_on_the_smallest_terminal() {
        for (width, height) in [(60, 20), (80, 24), (200, 60)] {
            let picture = picture_of(width, height, &full_state(), ScreenView { selected: 0, help: true });
            for (keys, does) in LIST {
                line(&picture, &format!("{keys:<9} {does}"));
            }
            let inside: String = picture.lines().filter_map(|line| line.split('│').nth(1)).collect();
            let text = inside.replace(|letter: char| !letter.is_ascii_alphabetic(), "");
            for latency in &full_state().latency {
                let meaning = latency.meaning.replace(|letter: char| !letter.is_ascii_alphabetic(), "");
                assert!(text.contains(&meaning), "{picture}");
            }
        }
    }

    #[test]
    fn a_pause_is_in_the_first_line_and_keys_are_named_only_where_there_are_any() {
        let mut state = full_state();
        state.markets[0].trading_state = "paused".to_owned();
        for (width, height) in [(60, 20), (80, 24), (200, 60)] {
            assert!(line(&picture(width, height, &state), "spinbook").contains("trading paused"));
        }
        line(&picture(80, 24, &state), "q ends in order, p pauses, ? help");
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a test terminal");
        let whole = Picture { state: &state, messages: &[], view: ScreenView::default(), has_keys: false };
        terminal.draw(|frame| draw(frame, &whole)).expect("drawn");
        let text: String = terminal.backend().buffer().content().iter().map(|cell| cell.symbol()).collect();
        assert!(text.contains("(Ctrl-C ends the run in order)") && !text.contains("? help"), "{text}");
    }

    /// Every number of a state as it is shown, by itself.
    fn numbers(state: &ScreenState) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        texts.push(format!("{:.0}", state.elapsed_seconds));
        texts.extend(state.planned.map(|span| span.as_secs_f64().to_string()));
        for market in &state.markets {
            texts.extend([market.position.clone(), market.pnl_quote.clone(), market.fees_quote.clone()]);
            texts.extend([market.fills.to_string(), market.orders.len().to_string()]);
            for row in market.bids.iter().chain(&market.asks) {
                texts.extend([row.price.clone(), row.quantity.clone()].into_iter().chain(row.own.clone()));
            }
            texts.extend(market.last_trade.iter().flat_map(|trade| [trade.price.clone(), trade.quantity.clone()]));
            for order in &market.orders {
                texts.extend([order.price.clone(), order.quantity.clone(), order.filled.clone()]);
            }
        }
        for latency in &state.latency {
            let past = latency.history.iter().flatten().flatten().map(|figure| short_nanos(*figure));
            let shown = latency.whole.figures().into_iter().flatten().map(short_nanos).chain(past);
            texts.extend(shown.map(|text| text.split(' ').next().unwrap_or_default().to_owned()));
        }
        texts.extend(all_counters(state).iter().map(|(_, value)| value.to_string()));
        texts.push(state.markets.len().to_string());
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
        long.markets[0].bids =
            vec![row("0.000012345678", "1234567890.12", Some("987654.321")), row("64012.15", "0.00395000", None)];
        long.markets[0].asks = vec![row("0.000012345679", "2234567890.12", None)];
        long.markets[0].orders[0].price = "0.000012345678".to_owned();
        long.markets[0].orders[0].quantity = "987654.321".to_owned();
        long.markets[0].position = "-1234567.00395".to_owned();
        long.markets[0].pnl_quote = "-12345678.1234".to_owned();
        long.counters[0].1 = 123_456_789_012;
        long.markets.push(market("binance-spot:1000SATSUSDT", "live"));
        for state in [full_state(), long] {
            let known = numbers(&state);
            for (width, height) in
                (60..300).step_by(7).flat_map(|width| [20, 22, 24, 30, 44, 70].map(|height| (width, height)))
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
                for order in &state.markets[0].orders {
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
