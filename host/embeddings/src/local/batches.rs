//! Which texts are computed together.

use std::ops::Range;

/// Tokens of a batch. Matrices of more rows are not multiplied faster, and whoever waits behind a batch waits longer.
const MAX_TOKENS: usize = 1_024;

/// The numbers of the texts in batches. Texts of like length come together, the longest first, so that the threads end at
/// about the same time.
pub(super) fn batches(lengths: &[usize]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    let length = |n: usize| lengths.get(n).copied().unwrap_or_default();
    order.sort_by_key(|n| std::cmp::Reverse(length(*n)));
    let (mut batches, mut tokens) = (Vec::<Vec<usize>>::new(), 0);
    for n in order {
        tokens += length(n);
        if let Some(batch) = batches.last_mut().filter(|_| tokens <= MAX_TOKENS) {
            batch.push(n);
        } else {
            tokens = length(n);
            batches.push(vec![n]);
        }
    }
    batches
}

/// Pieces of a request. Their tokens are counted one piece after the other, so that a large request holds little.
pub(super) fn pieces(texts: usize) -> impl Iterator<Item = Range<usize>> {
    const TEXTS: usize = 256;
    (0..texts).step_by(TEXTS).map(move |first| first..(first + TEXTS).min(texts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_each_text_once_and_are_bounded() {
        let lengths: Vec<usize> = (0..500).map(|n| 3 + n * 7919 % 510).collect();
        let made = batches(&lengths);
        let mut seen: Vec<usize> = made.concat();
        seen.sort_unstable();
        assert_eq!(seen, (0..500).collect::<Vec<_>>());
        let tokens = |batch: &Vec<usize>| batch.iter().map(|n| lengths[*n]).sum::<usize>();
        assert!(made.iter().all(|batch| tokens(batch) <= MAX_TOKENS));
        assert!(made.len() < 2 * lengths.iter().sum::<usize>() / MAX_TOKENS, "batches are filled: {}", made.len());
        assert!(made.is_sorted_by_key(|batch| std::cmp::Reverse(lengths[batch[0]])));
        assert!(batches(&[]).is_empty());
        assert_eq!(batches(&[5_000, 1]), [vec![0], vec![1]]);
    }

    #[test]
    fn pieces_cover_a_request() {
        assert_eq!(pieces(0).count(), 0);
        assert_eq!(pieces(513).collect::<Vec<_>>(), [0..256, 256..512, 512..513]);
    }
}
