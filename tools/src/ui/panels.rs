//! COLD: what stands beside the books: our orders, the account, latencies now and over time, counters.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Sparkline, SparklineBar, Table};

use super::columns::{Grid, dim, section};
use super::{LatencyState, MarketState, ScreenState};

/// Counters side by side.
const COUNTER_COLUMNS: usize = 3;
/// Cells before a line of the past: which figure, and what it is now.
const HISTORY_LABEL_WIDTH: u16 = 25;
/// Rows of one line of the past at most.
const HISTORY_ROWS_MAX: u16 = 4;

/// Rows that the past of so many latencies takes at the least, its title included.
pub(super) fn history_rows_min(latencies: usize) -> u16 {
    u16::try_from(1 + 2 * latencies).unwrap_or(u16::MAX)
}

pub(super) fn draw_orders(frame: &mut Frame<'_>, area: Rect, market: &MarketState, several: bool) {
    let rows = market.orders.iter().map(|order| {
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
    let of = if several { format!(" of {}", market.name) } else { String::new() };
    let title = format!(" our orders{of}: {} ", market.orders.len());
    frame.render_widget(grid.table(rows.collect(), area.width).block(section(&title)), area);
}

pub(super) fn draw_account(frame: &mut Frame<'_>, area: Rect, market: &MarketState, several: bool) {
    let losing = market.pnl_quote.starts_with('-');
    let lines = vec![
        Line::from(vec![
            Span::styled("position ", dim()),
            Span::raw(format!("{} {}", market.position, market.base_asset)).bold(),
            Span::styled("   fills ", dim()),
            Span::raw(market.fills.to_string()),
        ]),
        Line::from(vec![
            Span::styled("profit ", dim()),
            Span::styled(
                format!("{} {}", market.pnl_quote, market.quote_asset),
                Style::new().fg(if losing { Color::Red } else { Color::Green }).bold(),
            ),
            Span::styled("   fees ", dim()),
            Span::raw(market.fees_quote.clone()),
        ]),
    ];
    let title = if several { format!(" account in {} ", market.name) } else { " account ".to_owned() };
    frame.render_widget(Paragraph::new(lines).block(section(&title)), area);
}

pub(super) fn draw_latency(frame: &mut Frame<'_>, area: Rect, latency: &[LatencyState]) {
    let rows = latency.iter().map(|latency| {
        let [p50, p99, p999, max] = latency.whole.figures().map(|figure| figure.map_or("-".to_owned(), short_nanos));
        ([short_name(latency), p50, p99, p999, max], Style::new())
    });
    let grid = Grid { head: ["", "p50", "p99", "p99.9", "max"], left: [0].as_slice(), may_go: &[3, 4] };
    frame.render_widget(grid.table(rows.collect(), area.width).block(section(" latency ")), area);
}

/// With an arrow, which is shorter.
pub(super) fn short_name(latency: &LatencyState) -> String {
    latency.name.replace(" to ", "→")
}

/// Each latency's median and 99th percentile second by second, the newest at the right, each on its own scale.
pub(super) fn draw_history(frame: &mut Frame<'_>, area: Rect, latency: &[LatencyState]) {
    frame.render_widget(section(" latency, second by second "), area);
    let area = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let lines: Vec<(&LatencyState, usize)> = latency.iter().flat_map(|latency| [(latency, 0), (latency, 1)]).collect();
    let count = u16::try_from(lines.len()).unwrap_or(u16::MAX).max(1);
    let rows = (area.height / count).min(HISTORY_ROWS_MAX);
    if rows == 0 || area.width <= HISTORY_LABEL_WIDTH {
        return;
    }
    let areas = Layout::vertical(vec![Constraint::Length(rows); lines.len()]).split(area);
    for ((latency, which), area) in lines.into_iter().zip(areas.iter()) {
        let [label, line] =
            Layout::horizontal([Constraint::Length(HISTORY_LABEL_WIDTH), Constraint::Fill(1)]).areas(*area);
        let now = latency.history.last().copied().flatten();
        let now = now.map_or("-".to_owned(), |figures| short_nanos(figures[which]));
        let name = ["p50", "p99"][which];
        let text = format!("{:<16} {now:>7}", format!("{} {name}", short_name(latency)));
        frame.render_widget(Paragraph::new(Line::raw(text).dim()), label);
        let figures: Vec<Option<u64>> =
            latency.history.iter().map(|second| second.map(|figures| figures[which])).collect();
        let bars = history_bars(&figures, usize::from(line.width), usize::from(rows));
        let style = Style::new().fg(if which == 0 { Color::Cyan } else { Color::Blue });
        let bars = bars.into_iter().map(SparklineBar::from).collect::<Vec<_>>();
        frame.render_widget(Sparkline::default().data(bars).max(8 * u64::from(rows)).style(style), line);
    }
}

/// The newest seconds that have room, in eighths of a row: the largest of them fills all rows, and of what was measured
/// an eighth is seen at the least. A second in which nothing was measured has none.
fn history_bars(figures: &[Option<u64>], cells: usize, rows: usize) -> Vec<Option<u64>> {
    let shown = &figures[figures.len().saturating_sub(cells)..];
    let largest = u128::from(shown.iter().flatten().copied().max().unwrap_or(0)).max(1);
    let eighths = |figure: u64| u64::try_from(u128::from(figure) * 8 * rows as u128 / largest).unwrap_or(u64::MAX);
    let blank = std::iter::repeat_n(None, cells.saturating_sub(shown.len()));
    blank.chain(shown.iter().map(|figure| figure.map(|figure| eighths(figure).max(1)))).collect()
}

/// At most six characters: a column of a small terminal.
pub(super) fn short_nanos(ns: u64) -> String {
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

/// What is counted: of the market, then of the orders.
pub(super) fn all_counters(state: &ScreenState) -> Vec<(&'static str, u64)> {
    state.counters.iter().copied().chain(state.counted()).collect()
}

/// How many counters stand side by side: as many as show whole, at most as many as are easily read.
pub(super) fn counter_columns(state: &ScreenState, width: u16) -> usize {
    let longest = all_counters(state).iter().map(|(name, value)| name.len() + 1 + value.to_string().len()).max();
    ((usize::from(width) + 1) / (longest.unwrap_or(0) + 1)).clamp(1, COUNTER_COLUMNS)
}

pub(super) fn draw_counters(frame: &mut Frame<'_>, area: Rect, state: &ScreenState) {
    let alarming = |name: &str| ["gaps", "rejected", "unknown", "stalls", "hot allocs"].contains(&name);
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
    let counters = all_counters(state);
    let mut shown: Vec<&(&'static str, u64)> = counters.iter().collect();
    if shown.len() > room {
        shown.sort_by_key(|(name, value)| !(alarming(name) && *value > 0));
    }
    let cells: Vec<Cell<'_>> = shown.into_iter().map(cell).collect();
    let rows = cells.chunks(columns).map(|chunk| Row::new(chunk.to_vec()));
    let table = Table::new(rows, vec![Constraint::Fill(1); columns]).block(section(" counters "));
    frame.render_widget(table, area);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_shown_to_scale_with_gaps_where_nothing_was_measured() {
        let figures = [Some(1), Some(100), None, Some(50), Some(1_000), Some(u64::MAX)];
        assert_eq!(history_bars(&figures[..5], 5, 1), [Some(1), Some(1), None, Some(1), Some(8)]);
        assert_eq!(history_bars(&figures[..4], 6, 2), [None, None, Some(1), Some(16), None, Some(8)]);
        assert_eq!(history_bars(&figures, 1, 1), [Some(8)], "the newest");
        assert_eq!(history_bars(&[], 2, 1), [None, None]);
        let rising: Vec<Option<u64>> = (1..=200).map(Some).collect();
        assert!(history_bars(&rising, 200, 3).is_sorted());
    }
}
