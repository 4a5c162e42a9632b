//! A word for each user that stands in what they have. Whatever the hosts tell is searched for the words of others.

use std::collections::BTreeSet;

use uuid::Uuid;

/// How every word begins.
const MARK: &[u8] = b"canary";
/// Digits of the user's number.
const DIGITS: usize = 5;

/// The word of the user of this number.
pub(super) fn word(number: u32) -> String {
    let random = Uuid::new_v4().simple().to_string();
    format!("canary{number:0DIGITS$}x{}", random.get(..12).unwrap_or_default())
}

/// The numbers of all users whose words stand in a text.
pub(super) fn numbers(text: &[u8]) -> BTreeSet<u32> {
    let number = |at: usize| {
        let digits = text.get(at + MARK.len()..at + MARK.len() + DIGITS)?;
        (text.get(at + MARK.len() + DIGITS) == Some(&b'x')).then_some(())?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    };
    let places = text.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    places.filter_map(|(at, _)| number(at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_wherever_they_stand() {
        let text = format!("{} and \"{}\" canary1x canary0000 canary99999y", word(7), word(40_001));
        assert_eq!(numbers(text.as_bytes()), BTreeSet::from([7, 40_001]));
        assert_eq!(numbers(b"no canary"), BTreeSet::new());
        assert_ne!(word(1), word(1));
    }
}
