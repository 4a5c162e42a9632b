//! The lines of a bank statement.

use std::collections::BTreeMap;

use behalf_sdk::Error;
use serde::Serialize;

use crate::columns::Columns;
use crate::csv;
use crate::day::{self, DateOrder};

/// Lines of one statement. One answer of the database lists as many, and more is more than a model should write.
pub(crate) const MAX_LINES: usize = 500;

/// Characters of a text that are kept.
const MAX_TEXT: usize = 300;
/// Characters of a wrong field that a reason repeats.
const SHOWN: usize = 40;

/// A line, as the statement of the database reads it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Line {
    /// Its place among the lines that can be read, from 0.
    pub(crate) place: usize,
    pub(crate) booked_on: String,
    pub(crate) payee: String,
    pub(crate) purpose: String,
    pub(crate) amount: String,
    pub(crate) currency: String,
    /// The first, second … line of this statement that says the same: two coffees of one day are two.
    pub(crate) occurrence: u32,
}

/// A line that cannot be read.
#[derive(Debug, PartialEq)]
pub(crate) struct Rejected {
    pub(crate) line: usize,
    pub(crate) reason: String,
}

/// A statement: what can be read of it, and the rest.
#[derive(Debug, Default)]
pub(crate) struct Statement {
    pub(crate) lines: Vec<Line>,
    pub(crate) rejected: Vec<Rejected>,
}

impl Statement {
    /// Reads a statement. Lines without a currency have `currency`.
    pub(crate) fn read(text: &str, order: DateOrder, currency: &str) -> Result<Self, Error> {
        let records = csv::read(text)?;
        let Some((header, records)) = records.split_first() else {
            return Err(Error::invalid_arguments(
                "The CSV is empty; its first line has to name the columns, such as Date, Payee and Amount.",
            ));
        };
        let columns = Columns::of(&header.fields)?;
        if records.len() > MAX_LINES {
            let count = records.len();
            return Err(Error::invalid_arguments(format!(
                "The CSV has {count} lines, and {MAX_LINES} can be imported at once; import it in parts. Lines that come twice do no harm."
            )));
        }
        let mut statement = Self::default();
        let mut seen = BTreeMap::new();
        for record in records {
            match line(&columns, &record.fields, order, currency) {
                Ok(mut line) => {
                    let same = (&line.booked_on, &line.payee, &line.purpose, &line.amount, &line.currency);
                    let occurrences = seen.entry(format!("{same:?}")).or_insert(0);
                    *occurrences += 1;
                    (line.place, line.occurrence) = (statement.lines.len(), *occurrences);
                    statement.lines.push(line);
                }
                Err(reason) => statement.rejected.push(Rejected { line: record.line, reason }),
            }
        }
        Ok(statement)
    }
}

/// One line, or why it is none.
fn line(columns: &Columns, fields: &[String], order: DateOrder, currency: &str) -> Result<Line, String> {
    let date = columns.date(fields);
    let booked_on = day::parse(date, order).ok_or_else(|| format!("\"{}\" is no day of the calendar.", shown(date)))?;
    let amount = columns.amount(fields).ok_or("The amount is missing or cannot be read.")?;
    if amount.is_zero() {
        return Err("The amount is zero.".to_owned());
    }
    let own = columns.currency(fields).to_uppercase();
    let currency = if own.is_empty() { currency.to_owned() } else { own };
    if !is_currency(&currency) {
        return Err(format!("\"{}\" is no currency; it has to be a code such as EUR.", shown(&currency)));
    }
    let (payee, purpose) = (clean(columns.payee(fields)), clean(columns.purpose(fields)));
    Ok(Line { place: 0, booked_on, payee, purpose, amount: amount.to_string(), currency, occurrence: 0 })
}

/// Whether it looks like a code of ISO 4217.
pub(crate) fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// One line of text, and not too long. The same text stays the same, however often it is imported.
pub(crate) fn clean(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|character: char| character.is_whitespace() || character.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let joined: String = words.join(" ").chars().take(MAX_TEXT).collect();
    joined.trim_end().to_owned()
}

fn shown(text: &str) -> String {
    clean(text).chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Statement {
        Statement::read(text, DateOrder::DayFirst, "EUR").expect("a statement")
    }

    #[test]
    fn lines_are_read_and_counted() {
        let found =
            read("Date,Payee,Amount,Currency\n2026-03-03,Café  Zürich,-3.20,\n2026-03-03,Café Zürich,-3.2,eur\n");
        let expected = |place, occurrence| Line {
            place,
            booked_on: "2026-03-03".into(),
            payee: "Café Zürich".into(),
            purpose: String::new(),
            amount: "-3.20".into(),
            currency: "EUR".into(),
            occurrence,
        };
        assert_eq!(found.lines, [expected(0, 1), expected(1, 2)]);
        assert_eq!(found.rejected, []);
    }

    #[test]
    fn a_bad_line_says_why_and_the_others_stay() {
        let found = read(
            "Date,Payee,Amount,Currency\n31.02.2026,a,1,\n1.2.2026,b,x,\n1.2.2026,c,0,\n1.2.2026,d,1,Euro\n1.2.2026,e,1,\n",
        );
        let reasons: Vec<_> = found.rejected.iter().map(|one| (one.line, one.reason.as_str())).collect();
        assert_eq!(
            reasons,
            [
                (2, "\"31.02.2026\" is no day of the calendar."),
                (3, "The amount is missing or cannot be read."),
                (4, "The amount is zero."),
                (5, "\"EURO\" is no currency; it has to be a code such as EUR."),
            ]
        );
        assert_eq!(found.lines.len(), 1);
    }

    #[test]
    fn a_statement_that_is_empty_or_too_long_is_refused() {
        for text in ["", " \n\n", &format!("Date,Payee,Amount\n{}", "1.2.2026,a,1\n".repeat(MAX_LINES + 1))] {
            let error = Statement::read(text, DateOrder::DayFirst, "EUR").expect_err("an error");
            assert_eq!(error.code, "invalid_arguments");
        }
        assert!(read("Date,Payee,Amount\n").lines.is_empty());
    }

    #[test]
    fn texts_are_one_line_and_have_an_end() {
        assert_eq!(clean(" a\u{0}\n b\u{a0}c "), "a b c");
        assert_eq!(clean(&"é".repeat(1_000)).chars().count(), MAX_TEXT);
    }
}
