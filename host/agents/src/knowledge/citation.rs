//! Resolves the numbers in an answer to the passages that they stand for.

use std::collections::HashSet;

use super::passage::Quoted;

/// Digits of a passage's number.
const MAX_DIGITS: usize = 6;

/// The passages that an answer cites as `[1]` or `[1, 2]`, in the order of the answer, each once. A number that stands for no passage
/// cites nothing.
pub(crate) fn cited<'a>(answer: &str, passages: &'a [Quoted]) -> Vec<&'a Quoted> {
    let mut seen = HashSet::new();
    answer
        .split('[')
        .skip(1)
        .filter_map(|rest| rest.split_once(']'))
        .flat_map(|(inside, _)| numbers(inside))
        .filter(|number| seen.insert(*number))
        .filter_map(|number| passages.iter().find(|passage| passage.number == number))
        .collect()
}

/// The numbers of a list such as `1, 2`; none where there is anything else.
fn numbers(inside: &str) -> Vec<u32> {
    let one = |part: &str| {
        let part = part.trim();
        let digits = part.len() <= MAX_DIGITS && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    };
    inside.split(',').map(one).collect::<Option<_>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::passage::Passage;
    use super::*;

    #[test]
    fn numbers_in_brackets_are_citations() {
        let passages: Vec<_> = [1, 2, 7].map(|number| Passage { number, ..Passage::default() }.quoted()).to_vec();
        let keys = |answer: &str| cited(answer, &passages).iter().map(|passage| passage.number).collect::<Vec<_>>();
        assert_eq!(keys("Four weeks [2], or five [1, 7][2]."), [2, 1, 7]);
        assert_eq!(keys("[3] [a] [1 2] [] [-1] [99999999999] [1"), Vec::<u32>::new());
        assert_eq!(keys("see [[7]] and [x [1]"), [7, 1]);
    }
}
