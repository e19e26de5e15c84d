//! COLD: the picture: book ladder, our orders, position, latency and counters.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Row, Table};

use super::{LadderRow, ScreenState};

/// Draws the whole picture.
pub fn draw(frame: &mut Frame<'_>, state: &ScreenState) {
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(8), Constraint::Length(5)]).areas(frame.area());
    let [left, right] = Layout::horizontal([Constraint::Percentage(45), Constraint::Percentage(55)]).areas(body);
    let [orders, account, latency, counters] = Layout::vertical([
        Constraint::Min(4),
        Constraint::Length(3),
        Constraint::Length(2 + u16::try_from(state.latency.len().max(1)).unwrap_or(4)),
        Constraint::Length(2 + u16::try_from(state.counters.len().div_ceil(3).max(1)).unwrap_or(4)),
    ])
    .areas(right);
    draw_head(frame, head, state);
    draw_ladder(frame, left, state);
    draw_orders(frame, orders, state);
    draw_account(frame, account, state);
    draw_latency(frame, latency, state);
    draw_counters(frame, counters, state);
    draw_messages(frame, foot, state);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, state: &ScreenState) {
    let healthy = state.book_state == "live" && state.trading_state == "active";
    let color = if healthy { Color::Green } else { Color::Yellow };
    let line = Line::from(vec![
        Span::styled(" spinbook ", Style::new().add_modifier(Modifier::REVERSED)),
        Span::raw(format!(" {} {} {}  ", state.mode, state.venue, state.symbol)),
        Span::styled(format!("book {}, trading {}", state.book_state, state.trading_state), Style::new().fg(color)),
        Span::raw(format!("  {:.0} s  Ctrl-C ends the run", state.elapsed_seconds)),
    ]);
    frame.render_widget(Paragraph::new(line), area);
}

fn draw_ladder(frame: &mut Frame<'_>, area: Rect, state: &ScreenState) {
    let rows_a_side = usize::from(area.height.saturating_sub(3) / 2);
    let asks = state.asks.iter().take(rows_a_side).collect::<Vec<_>>().into_iter().rev();
    let bids = state.bids.iter().take(rows_a_side);
    let rows = asks
        .map(|row| ladder_row(row, Color::Red))
        .chain(std::iter::once(Row::new(["", "", ""])))
        .chain(bids.map(|row| ladder_row(row, Color::Green)));
    let widths = [Constraint::Percentage(40), Constraint::Percentage(35), Constraint::Percentage(25)];
    let table = Table::new(rows, widths)
        .header(Row::new(["price", "quantity", "ours"]).style(Style::new().add_modifier(Modifier::DIM)))
        .block(Block::bordered().title(" book "));
    frame.render_widget(table, area);
}

fn ladder_row(row: &LadderRow, color: Color) -> Row<'static> {
    let style = if row.own.is_some() { Style::new().fg(color).bold() } else { Style::new().fg(color) };
    Row::new([row.price.clone(), row.quantity.clone(), row.own.clone().unwrap_or_default()]).style(style)
}

fn draw_orders(frame: &mut Frame<'_>, area: Rect, state: &ScreenState) {
    let rows = state.orders.iter().map(|order| {
        let color = if order.side == "bid" { Color::Green } else { Color::Red };
        Row::new([
            order.side.to_owned(),
            order.price.clone(),
            order.quantity.clone(),
            order.filled.clone(),
            order.state.to_owned(),
        ])
        .style(Style::new().fg(color))
    });
    let table = Table::new(rows, [Constraint::Fill(1); 5])
        .header(
            Row::new(["side", "price", "quantity", "filled", "state"]).style(Style::new().add_modifier(Modifier::DIM)),
        )
        .block(Block::bordered().title(" our orders "));
    frame.render_widget(table, area);
}

fn draw_account(frame: &mut Frame<'_>, area: Rect, state: &ScreenState) {
    let text = format!("position {}   profit {}   fees {}", state.position, state.pnl_quote, state.fees_quote);
    frame.render_widget(Paragraph::new(text).block(Block::bordered().title(" account ")), area);
}

fn draw_latency(frame: &mut Frame<'_>, area: Rect, state: &ScreenState) {
    let rows = state.latency.iter().map(|(name, value)| {
        let cells = [value.p50, value.p99, value.p999, value.max].map(|ns| ns.to_string());
        Row::new(std::iter::once((*name).to_owned()).chain(cells))
    });
    let widths = [2, 1, 1, 1, 1].map(Constraint::Fill);
    let table = Table::new(rows, widths).block(Block::bordered().title(" latency ns: p50 p99 p99.9 max "));
    frame.render_widget(table, area);
}

fn draw_counters(frame: &mut Frame<'_>, area: Rect, state: &ScreenState) {
    let cells: Vec<String> = state.counters.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let rows = cells.chunks(3).map(|chunk| Row::new(chunk.to_vec()));
    let table = Table::new(rows, [Constraint::Fill(1); 3]).block(Block::bordered().title(" counters "));
    frame.render_widget(table, area);
}

fn draw_messages(frame: &mut Frame<'_>, area: Rect, state: &ScreenState) {
    let room = usize::from(area.height.saturating_sub(2));
    let from = state.messages.len().saturating_sub(room);
    let lines: Vec<Line<'_>> = state.messages[from..].iter().map(|message| Line::raw(message.as_str())).collect();
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" what happened ")), area);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::ui::tests::full_state;

    fn picture(width: u16, height: u16, state: &ScreenState) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test terminal");
        terminal.draw(|frame| draw(frame, state)).expect("drawn");
        let buffer = terminal.backend().buffer().clone();
        let rows: Vec<String> =
            (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>()).collect();
        rows.join("\n")
    }

    #[test]
    fn the_picture_shows_book_orders_account_and_latency() {
        let picture = picture(110, 30, &full_state());
        for part in
            ["BTCUSDT", "book live", "64000.2", "1.250", "our orders", "open", "0.003", "-0.12", "4000", "12345"]
        {
            assert!(picture.contains(part), "no `{part}` in\n{picture}");
        }
        let ask = picture.find("64000.3").expect("the outer ask is shown");
        let bid = picture.find("64000.0").expect("the outer bid is shown");
        assert!(ask < bid, "asks stand above bids");
    }

    #[test]
    fn any_size_and_an_empty_state_are_drawn() {
        for (width, height) in [(1, 1), (20, 5), (80, 24), (200, 60)] {
            picture(width, height, &ScreenState::default());
            picture(width, height, &full_state());
        }
    }
}
