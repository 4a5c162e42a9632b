//! Which column of a statement is which. Banks name them as they like.

use behalf_sdk::Error;

use crate::amount::Amount;

// In small letters and without signs, as `plain` makes them. The first that fits a column of the file is taken.
const DATE: &[&str] =
    &["date", "bookingdate", "transactiondate", "posteddate", "buchungstag", "buchungsdatum", "datum"];
const PAYEE: &[&str] =
    &["payee", "name", "merchant", "counterparty", "beguenstigterzahlungspflichtiger", "empfänger", "empfaenger"];
const PURPOSE: &[&str] =
    &["purpose", "description", "details", "memo", "reference", "verwendungszweck", "buchungstext"];
const AMOUNT: &[&str] = &["amount", "value", "betrag", "umsatz"];
const SPENT: &[&str] = &["debit", "moneyout", "paidout", "withdrawal", "soll", "ausgang"];
const RECEIVED: &[&str] = &["credit", "moneyin", "paidin", "deposit", "haben", "eingang"];
const CURRENCY: &[&str] = &["currency", "währung", "waehrung"];

/// Characters of the header that an error repeats.
const SHOWN: usize = 200;

/// The places of the columns.
#[derive(Debug, PartialEq)]
pub(crate) struct Columns {
    date: usize,
    payee: Option<usize>,
    purpose: Option<usize>,
    amount: Amounts,
    currency: Option<usize>,
}

#[derive(Debug, PartialEq)]
enum Amounts {
    /// One column, whose sign says which way the money went.
    Signed(usize),
    /// Two columns, of which each line fills one.
    Parted { spent: usize, received: usize },
}

impl Columns {
    /// Finds them by the names in the first line.
    pub(crate) fn of(header: &[String]) -> Result<Self, Error> {
        let names: Vec<String> = header.iter().map(|name| plain(name)).collect();
        let find = |known: &[&str]| known.iter().find_map(|known| names.iter().position(|name| name == known));
        let missing = |what: &str| {
            let there: String = header.join(", ").chars().take(SHOWN).collect();
            Error::invalid_arguments(format!("The first line of the CSV names no column for {what}. It has: {there}."))
        };
        let amount = match (find(AMOUNT), find(SPENT), find(RECEIVED)) {
            (Some(amount), ..) => Amounts::Signed(amount),
            (None, Some(spent), Some(received)) => Amounts::Parted { spent, received },
            _ => return Err(missing("the amount, such as \"Amount\", or \"Debit\" and \"Credit\"")),
        };
        let date = find(DATE).ok_or_else(|| missing("the day, such as \"Date\""))?;
        let (payee, purpose) = (find(PAYEE), find(PURPOSE));
        if payee.is_none() && purpose.is_none() {
            return Err(missing("the payee or the purpose, such as \"Payee\" or \"Description\""));
        }
        Ok(Self { date, payee, purpose, amount, currency: find(CURRENCY) })
    }

    pub(crate) fn date<'a>(&self, fields: &'a [String]) -> &'a str {
        text(fields, Some(self.date))
    }

    /// Empty where the statement does not say.
    pub(crate) fn payee<'a>(&self, fields: &'a [String]) -> &'a str {
        text(fields, self.payee)
    }

    /// Empty where the statement does not say.
    pub(crate) fn purpose<'a>(&self, fields: &'a [String]) -> &'a str {
        text(fields, self.purpose)
    }

    /// Empty where the statement does not say.
    pub(crate) fn currency<'a>(&self, fields: &'a [String]) -> &'a str {
        text(fields, self.currency)
    }

    /// None where the line has no amount, or one that cannot be read.
    pub(crate) fn amount(&self, fields: &[String]) -> Option<Amount> {
        match self.amount {
            Amounts::Signed(amount) => Amount::parse(text(fields, Some(amount))),
            Amounts::Parted { spent, received } => {
                let (spent, received) = (text(fields, Some(spent)), text(fields, Some(received)));
                // Some write a zero where others write nothing.
                let filled = |text: &str| if text.is_empty() { None } else { Some(Amount::parse(text)) };
                match (filled(spent), filled(received)) {
                    (Some(spent), None) => Some(spent?.spent()),
                    (None, Some(received)) => Some(received?.received()),
                    (Some(spent), Some(received)) if received?.is_zero() => Some(spent?.spent()),
                    (Some(spent), Some(received)) if spent?.is_zero() => Some(received?.received()),
                    _ => None,
                }
            }
        }
    }
}

fn text(fields: &[String], column: Option<usize>) -> &str {
    column.and_then(|column| fields.get(column)).map_or("", String::as_str)
}

fn plain(name: &str) -> String {
    name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &str) -> Vec<String> {
        names.split('|').map(str::to_owned).collect()
    }

    #[test]
    fn columns_are_found_whatever_their_place() {
        let columns = Columns::of(&header("Betrag|Empfänger|Buchungs-Tag|Währung")).expect("columns");
        let fields = header("-5,00|Green Grocer|01.02.2026|EUR");
        let found =
            (columns.date(&fields), columns.payee(&fields), columns.purpose(&fields), columns.currency(&fields));
        assert_eq!(found, ("01.02.2026", "Green Grocer", "", "EUR"));
        assert_eq!(columns.amount(&fields).map(|amount| amount.to_string()).as_deref(), Some("-5.00"));
    }

    #[test]
    fn two_columns_part_what_was_spent_from_what_came_in() {
        let columns = Columns::of(&header("Date|Description|Debit|Credit")).expect("columns");
        for (line, expected) in [
            ("d|a|5.00|", Some("-5.00")),
            ("d|a||5.00", Some("5.00")),
            ("d|a|5.00|0.00", Some("-5.00")),
            ("d|a|0|7", Some("7.00")),
            ("d|a|5.00|1.00", None),
            ("d|a||", None),
            ("d", None),
            ("d|a|x|0", None),
        ] {
            let amount = columns.amount(&header(line)).map(|amount| amount.to_string());
            assert_eq!(amount.as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_column_that_is_missing_is_named() {
        for (names, word) in [
            ("Payee|Amount", "the day"),
            ("Date|Payee|Debit", "the amount"),
            ("Date|Amount", "the payee"),
            ("", "the amount"),
        ] {
            let error = Columns::of(&header(names)).expect_err("an error");
            assert!(error.code == "invalid_arguments" && error.message.contains(word), "{error:?}");
        }
    }
}
