//! COLD: columns that hold what they show: a number that has no room is cut at its end, never at its first digits.

use ratatui::layout::{Alignment, Constraint};
use ratatui::style::{Modifier, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Cell, Row, Table};

/// The least width to which a column is cut.
const WIDTH_LEAST: usize = 4;

/// A part of the picture under its title.
pub(super) fn section(title: &str) -> Block<'_> {
    Block::new().borders(Borders::TOP).border_style(Style::new().dark_gray()).title(title.bold())
}

/// What names something else.
pub(super) fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

/// What is known of a column before its texts are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// Cells that it has where there is room.
    pub(super) width_least: usize,
    /// Whether it is left out before anything is cut.
    pub(super) may_go: bool,
}

/// The width of each column, so that all texts show whole if they can; 0: it is left out. Where there is not room enough
/// even so, the widest are cut.
pub(super) fn widths<const N: usize>(
    columns: &[Column; N],
    rows: &[[String; N]],
    room: usize,
    spacing: usize,
) -> [usize; N] {
    let longest = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let mut widths: [usize; N] = std::array::from_fn(longest);
    let taken = |widths: &[usize; N]| {
        let there = widths.iter().filter(|width| **width > 0).count();
        widths.iter().sum::<usize>() + spacing * there.saturating_sub(1)
    };
    for at in (0..N).filter(|at| columns[*at].may_go) {
        if taken(&widths) > room {
            widths[at] = 0;
        }
    }
    while taken(&widths) > room {
        let Some(widest) = widths.iter_mut().max().filter(|width| **width > WIDTH_LEAST) else { break };
        *widest -= 1;
    }
    // What is left goes to those that are narrower than they would be.
    for at in 0..N {
        let wanted = columns[at].width_least.saturating_sub(widths[at]);
        widths[at] += wanted.min(room.saturating_sub(taken(&widths)));
    }
    widths
}

/// A text in so many cells: its end is cut, and that is shown.
pub(super) fn cut(text: &str, cells: usize) -> String {
    if text.chars().count() <= cells {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(cells.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// A table of texts that uses the whole width.
pub(super) struct Grid<'a, const N: usize> {
    /// Heads of the columns.
    pub(super) head: [&'static str; N],
    /// Columns that begin at their left; the others end at their right.
    pub(super) left: &'a [usize],
    /// Columns that are left out before anything is cut, from left to right.
    pub(super) may_go: &'a [usize],
}

impl<const N: usize> Grid<'_, N> {
    /// As a table of this width.
    pub(super) fn table(&self, rows: Vec<([String; N], Style)>, width: u16) -> Table<'static> {
        let columns: [Column; N] =
            std::array::from_fn(|at| Column { width_least: 0, may_go: self.may_go.contains(&at) });
        let texts: Vec<[String; N]> =
            rows.iter().map(|(texts, _)| texts.clone()).chain([self.head.map(str::to_owned)]).collect();
        let room = usize::from(width);
        let mut widths = widths(&columns, &texts, room, 1);
        let there: Vec<usize> = (0..N).filter(|at| widths[*at] > 0).collect();
        let taken = widths.iter().sum::<usize>() + there.len().saturating_sub(1);
        let spare = room.saturating_sub(taken) / there.len().max(1);
        there.iter().for_each(|at| widths[*at] += spare);
        let line = |texts: &[String; N]| {
            let cell = |at: &usize| {
                let side = if self.left.contains(at) { Alignment::Left } else { Alignment::Right };
                Cell::from(Line::raw(cut(&texts[*at], widths[*at])).alignment(side))
            };
            Row::new(there.iter().map(cell).collect::<Vec<_>>())
        };
        let head = line(&self.head.map(str::to_owned)).style(Style::new().add_modifier(Modifier::DIM));
        let lines: Vec<Row<'static>> = rows.iter().map(|(texts, style)| line(texts).style(*style)).collect();
        let length = |at: &usize| Constraint::Length(u16::try_from(widths[*at]).unwrap_or(u16::MAX));
        Table::new(lines, there.iter().map(length).collect::<Vec<_>>()).header(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_cut_at_its_end() {
        assert_eq!(
            (cut("64000.10", 8), cut("64000.10", 6), cut("64000.10", 1)),
            ("64000.10".into(), "64000…".into(), "…".into())
        );
    }

    #[test]
    fn columns_go_before_numbers_are_cut() {
        let column = |may_go| Column { width_least: 0, may_go };
        let rows = [["123456".to_owned(), "1234".to_owned(), "12345678".to_owned()]];
        let columns = [column(false), column(true), column(false)];
        assert_eq!(widths(&columns, &rows, 30, 1), [6, 4, 8]);
        assert_eq!(widths(&columns, &rows, 19, 1), [6, 0, 8]);
        assert_eq!(widths(&columns, &rows, 13, 1), [6, 0, 6]);
    }
}
