//! Tables from codes to characters. The library writes their ranges out in full, so their widths are summed up first.

/// Most bytes of a table. One of all Chinese characters has about 500,000.
pub(super) const MAX_LENGTH: usize = 2 * 1024 * 1024;
/// Most codes that a table gives characters to, however many characters there are.
const MAX_CODES: u64 = 300_000;
/// Most digits of a code or of what it stands for: 32 characters of text.
const MAX_DIGITS: usize = 128;

/// What the next number in brackets is.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Place {
    OutsideOfRanges,
    First,
    Last { first: u64 },
    Characters,
    InList,
}

/// A table, and how many codes it has at most, if it stays within the bounds. What is not ASCII in it becomes space: the library cuts numbers between bytes,
/// and panics where a character has more of them.
pub(super) fn bounded(mut table: Vec<u8>) -> Option<(Vec<u8>, u64)> {
    table.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b' ');
    let codes = codes_of(&table)?;
    Some((table, codes))
}

fn codes_of(table: &[u8]) -> Option<u64> {
    if table.len() > MAX_LENGTH {
        return None;
    }
    let mut place = Place::OutsideOfRanges;
    let mut codes = 0_u64;
    let mut rest = table;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'<' => {
                let length = rest.iter().position(|&byte| byte == b'>').unwrap_or(rest.len());
                let number = number(&rest[..length])?;
                rest = &rest[length..];
                codes = codes.saturating_add(1);
                place = match place {
                    Place::First => Place::Last { first: number },
                    Place::Last { first } => {
                        codes = codes.saturating_add(number.saturating_sub(first));
                        Place::Characters
                    }
                    Place::Characters => Place::First,
                    other => other,
                };
            }
            b'[' if place == Place::Characters => place = Place::InList,
            b']' if place == Place::InList => place = Place::First,
            b'b' if rest.starts_with(b"eginbfrange") => place = Place::First,
            b'e' if rest.starts_with(b"ndbfrange") => place = Place::OutsideOfRanges,
            _ => {}
        }
    }
    (codes <= MAX_CODES).then_some(codes)
}

/// A number of sixteen's digits; nothing if it is too long. A long one is text, and its value is not looked at.
fn number(digits: &[u8]) -> Option<u64> {
    let digits = || digits.iter().filter_map(|&byte| char::from(byte).to_digit(16));
    let value = digits().take(16).fold(0_u64, |value, digit| (value << 4) | u64::from(digit));
    (digits().count() <= MAX_DIGITS).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_bounded(table: &[u8]) -> bool {
        codes_of(table).is_some()
    }

    #[test]
    fn tables_of_real_size_are_kept() {
        let ranges = "100 beginbfrange <0000> <00ff> <4e00> <0100> <0101> [<0041> <00420043>] endbfrange ".repeat(100);
        assert!(is_bounded(ranges.as_bytes()));
        assert!(is_bounded("2 beginbfchar <0041> <00660066> endbfchar ".repeat(10_000).as_bytes()));
        assert!(is_bounded(b"1 begincidrange <0000> <ffff> 0 endcidrange"));
        assert_eq!(bounded(b"<0\xc3\xa9\xff>".to_vec()), Some((b"<0   >".to_vec(), 1)));
    }

    #[test]
    fn tables_that_grow_are_left_out() {
        assert!(!is_bounded(b"1 beginbfrange <00000000> <ffffffff> <0041> endbfrange"));
        assert!(!is_bounded("<0000> <ffff> <0041> ".repeat(10).replacen('<', "beginbfrange <", 1).as_bytes()));
        assert!(!is_bounded(format!("1 beginbfchar <0041> <{}> endbfchar", "0041".repeat(1000)).as_bytes()));
        assert!(!is_bounded(&vec![b' '; MAX_LENGTH + 1]));
    }
}
