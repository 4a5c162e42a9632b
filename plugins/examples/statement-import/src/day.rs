//! Days as banks write them.

use schemars::JsonSchema;
use serde::Deserialize;

/// How 03/04/2026 is meant.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum DateOrder {
    #[default]
    DayFirst,
    MonthFirst,
}

/// Reads `2026-03-04`, `2026/03/04`, `04.03.2026`, `04.03.26`, `04/03/2026` and `04-03-2026` into the first form. `order` counts where
/// slashes or hyphens stand behind a day or a month; with points, the day is first. None where the calendar has no such day.
pub(crate) fn parse(text: &str, order: DateOrder) -> Option<String> {
    let separator = text.chars().find(|character| ['-', '/', '.'].contains(character))?;
    let parts: Vec<&str> = text.split(separator).collect();
    let &[first, second, third] = parts.as_slice() else { return None };
    let (year, month, day) = match (first.len(), separator, order) {
        (4, ..) => (first, second, third),
        (_, '/' | '-', DateOrder::MonthFirst) => (third, first, second),
        _ => (third, second, first),
    };
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u16>().ok())?;
    let year = match year.len() {
        4 => number(year)?,
        2 => 2000 + number(year)?,
        _ => return None,
    };
    let (month, day) = (number(month)?, number(day)?);
    let sound = (1900..2200).contains(&year) && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    sound.then(|| format!("{year:04}-{month:02}-{day:02}"))
}

fn days_of(year: u16, month: u16) -> u16 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_in_the_ways_of_banks() {
        for (text, order, expected) in [
            ("2026-03-04", DateOrder::MonthFirst, "2026-03-04"),
            ("2026/3/4", DateOrder::DayFirst, "2026-03-04"),
            ("04.03.2026", DateOrder::MonthFirst, "2026-03-04"),
            ("4.3.26", DateOrder::DayFirst, "2026-03-04"),
            ("04/03/2026", DateOrder::DayFirst, "2026-03-04"),
            ("03/04/2026", DateOrder::MonthFirst, "2026-03-04"),
            ("04-03-2026", DateOrder::DayFirst, "2026-03-04"),
            ("29.02.2024", DateOrder::DayFirst, "2024-02-29"),
        ] {
            assert_eq!(parse(text, order).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_the_calendar_does_not_have_is_none() {
        for text in [
            "",
            "2026",
            "2026-13-01",
            "31.04.2026",
            "29.02.2026",
            "0.1.2026",
            "1.1.1",
            "1.1.0001",
            "a.b.2026",
            "+1.1.2026",
        ] {
            assert_eq!(parse(text, DateOrder::DayFirst), None, "{text}");
        }
        assert_eq!(parse("13/04/2026", DateOrder::MonthFirst), None);
    }
}
