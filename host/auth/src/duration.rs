//! Durations as GoTrue's clients write them: `24h`, `1h30m`, `1.5s`.

use chrono::TimeDelta;

/// Reads a duration; `None` where it is none, or a longer one than three centuries.
pub(crate) fn parse(text: &str) -> Option<TimeDelta> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(TimeDelta::zero());
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanoseconds: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(digits)?;
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at_checked(unit_end)?;
        nanoseconds = nanoseconds.checked_add(part(number, unit)?)?;
        rest = next;
    }
    Some(TimeDelta::nanoseconds(if negative { -nanoseconds } else { nanoseconds }))
}

/// One number with its unit, in nanoseconds.
fn part(number: &str, unit: &str) -> Option<i64> {
    let factor: i64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut nanoseconds = whole.checked_mul(factor)?;
    let mut scale = factor;
    for digit in fraction.chars() {
        scale /= 10;
        nanoseconds = nanoseconds.checked_add(i64::from(digit.to_digit(10)?).checked_mul(scale)?)?;
    }
    Some(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_gotrue_reads_them() {
        let seconds = |text: &str| parse(text).map(|time| time.num_milliseconds());
        assert_eq!(seconds("24h"), Some(86_400_000));
        assert_eq!(seconds("1h30m5s"), Some(5_405_000));
        assert_eq!(seconds("1.5s"), Some(1_500));
        assert_eq!(seconds(".5m"), Some(30_000));
        assert_eq!(seconds("100ms"), Some(100));
        assert_eq!(seconds("-1h"), Some(-3_600_000));
        assert_eq!(seconds("0"), Some(0));
        assert_eq!(seconds("876000h"), Some(3_153_600_000_000));
        for bad in ["", "-", "24", "h", "1d", "1h2", "1..5s", ".s", "99999999999h", "1 h", "forever", "１h"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
