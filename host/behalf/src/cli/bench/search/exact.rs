//! The answers that are right: everything that a caller sees is compared, in memory and without an index.

use std::collections::HashMap;

use clap::ValueEnum;

use super::corpus::{Corpus, Question, frequencies};

/// Results that count.
pub(super) const WANTED: usize = 10;

/// The length of the lists that are fused, as the search has it.
const POOL: usize = 50;

/// Up to so many visible chunks, weights of words are made of their number.
const KNOWN: usize = 30_000;

/// The same for whoever sees all.
const KNOWN_OF_ALL: usize = 2_000;

/// Scores this far apart are equal.
const EPSILON: f64 = 1e-6;

/// How a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(in crate::cli) enum Method {
    /// By the vector of the question.
    Vector,
    /// By its words.
    Text,
    /// By both.
    Hybrid,
}

impl Method {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Vector => "vector",
            Self::Text => "text",
            Self::Hybrid => "hybrid",
        }
    }
}

/// The right answer to a question: every chunk with its score, if it can be among the best.
pub(super) struct Answer {
    scores: HashMap<u32, f64>,
    /// The least score of the ones wanted.
    least: f64,
    wanted: usize,
}

impl Answer {
    fn new(mut all: Vec<(u32, f64)>) -> Self {
        sort(&mut all);
        let wanted = all.len().min(WANTED);
        let least = all.get(wanted.saturating_sub(1)).map_or(f64::INFINITY, |(_, score)| *score);
        let scores = all.into_iter().take_while(|(_, score)| *score >= least - EPSILON).collect();
        Self { scores, least, wanted }
    }

    /// The share of the right ones among these. Of equals any one is right.
    pub(super) fn recall(&self, found: &[u32]) -> f64 {
        if self.wanted == 0 {
            return if found.is_empty() { 1.0 } else { 0.0 };
        }
        let right = |chunk: &&u32| self.scores.get(*chunk).is_some_and(|score| *score >= self.least - EPSILON);
        let found = found.iter().take(WANTED).filter(right).count().min(self.wanted);
        found as f64 / self.wanted as f64
    }
}

/// Finds the right answer of all methods among the chunks that somebody sees.
pub(super) fn answers(corpus: &Corpus, visible: &[u32], question: &Question) -> [(Method, Answer); 3] {
    let vectors = by_vector(corpus, visible, question);
    let words = by_words(corpus, visible, question);
    let fused = fuse(corpus, question, &vectors, &words);
    [(Method::Vector, Answer::new(vectors)), (Method::Text, Answer::new(words)), (Method::Hybrid, Answer::new(fused))]
}

/// The best first; of equals, the one that comes first by its id, as the search has it.
fn sort(scored: &mut [(u32, f64)]) {
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(super::corpus::chunk_id(a.0).cmp(&super::corpus::chunk_id(b.0))));
}

/// The cosine of a chunk and a question.
fn cosine(corpus: &Corpus, chunk: u32, question: &Question) -> f64 {
    // Eight sums at once, which the compiler turns into wide instructions.
    let mut sums = [0.0_f32; 8];
    for (a, b) in corpus.vector(chunk).chunks_exact(8).zip(question.vector.chunks_exact(8)) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    f64::from(sums.iter().sum::<f32>())
}

fn by_vector(corpus: &Corpus, visible: &[u32], question: &Question) -> Vec<(u32, f64)> {
    let mut scored: Vec<(u32, f64)> = visible.iter().map(|chunk| (*chunk, cosine(corpus, *chunk, question))).collect();
    let keep = POOL * 2;
    if scored.len() > keep {
        scored.select_nth_unstable_by(keep, |a, b| b.1.total_cmp(&a.1));
        scored.truncate(keep);
    }
    sort(&mut scored);
    scored
}

/// BM25, with what is counted over the visible chunks that match.
fn by_words(corpus: &Corpus, visible: &[u32], question: &Question) -> Vec<(u32, f64)> {
    let matching: Vec<(u32, HashMap<u16, u32>)> = visible
        .iter()
        .map(|chunk| (*chunk, frequencies(corpus.words(*chunk), &question.words)))
        .filter(|(_, found)| !found.is_empty())
        .collect();
    let length = |chunk: u32| corpus.words(chunk).len() as f64;
    let mean = (matching.iter().map(|(chunk, _)| length(*chunk)).sum::<f64>() / matching.len().max(1) as f64).max(1.0);
    let most = if visible.len() == corpus.chunks() as usize { KNOWN_OF_ALL } else { KNOWN };
    let known = (visible.len() <= most).then_some(visible.len());
    let all = known.unwrap_or(2 * matching.len()).max(matching.len()) as f64;
    let weight = |word: u16| {
        let having = matching.iter().filter(|(_, found)| found.contains_key(&word)).count() as f64;
        (1.0 + (all - having + 0.5) / (having + 0.5)).ln()
    };
    let weights: Vec<(u16, f64)> = question.words.iter().map(|word| (*word, weight(*word))).collect();
    let mut scored: Vec<(u32, f64)> = matching
        .iter()
        .map(|(chunk, found)| {
            let k = 1.2 * (0.25 + 0.75 * length(*chunk) / mean);
            let of = |(word, weight): &(u16, f64)| {
                found.get(word).map_or(0.0, |times| weight * 2.2 * f64::from(*times) / (f64::from(*times) + k))
            };
            (*chunk, weights.iter().map(of).sum())
        })
        .collect();
    sort(&mut scored);
    scored
}

/// The sum of both scores of what is among the first of either list, each from 0 to 1 among these: likeness from the farthest to the
/// nearest, and words from none to the most.
fn fuse(corpus: &Corpus, question: &Question, vectors: &[(u32, f64)], words: &[(u32, f64)]) -> Vec<(u32, f64)> {
    let of_words: HashMap<u32, f64> = words.iter().copied().collect();
    let mut chunks: Vec<u32> =
        [vectors, words].into_iter().flat_map(|list| list.iter().take(POOL)).map(|(chunk, _)| *chunk).collect();
    chunks.sort_unstable();
    chunks.dedup();
    let score = |chunk: &u32| of_words.get(chunk).copied().unwrap_or_default();
    let best = chunks.iter().map(score).fold(0.0, f64::max);
    let share = |score: f64| if best > 0.0 { score / best } else { 0.0 };
    let near: Vec<f64> = chunks.iter().map(|chunk| cosine(corpus, *chunk, question)).collect();
    let (least, most) =
        near.iter().fold((f64::MAX, f64::MIN), |(least, most), near| (least.min(*near), most.max(*near)));
    let likeness = |near: f64| if most > least { (near - least) / (most - least) } else { 1.0 };
    let fused = chunks.iter().zip(near);
    fused.map(|(chunk, near)| (*chunk, 0.5 * likeness(near) + 0.5 * share(score(chunk)))).collect()
}
