//! A table that is being written.
//!
//! The first row is the header, because Markdown knows no table without one. A merged cell has its text in its first
//! place, and the other places are empty. A table inside of a cell becomes text of that cell.

/// Most columns that one cell covers, and rows that it covers. More is taken for damage.
const MAX_SPAN: usize = 200;
/// Most columns of a table.
pub(super) const MAX_COLUMNS: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Table {
    /// Kept for the parts of a table that is cut.
    header: Option<Vec<String>>,
    rows: Vec<Vec<String>>,
    row: Vec<String>,
    /// Whether a row has begun and has not ended.
    in_row: bool,
    cell: Option<Cell>,
    /// Rows that are still covered by a cell above, by column.
    covered: Vec<usize>,
    /// Characters of all rows that are kept.
    size: usize,
    /// Tables that are open inside of the cell.
    pub(super) inner: usize,
    /// Whether a page ends inside of the row.
    pub(super) page_ends: bool,
}

#[derive(Debug, Default)]
struct Cell {
    text: String,
    columns: usize,
    rows: usize,
}

impl Table {
    pub(super) fn begin_row(&mut self) {
        self.end_row();
        self.in_row = true;
    }

    pub(super) fn begin_cell(&mut self) {
        self.end_cell();
        self.in_row = true;
        self.cell = Some(Cell { text: String::new(), columns: 1, rows: 1 });
    }

    /// How many columns and rows the open cell covers.
    pub(super) fn span(&mut self, columns: usize, rows: usize) {
        if let Some(cell) = &mut self.cell {
            cell.columns = columns.clamp(1, MAX_SPAN);
            cell.rows = rows.clamp(1, MAX_SPAN);
        }
    }

    /// Adds a paragraph to the open cell.
    pub(super) fn push(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.in_row = true;
        let cell = self.cell.get_or_insert_default();
        if !cell.text.is_empty() {
            cell.text.push('\n');
        }
        cell.text.push_str(text);
        self.size += text.chars().count();
    }

    pub(super) fn end_cell(&mut self) {
        let Some(cell) = self.cell.take() else { return };
        self.skip_covered();
        let column = self.row.len();
        if column >= MAX_COLUMNS {
            // Its text is kept in the last column.
            if let Some(last) = self.row.last_mut() {
                last.push(' ');
                last.push_str(&cell.text);
            }
            return;
        }
        self.row.push(cell.text);
        let columns = cell.columns.max(1).min(MAX_COLUMNS - column);
        self.row.resize(column + columns, String::new());
        if cell.rows > 1 {
            self.covered.resize(self.covered.len().max(column + columns), 0);
            self.covered[column..column + columns].fill(cell.rows);
        }
    }

    pub(super) fn end_row(&mut self) {
        self.end_cell();
        // A row that ended already is not one more: it would use up what a cell above it covers.
        if !std::mem::take(&mut self.in_row) {
            return;
        }
        self.skip_covered();
        self.covered.iter_mut().for_each(|rows| *rows = rows.saturating_sub(1));
        let mut row = std::mem::take(&mut self.row);
        while row.last().is_some_and(String::is_empty) {
            row.pop();
        }
        if !row.is_empty() {
            // Borders.
            self.size += 3 * row.len() + 2;
            self.rows.push(row);
        }
    }

    /// Characters of all rows that are kept.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The rows so far as Markdown, or nothing. What follows is a table of its own with the same header.
    pub(super) fn take(&mut self) -> Option<String> {
        self.size = 0;
        let mut rows = std::mem::take(&mut self.rows).into_iter();
        let header = match &self.header {
            Some(header) => header.clone(),
            None => rows.next()?,
        };
        let rows: Vec<Vec<String>> = rows.collect();
        if rows.is_empty() && (self.header.is_some() || header.len() == 1) {
            // A table of one cell is a frame around a text.
            let alone = self.header.is_none().then(|| header.concat());
            self.header.get_or_insert(header);
            return alone;
        }
        let text = render(&header, &rows);
        self.header.get_or_insert(header);
        Some(text)
    }

    fn skip_covered(&mut self) {
        while self.row.len() < MAX_COLUMNS && self.covered.get(self.row.len()).is_some_and(|rows| *rows > 0) {
            self.row.push(String::new());
        }
    }
}

/// Rows as a Markdown table. Rows are not filled up: Markdown fills them, and a hostile file could make much of little.
pub(crate) fn render(header: &[String], rows: &[Vec<String>]) -> String {
    let width = rows.iter().map(Vec::len).max().unwrap_or(0).max(header.len());
    let mut out = String::new();
    render_row(header, width, &mut out);
    out.push_str("\n|");
    out.push_str(&" --- |".repeat(width));
    for row in rows {
        out.push('\n');
        render_row(row, row.len(), &mut out);
    }
    out
}

fn render_row(cells: &[String], width: usize, out: &mut String) {
    out.push('|');
    for cell in cells {
        out.push(' ');
        escape_cell(cell, out);
        out.push_str(" |");
    }
    out.push_str(&"  |".repeat(width - cells.len()));
}

/// A cell is one line, and `|` in it is no border.
fn escape_cell(cell: &str, out: &mut String) {
    for c in cell.trim().chars() {
        match c {
            '|' => out.push_str("\\|"),
            '\n' => out.push_str("<br>"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(table: &mut Table, text: &str, columns: usize, rows: usize) {
        table.begin_cell();
        table.span(columns, rows);
        table.push(text);
    }

    #[test]
    fn merged_cells_leave_their_other_places_empty() {
        let mut table = Table::default();
        table.end_row();
        cell(&mut table, "a", 2, 1);
        cell(&mut table, "b|c", 1, 2);
        table.end_row();
        cell(&mut table, "1", 1, 1);
        cell(&mut table, "2", 1, 1);
        table.end_row();
        cell(&mut table, "3", 1, 1);
        table.end_row();
        let expected = "| a |  | b\\|c |\n| --- | --- | --- |\n| 1 | 2 |\n| 3 |";
        assert_eq!(table.take().as_deref(), Some(expected));
    }

    #[test]
    fn a_span_that_nobody_can_show_is_bounded() {
        let mut table = Table::default();
        for _ in 0..1000 {
            table.end_row();
            cell(&mut table, "x", usize::MAX, usize::MAX);
            cell(&mut table, "y", 1, 1);
        }
        table.end_row();
        let text = table.take().expect("there are rows");
        assert!(text.len() < 4 * 1000 * MAX_COLUMNS, "{}", text.len());
    }

    #[test]
    fn a_table_of_one_cell_is_its_text_and_a_cut_one_repeats_its_header() {
        let mut table = Table::default();
        table.end_row();
        cell(&mut table, "alone", 1, 1);
        table.end_row();
        assert_eq!(table.take().as_deref(), Some("alone"));
        let mut table = Table::default();
        for text in ["head", "1"] {
            table.end_row();
            cell(&mut table, text, 1, 1);
        }
        table.end_row();
        assert_eq!(table.take().as_deref(), Some("| head |\n| --- |\n| 1 |"));
        table.end_row();
        cell(&mut table, "2", 1, 1);
        table.end_row();
        assert_eq!(table.take().as_deref(), Some("| head |\n| --- |\n| 2 |"));
        assert_eq!(table.take(), None);
    }
}
