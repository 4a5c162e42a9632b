//! How good a ranking is.

use std::collections::HashSet;

/// Ranks that count.
pub(super) const RANKS: usize = 10;

/// nDCG@10 of a ranking of documents. Every document that was judged to be of any use counts the same.
pub(super) fn ndcg(ranking: &[u32], answers: &[u32]) -> f64 {
    let good: HashSet<u32> = answers.iter().copied().collect();
    let gained: f64 =
        (1..=RANKS).zip(ranking).filter(|(_, document)| good.contains(document)).map(|(rank, _)| gain(rank)).sum();
    let ideal: f64 = (1..=RANKS.min(good.len())).map(gain).sum();
    if ideal > 0.0 { gained / ideal } else { 0.0 }
}

fn gain(rank: usize) -> f64 {
    let rank = u32::try_from(rank).unwrap_or(u32::MAX);
    1.0 / (f64::from(rank) + 1.0).log2()
}

/// The mean over all questions.
pub(super) fn mean(rankings: &[Vec<u32>], answers: &[Vec<u32>]) -> f64 {
    let scores: Vec<f64> = rankings.iter().zip(answers).map(|(ranking, answers)| ndcg(ranking, answers)).collect();
    let count = u32::try_from(scores.len().max(1)).unwrap_or(u32::MAX);
    scores.iter().sum::<f64>() / f64::from(count)
}

/// Documents by falling score, and by number where the scores are the same.
pub(super) fn ranked(mut scored: Vec<(u32, f64)>) -> Vec<u32> {
    scored.sort_by(|(left, left_score), (right, right_score)| {
        right_score.total_cmp(left_score).then_with(|| left.cmp(right))
    });
    scored.into_iter().map(|(document, _)| document).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_ranking_has_one_and_an_empty_one_nothing() {
        assert!((ndcg(&[3, 1], &[1, 3]) - 1.0).abs() < 1e-9);
        assert!(ndcg(&[], &[1]).abs() < 1e-9);
        assert!(ndcg(&[1], &[]).abs() < 1e-9);
        // 1 / log2(3) of 1.
        assert!((ndcg(&[9, 1], &[1]) - 0.630_929_753_6).abs() < 1e-9);
        assert_eq!(ranked(vec![(2, 0.5), (1, 0.5), (3, 0.9)]), [3, 1, 2]);
    }
}
