//! A sheet of rows as pages with tables, for every format that has rows.
//!
//! A page has at most [`ROWS`] rows, and the header is repeated on each. Columns in which a page holds nothing are left
//! out, so that one cell far to the right does not make a wide table.

use std::collections::BTreeSet;

use crate::failure::Stop;
use crate::pages::Pages;
use crate::writer::{PART, escape, render_table};

/// Most rows of a page, with the header.
const ROWS: usize = 200;
/// Most characters of a header that is repeated.
const MAX_HEADER: usize = 4000;

/// The cells of a row that hold something: their columns from 0 on, ascending, and their texts.
pub(crate) type Row = Vec<(u32, String)>;

/// A sheet that is being written.
pub(crate) struct Sheet<'p, 's> {
    pages: &'p mut Pages<'s>,
    name: Option<String>,
    header: Option<Row>,
    rows: Vec<Row>,
    /// Characters of `rows`.
    size: usize,
    /// Rows that no page had so far.
    new: usize,
}

impl<'p, 's> Sheet<'p, 's> {
    pub(crate) fn new(pages: &'p mut Pages<'s>, name: Option<String>) -> Self {
        Self { pages, name, header: None, rows: Vec::new(), size: 0, new: 0 }
    }

    /// Adds a row; one without text is left out.
    pub(crate) fn add(&mut self, mut row: Row) -> Result<(), Stop> {
        row.retain(|(_, text)| !text.trim().is_empty());
        for (_, text) in &mut row {
            let plain = std::mem::take(text);
            escape(&plain, text);
        }
        if row.is_empty() {
            return Ok(());
        }
        let size: usize = row.iter().map(|(_, text)| text.chars().count() + 3).sum();
        if self.rows.len() >= ROWS || (self.size + size > PART && self.new > 0) {
            self.hand_over()?;
        }
        self.size += size;
        self.new += 1;
        if self.header.is_none() {
            self.header = Some(if size <= MAX_HEADER { row.clone() } else { Row::new() });
        }
        self.rows.push(row);
        Ok(())
    }

    /// Hands over what is left.
    pub(crate) fn finish(mut self) -> Result<(), Stop> {
        if self.new == 0 { Ok(()) } else { self.hand_over() }
    }

    fn hand_over(&mut self) -> Result<(), Stop> {
        let rows = std::mem::take(&mut self.rows);
        let columns: BTreeSet<u32> = rows.iter().flatten().map(|(column, _)| *column).collect();
        let columns: Vec<u32> = columns.into_iter().collect();
        let mut dense = rows.into_iter().map(|row| dense(row, &columns));
        let header = dense.next().unwrap_or_default();
        let rest: Vec<Vec<String>> = dense.collect();
        self.pages.add(render_table(&header, &rest), self.name.as_deref())?;
        self.rows.extend(self.header.clone().filter(|header| !header.is_empty()));
        (self.size, self.new) = (0, 0);
        Ok(())
    }
}

fn dense(row: Row, columns: &[u32]) -> Vec<String> {
    let mut cells = Vec::new();
    for (column, text) in row {
        if let Ok(place) = columns.binary_search(&column) {
            cells.resize(cells.len().max(place), String::new());
            cells.push(text);
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Collected;

    fn written(rows: impl IntoIterator<Item = Row>) -> Vec<String> {
        let mut sink = Collected::default();
        let mut pages = Pages::new("test", &mut sink);
        let mut sheet = Sheet::new(&mut pages, Some("One".into()));
        rows.into_iter().try_for_each(|row| sheet.add(row)).expect("it is small");
        sheet.finish().expect("it is small");
        sink.pages.into_iter().map(|page| page.text).collect()
    }

    #[test]
    fn a_long_sheet_repeats_its_header() {
        let pages = written((0..400).map(|row| vec![(0, format!("r{row}")), (1, "x".into())]));
        assert_eq!(pages.len(), 3);
        assert!(pages.iter().all(|page| page.starts_with("| r0 | x |\n| --- | --- |\n| r")));
        assert_eq!(pages.iter().map(|page| page.lines().count()).sum::<usize>(), 400 + 2 + 3);
        let pages = written((0..200).map(|row| vec![(0, format!("r{row}"))]));
        assert_eq!(pages.len(), 1);
    }

    #[test]
    fn cells_are_not_taken_for_markdown() {
        let pages = written([vec![(0, "*a* 2 * 3".into()), (1, "b|c".into())]]);
        assert_eq!(pages, ["| \\*a\\* 2 * 3 | b\\|c |\n| --- | --- |"]);
    }

    #[test]
    fn a_cell_far_to_the_right_makes_no_wide_table() {
        let pages = written([vec![(0, "a".into())], vec![(3, " ".into())], vec![(16_383, "z".into())]]);
        assert_eq!(pages, ["| a |  |\n| --- | --- |\n|  | z |"]);
    }

    #[test]
    fn a_header_of_many_characters_is_not_repeated() {
        let wide: Row = (0..2000).map(|column| (column, "head".into())).collect();
        let pages = written([wide].into_iter().chain((0..1000).map(|_| vec![(0, "x".into())])));
        assert!(pages.iter().skip(1).all(|page| page.len() < 2000));
    }
}
