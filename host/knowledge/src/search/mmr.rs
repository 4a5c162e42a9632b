//! Results that are unlike each other: maximal marginal relevance.

use super::merge::Hit;

/// Chooses `wanted` hits, one after the other: each time the one whose score counts most against its likeness to those that were chosen.
/// `lambda` is what the score counts, from 0 to 1. A hit without a vector is like no other one.
pub(super) fn choose(hits: Vec<Hit>, lambda: f32, wanted: usize) -> Vec<Hit> {
    let lambda = lambda.clamp(0.0, 1.0);
    // Each with its likeness to the chosen one that it is most like.
    let mut left: Vec<(Hit, f32)> = hits.into_iter().map(|hit| (hit, 0.0)).collect();
    let mut chosen: Vec<Hit> = Vec::with_capacity(wanted.min(left.len()));
    while chosen.len() < wanted {
        let worth = |(hit, like): &(Hit, f32)| lambda * hit.chunk.score - (1.0 - lambda) * like;
        // The first of equals, which is the better one.
        let best = (0..left.len()).reduce(|best, index| match (left.get(best), left.get(index)) {
            (Some(a), Some(b)) if worth(b) > worth(a) => index,
            _ => best,
        });
        let Some(best) = best else { break };
        let (hit, _) = left.remove(best);
        for (other, like) in &mut left {
            *like = like.max(cosine(&hit.vector, &other.vector));
        }
        chosen.push(hit);
    }
    chosen
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { dot(a, b) / lengths } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::merge::tests::hit;
    use super::*;

    fn chosen(lambda: f32, wanted: usize) -> Vec<u128> {
        let hits = vec![hit(1, 0.9, &[1.0, 0.0]), hit(2, 0.89, &[1.0, 0.01]), hit(3, 0.5, &[0.0, 1.0])];
        choose(hits, lambda, wanted).iter().map(|hit| hit.chunk.chunk_id.as_u128()).collect()
    }

    #[test]
    fn a_double_gives_way_to_what_is_new() {
        assert_eq!(chosen(0.5, 2), [1, 3]);
        assert_eq!(chosen(1.0, 2), [1, 2]);
        assert_eq!(chosen(0.5, 9), [1, 3, 2]);
        assert!(choose(Vec::new(), 0.5, 3).is_empty());
    }
}
