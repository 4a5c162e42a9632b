//! The columns of tables. A row of RTF says where its cells end, and nothing of the columns that they cover.

use std::ops::Range;

use super::tokens::Token;

/// Most columns of a table.
const MAX_COLUMNS: usize = 200;
/// Most rows of all tables whose columns are known.
const MAX_ROWS: usize = 200_000;
/// Most columns of all tables together.
const MAX_EDGES: usize = 1_000_000;
/// Ends of cells are one if they are nearer to each other than this: a fiftieth of an inch.
const NEAR: i32 = 30;

/// Where the columns of all tables end.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// The ends of one table after those of the other, each table's in order.
    edges: Vec<i32>,
    /// Where in `edges` each table's are.
    tables: Vec<Range<usize>>,
    /// The tables of all rows, by the order in which the rows are described.
    rows: Vec<usize>,
    /// Descriptions of rows so far.
    seen: usize,
}

impl Columns {
    pub(super) fn of<'b>(tokens: impl Iterator<Item = Token<'b>>) -> Self {
        let mut columns = Self::default();
        let mut table: Vec<i32> = Vec::new();
        let (mut in_table, mut is_nested) = (false, false);
        for token in tokens {
            match token {
                Token::Word("nesttableprops", _) => is_nested = true,
                Token::Close => is_nested = false,
                Token::Word("trowd", _) if columns.rows.len() < MAX_ROWS => columns.rows.push(columns.tables.len()),
                Token::Word("cellx", edge) if !is_nested && table.len() < 100 * MAX_COLUMNS => {
                    table.push(edge.unwrap_or(0));
                }
                Token::Word("pard", _) => in_table = false,
                Token::Word("intbl", _) => in_table = true,
                // A paragraph beside tables ends the one before it.
                Token::Word("par", _) if !in_table => columns.end(&mut table),
                _ => {}
            }
        }
        columns.end(&mut table);
        columns
    }

    fn end(&mut self, table: &mut Vec<i32>) {
        if table.is_empty() {
            return;
        }
        table.sort_unstable();
        table.dedup_by(|next, before| next.saturating_sub(*before) < NEAR);
        table.truncate(MAX_COLUMNS.min(MAX_EDGES - self.edges.len()));
        let begin = self.edges.len();
        self.edges.append(table);
        self.tables.push(begin..self.edges.len());
    }

    /// Goes on to the next description of a row.
    pub(super) fn next_row(&mut self) {
        self.seen += 1;
    }

    /// How many columns a cell of the row covers that begins and ends here.
    pub(super) fn count(&self, left: Option<i32>, right: i32) -> usize {
        let table =
            self.seen.checked_sub(1).and_then(|row| self.rows.get(row)).and_then(|table| self.tables.get(*table));
        let edges = table.and_then(|table| self.edges.get(table.clone())).unwrap_or_default();
        edges.iter().filter(|edge| left.is_none_or(|left| **edge > left) && **edge <= right).count().max(1)
    }
}
