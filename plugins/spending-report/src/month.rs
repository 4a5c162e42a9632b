//! A calendar month.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use behalf_sdk::Error;

/// A month of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Month {
    year: u16,
    month: u8,
}

impl Month {
    /// Its first day, as Postgres reads a date.
    pub(crate) fn first_day(self) -> String {
        format!("{self}-01")
    }

    /// The month before. Years begin with 1, so the first month has none; it is its own.
    pub(crate) fn previous(self) -> Self {
        match self {
            Self { year: 1, month: 1 } => self,
            Self { year, month: 1 } => Self { year: year - 1, month: 12 },
            Self { year, month } => Self { year, month: month - 1 },
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts = text.split_once('-').filter(|(year, month)| year.len() == 4 && month.len() == 2);
        parts
            .and_then(|(year, month)| Some(Self { year: year.parse().ok()?, month: month.parse().ok()? }))
            .filter(|month| month.year >= 1 && (1..=12).contains(&month.month))
            .ok_or_else(|| Error::invalid_arguments(format!("\"{text}\" is not a month; write it like 2026-03.")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_knows_its_first_day_and_the_month_before() {
        let previous = |text: &str| text.parse::<Month>().map(|month| month.previous().to_string()).ok();
        assert_eq!(previous("2026-03").as_deref(), Some("2026-02"));
        assert_eq!(previous("2026-01").as_deref(), Some("2025-12"));
        assert_eq!(previous("0001-01").as_deref(), Some("0001-01"));
        assert_eq!("2026-03".parse::<Month>().map(Month::first_day).ok().as_deref(), Some("2026-03-01"));
    }

    #[test]
    fn what_is_not_a_month_is_an_error() {
        for text in ["", "-", "2026", "2026-00", "2026-13", "2026-3", "0000-01", "20é-01", "2026-03-01"] {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }
}
