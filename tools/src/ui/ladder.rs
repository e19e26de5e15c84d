//! COLD: books as ladders, as many side by side as have room, and every symbol in a row below.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Row, Table};

use super::columns::{Column, Grid, cut, dim, section, widths};
use super::{LadderRow, LastTrade, MarketState};

/// Cells of a ladder that stands beside others: three columns and a short bar.
pub(super) const LADDER_WIDTH_MIN: u16 = 36;
/// Eighths of a character cell, for bars.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Which symbols' ladders are shown where so many have room: a page of them with the selected one on it.
pub(super) fn page(count: usize, selected: usize, room: usize) -> std::ops::Range<usize> {
    let room = room.clamp(1, count.max(1));
    let selected = selected.min(count.saturating_sub(1));
    let first = (selected / room * room).min(count.saturating_sub(room));
    first..(first + room).min(count)
}

/// Draws the ladders that have room, side by side.
pub(super) fn draw_ladders(frame: &mut Frame<'_>, area: Rect, markets: &[MarketState], selected: usize) {
    let room = usize::from((area.width + 1) / (LADDER_WIDTH_MIN + 1));
    let shown = page(markets.len(), selected, room);
    let columns = Layout::horizontal(vec![Constraint::Fill(1); shown.len()]).spacing(1).split(area);
    let alone = shown.len() <= 1;
    for (column, place) in columns.iter().zip(shown) {
        draw_ladder(frame, *column, &markets[place], alone || place == selected);
    }
}

/// The best rows that have room; our own farther out take the places of the last ones.
fn visible(rows: &[LadderRow], room: usize) -> Vec<&LadderRow> {
    let own_beyond: Vec<&LadderRow> = rows.iter().skip(room).filter(|row| row.own.is_some()).collect();
    let near = room.saturating_sub(own_beyond.len());
    rows.iter().take(near).chain(own_beyond).take(room).collect()
}

fn right(text: impl Into<String>) -> Cell<'static> {
    Cell::from(Line::raw(text.into()).alignment(Alignment::Right))
}

fn draw_ladder(frame: &mut Frame<'_>, area: Rect, market: &MarketState, in_front: bool) {
    // A title, a head, and the line between the sides.
    let room = usize::from(area.height.saturating_sub(3));
    let bids_room = room / 2;
    let asks = visible(&market.asks, room - bids_room);
    let bids = visible(&market.bids, bids_room);
    let texts: Vec<[String; 3]> =
        asks.iter().chain(&bids).map(|row| ladder_texts(row)).chain([trade_texts(market)]).collect();
    let columns = [10, 10, 10].map(|least| Column { width_least: least, may_go: false });
    let [ours, price, quantity] = widths(&columns, &texts, usize::from(area.width).saturating_sub(3), 0);
    let bar_cells = usize::from(area.width).saturating_sub(ours + price + quantity + 3);
    // The longest bar is that of the largest quantity on the screen.
    let largest = asks.iter().chain(&bids).map(|row| row.share_permille).max().unwrap_or(0).max(1);
    let blank = (room - bids_room).saturating_sub(asks.len());
    let [verb, at, of] = trade_texts(market);
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
    let state = if market.book_state == "live" { String::new() } else { format!("({}) ", market.book_state) };
    let title = format!(" book of {} {state}", market.name);
    let block = if in_front { section(&title) } else { section(&title).title_style(dim()) };
    frame.render_widget(Table::new(rows, widths).header(head).block(block), area);
}

/// Every symbol in a row: where we are, what we hold.
pub(super) fn draw_symbols(frame: &mut Frame<'_>, area: Rect, markets: &[MarketState], selected: usize) {
    let rows = markets.iter().enumerate().map(|(place, market)| {
        let color = if market.book_state == "live" { Color::Reset } else { Color::Yellow };
        let style = if place == selected { Style::new().fg(color).bold() } else { Style::new().fg(color) };
        let own = ["bid", "ask"].map(|side| market.own(side).to_owned());
        let [bid, ask] = own;
        ([market.name.clone(), bid, ask, market.position.clone(), market.fills.to_string()], style)
    });
    let grid = Grid { head: ["", "our bid", "our ask", "position", "fills"], left: [0].as_slice(), may_go: &[4] };
    let title = format!(" symbols: {} ", markets.len());
    // Where not all have a row the selected one has.
    let room = usize::from(area.height.saturating_sub(2));
    let shown = page(markets.len(), selected, room);
    let rows: Vec<_> = rows.skip(shown.start).take(shown.len()).collect();
    frame.render_widget(grid.table(rows, area.width).block(section(&title)), area);
}

fn ladder_texts(row: &LadderRow) -> [String; 3] {
    let own = row.own.as_ref().map(|own| format!("{own} ►")).unwrap_or_default();
    [own, row.price.clone(), row.quantity.clone()]
}

fn trade_texts(market: &MarketState) -> [String; 3] {
    let texts = |trade: &LastTrade| [trade.verb.to_owned(), trade.price.clone(), trade.quantity.clone()];
    market.last_trade.as_ref().map(texts).unwrap_or_default()
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
pub(super) fn bar(share_permille: u16, largest: u16, cells: usize) -> String {
    let eighths = usize::from(share_permille.min(largest)) * cells * 8 / usize::from(largest);
    // What is there is seen, however little it is.
    let eighths = if share_permille > 0 && cells > 0 { eighths.max(1) } else { eighths };
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_bar_never_shrinks_with_the_quantity_and_fills_its_cells_at_the_largest() {
        assert_eq!(
            (bar(800, 800, 4), bar(400, 800, 4), bar(1, 800, 4), bar(0, 800, 4)),
            ("████".into(), "██".into(), "▏".into(), "".into())
        );
        let eighths = |text: &str| -> usize {
            text.chars()
                .map(|cell| {
                    if cell == '█' { 8 } else { EIGHTHS.iter().position(|part| part.starts_with(cell)).unwrap_or(0) }
                })
                .sum()
        };
        for cells in [0, 1, 3, 40, 150] {
            let drawn: Vec<usize> = (0..=1000).map(|share| eighths(&bar(share, 1000, cells))).collect();
            assert!(drawn.is_sorted() && drawn[0] == 0 && drawn[1000] == cells * 8, "{cells}: {drawn:?}");
            assert!(cells == 0 || drawn[1] > 0, "what is there is seen");
        }
    }

    #[test]
    fn the_selected_symbol_is_on_the_page_and_pages_are_full() {
        for count in 1..9 {
            for room in 0..10 {
                for selected in 0..count {
                    let shown = page(count, selected, room);
                    assert!(shown.contains(&selected), "{selected} of {count} in {room}: {shown:?}");
                    assert_eq!(shown.len(), room.clamp(1, count));
                }
            }
        }
        assert_eq!(page(0, 0, 3), 0..0);
    }
}
