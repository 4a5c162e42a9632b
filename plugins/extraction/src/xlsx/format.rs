//! How Excel shows numbers: dates, times, percents and money. Other numbers are shown in full.

/// Days from 1899-12-30 to 1970-01-01. Excel's day 1 is 1900-01-01.
const DAYS_TO_1970: i64 = 25_569;
/// Days between both ways to count.
const DAYS_OF_1904: f64 = 1462.0;
/// The day after 9999-12-31.
const END_OF_DAYS: f64 = 2_958_466.0;

/// What a format code makes of a number.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Format {
    #[default]
    General,
    Percent {
        decimals: usize,
    },
    Money {
        sign: char,
    },
    Date,
    Time,
    DateTime,
    /// Hours that go on after 24.
    Duration,
}

impl Format {
    /// One that Excel has without a code in the file.
    pub(crate) fn of_id(id: usize) -> Self {
        match id {
            9 => Self::Percent { decimals: 0 },
            10 => Self::Percent { decimals: 2 },
            14..=17 | 27..=31 | 36 | 50..=54 | 57 | 58 => Self::Date,
            18..=21 | 32..=35 | 45 | 47 | 55 | 56 => Self::Time,
            22 => Self::DateTime,
            46 => Self::Duration,
            _ => Self::General,
        }
    }

    /// One that the file defines, such as `yyyy-mm-dd` or `0.0%`.
    pub(crate) fn of_code(code: &str) -> Self {
        // Negative numbers, zero and text have sections of their own.
        let (mut plain, mut money) = (String::new(), None);
        let mut rest = code.chars();
        while let Some(c) = rest.next() {
            match c {
                ';' => break,
                '"' => money = money.or_else(|| money_in(rest.by_ref().take_while(|c| *c != '"'))),
                '\\' | '_' | '*' => money = money.or_else(|| money_in(rest.next())),
                '[' => {
                    let inner: String = rest.by_ref().take_while(|c| *c != ']').collect();
                    let inner = inner.to_ascii_lowercase();
                    if !inner.is_empty() && inner.trim_matches(['h', 'm', 's']).is_empty() {
                        return Self::Duration;
                    }
                    money = money.or_else(|| money_in(inner.chars().take_while(|c| *c != '-').skip(1)));
                }
                c => plain.push(c.to_ascii_lowercase()),
            }
        }
        if plain.contains('%') {
            let decimals = plain.split_once('.').map_or(0, |(_, after)| after.matches(['0', '#']).count());
            return Self::Percent { decimals: decimals.min(10) };
        }
        if plain.contains("general") || plain.contains('@') {
            return Self::General;
        }
        let has_time = plain.contains(['h', 's']);
        let has_date = plain.contains(['y', 'd']) || (plain.contains('m') && !has_time);
        match (has_date, has_time, money.or_else(|| money_in(plain.chars()))) {
            (true, true, _) => Self::DateTime,
            (true, false, _) => Self::Date,
            (false, true, _) => Self::Time,
            (false, false, Some(sign)) if plain.contains(['0', '#']) => Self::Money { sign },
            _ => Self::General,
        }
    }

    /// What the number shows.
    pub(crate) fn shown(self, number: f64, from_1904: bool) -> String {
        let day = if from_1904 { number + DAYS_OF_1904 } else { number };
        let is_day = (0.0..END_OF_DAYS).contains(&day);
        match self {
            Self::Percent { decimals } => format!("{:.decimals$}%", number * 100.0),
            Self::Money { sign } => {
                let minus = if number < 0.0 { "-" } else { "" };
                format!("{minus}{sign}{:.2}", number.abs())
            }
            Self::Date if is_day => date_of(day),
            Self::Time if is_day => time_of(number.fract()),
            // A day without a time is most often meant so.
            Self::DateTime if is_day && day.fract() == 0.0 => date_of(day),
            Self::DateTime if is_day => {
                // Rounding to the second can end the day.
                let rounded = (day * 86_400.0).round() / 86_400.0;
                format!("{} {}", date_of(rounded + 1e-9), time_of(rounded.fract()))
            }
            Self::Duration if is_day => {
                let seconds = whole(number * 86_400.0);
                format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
            }
            _ => general(number),
        }
    }
}

fn money_in(text: impl IntoIterator<Item = char>) -> Option<char> {
    text.into_iter().find(|c| matches!(c, '$' | '€' | '£' | '¥' | '₹' | '₽' | '₩' | '₺' | '₴' | '₪' | '฿' | '₫'))
}

/// A number with at most 15 digits, as Excel keeps it.
fn general(number: f64) -> String {
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    if rounded != 0.0 && !(1e-5..1e15).contains(&rounded.abs()) { format!("{rounded:e}") } else { format!("{rounded}") }
}

fn time_of(day: f64) -> String {
    let seconds = whole(day * 86_400.0) % 86_400;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if seconds == 0 { format!("{hours:02}:{minutes:02}") } else { format!("{hours:02}:{minutes:02}:{seconds:02}") }
}

/// The date of a day, by the calendar of today. Excel has a day too many in 1900.
fn date_of(day: f64) -> String {
    let day = whole(day.floor());
    let day = if day < 60 { day + 1 } else { day } - DAYS_TO_1970;
    // Years begin in March, so that the day that not each year has is the last one.
    let days = day + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[expect(clippy::cast_possible_truncation, reason = "the callers bound it to some thousand years in seconds")]
fn whole(number: f64) -> i64 {
    number.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_a_number_is() {
        let cases = [
            ("yyyy-mm-dd", Format::Date),
            ("[$-409]d/m/yy h:mm AM/PM;@", Format::DateTime),
            ("mmmm", Format::Date),
            ("h:mm", Format::Time),
            ("mm:ss.0", Format::Time),
            ("[h]:mm:ss", Format::Duration),
            ("0.0%", Format::Percent { decimals: 1 }),
            ("#,##0.00\\ \"€\"", Format::Money { sign: '€' }),
            ("[$£-809]#,##0.00", Format::Money { sign: '£' }),
            ("$#,##0;[Red]($#,##0)", Format::Money { sign: '$' }),
            ("0.00", Format::General),
            ("[Red]General", Format::General),
            ("\"day \"0", Format::General),
            ("@", Format::General),
            ("", Format::General),
        ];
        for (code, expected) in cases {
            assert_eq!(Format::of_code(code), expected, "{code}");
        }
    }

    #[test]
    fn numbers_are_shown_as_excel_shows_them() {
        let cases = [
            (Format::General, 0.1 + 0.2, "0.3"),
            (Format::General, 1e20, "1e20"),
            (Format::General, -12.0, "-12"),
            (Format::Percent { decimals: 1 }, 0.1234, "12.3%"),
            (Format::Money { sign: '$' }, -1234.5, "-$1234.50"),
            (Format::Date, 1.0, "1900-01-01"),
            (Format::Date, 59.0, "1900-02-28"),
            (Format::Date, 61.0, "1900-03-01"),
            (Format::Date, 45_351.0, "2024-02-29"),
            (Format::Date, 2_958_465.0, "9999-12-31"),
            (Format::Date, 2_958_466.0, "2958466"),
            (Format::Date, -1.0, "-1"),
            (Format::DateTime, 45_351.75, "2024-02-29 18:00"),
            (Format::DateTime, 45_350.999_999_9, "2024-02-29 00:00"),
            (Format::Time, 0.5, "12:00"),
            (Format::Duration, 1.5, "36:00:00"),
        ];
        for (format, number, expected) in cases {
            assert_eq!(format.shown(number, false), expected, "{format:?} {number}");
        }
        assert_eq!(Format::Date.shown(0.0, true), "1904-01-01");
    }
}
