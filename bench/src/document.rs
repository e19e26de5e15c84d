//! COLD: a report as data: headings, sentences, tables and plots, and the one writer of each form.

use crate::text::format_figure;

/// Rows under a head; every row has a cell a column, or none at all: then it separates.
#[derive(Clone, Debug, Default)]
pub struct ReportTable {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl ReportTable {
    /// With these columns.
    pub fn new<T: Into<String>>(head: impl IntoIterator<Item = T>) -> ReportTable {
        ReportTable { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Appends a row.
    ///
    /// # Panics
    /// If it has neither a cell a column nor none.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let row: Vec<String> = cells.into_iter().map(Into::into).collect();
        assert!(row.is_empty() || row.len() == self.head.len(), "{row:?} under {:?}", self.head);
        self.rows.push(row);
    }

    /// Appends a row of a name and figures.
    pub fn figures(&mut self, name: &str, figures: impl IntoIterator<Item = f64>) {
        self.row(core::iter::once(name.to_owned()).chain(figures.into_iter().map(format_figure)));
    }

    /// For GitHub.
    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let ruler = format!("|{}\n", "---|".repeat(self.head.len()));
        let rows = self.rows.iter().filter(|row| !row.is_empty()).map(|row| line(row));
        format!("{}{ruler}{}", line(&self.head), rows.collect::<String>())
    }

    /// For a terminal: columns under each other, numbers to the right.
    fn terminal(&self) -> String {
        let columns = self.head.len();
        let cells = |column: usize| self.rows.iter().filter_map(move |row| row.get(column));
        let width = |column: usize| cells(column).chain([&self.head[column]]).map(|cell| cell.chars().count()).max();
        let is_number = |cell: &String| cell.starts_with(|first: char| first.is_ascii_digit() || first == '-');
        let to_the_right = |column: usize| column > 0 && cells(column).all(|cell| cell.is_empty() || is_number(cell));
        let form: Vec<(usize, bool)> =
            (0..columns).map(|column| (width(column).unwrap_or(0), to_the_right(column))).collect();
        let line = |row: &Vec<String>| {
            let cell = |(cell, &(width, right)): (&String, &(usize, bool))| {
                if right { format!("{cell:>width$}") } else { format!("{cell:width$}") }
            };
            let cells: Vec<String> = row.iter().zip(&form).map(cell).collect();
            format!("{}\n", cells.join("  ").trim_end())
        };
        core::iter::once(&self.head).chain(&self.rows).map(line).collect()
    }
}

#[derive(Clone, Debug)]
enum Block {
    /// With its rank.
    Heading(usize, String),
    Text(String),
    Table(ReportTable),
    /// What it shows, and its path from the report.
    Plot(String, String),
}

/// Everything that a report says, in order.
#[derive(Clone, Debug, Default)]
pub struct Document(Vec<Block>);

impl Document {
    /// Appends a heading; rank 1 is the title's.
    pub fn heading(&mut self, rank: usize, text: impl Into<String>) {
        self.0.push(Block::Heading(rank, text.into()));
    }

    /// Appends a paragraph, in Markdown's inline form.
    pub fn text(&mut self, text: impl Into<String>) {
        self.0.push(Block::Text(text.into()));
    }

    /// Appends a table.
    pub fn table(&mut self, table: ReportTable) {
        self.0.push(Block::Table(table));
    }

    /// Appends a plot: what it shows, and its path from the report.
    pub fn plot(&mut self, shows: impl Into<String>, path: impl Into<String>) {
        self.0.push(Block::Plot(shows.into(), path.into()));
    }

    /// As Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let block = |block: &Block| match block {
            Block::Heading(rank, text) => format!("{} {text}\n", "#".repeat(*rank)),
            Block::Text(text) => format!("{text}\n"),
            Block::Table(table) => table.markdown(),
            Block::Plot(shows, path) => format!("![{shows}]({path})\n"),
        };
        self.0.iter().map(block).collect::<Vec<String>>().join("\n")
    }

    /// For a terminal; plots are left out.
    #[must_use]
    pub fn terminal(&self) -> String {
        let block = |block: &Block| match block {
            Block::Heading(_, text) | Block::Text(text) => Some(format!("{text}\n")),
            Block::Table(table) => Some(table.terminal()),
            Block::Plot(..) => None,
        };
        self.0.iter().filter_map(block).collect::<Vec<String>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, ReportTable};

    #[test]
    fn one_document_is_markdown_and_terminal_text() {
        let mut table = ReportTable::new(["who", "ns", "note"]);
        table.figures("a long name", [1_234.0, 2.5]);
        table.row(Vec::<String>::new());
        table.row(["b", "-", ""]);
        let mut document = Document::default();
        document.heading(2, "Head");
        document.table(table);
        document.plot("curves", "a.svg");
        let rows = "| who | ns | note |\n|---|---|---|\n| a long name | 1,234 | 2.50 |\n| b | - |  |\n";
        assert_eq!(document.markdown(), format!("## Head\n\n{rows}\n![curves](a.svg)\n"));
        let rows = "who             ns  note\na long name  1,234  2.50\n\nb                -\n";
        assert_eq!(document.terminal(), format!("Head\n\n{rows}"));
    }
}
