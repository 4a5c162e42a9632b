//! Chunks by chance: vectors of a seeded, clustered mixture, and words by Zipf's law.

use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use uuid::Uuid;

/// Chunks of a source.
pub(super) const CHUNKS_PER_SOURCE: u32 = 10;

/// Topics, and how far a source is from its topic and a chunk from its source, in lengths of a topic's vector.
const TOPICS: u32 = 256;
const SOURCE_SPREAD: f32 = 0.7;
const CHUNK_SPREAD: f32 = 0.5;

/// Different words, and words of a chunk.
const VOCABULARY: u32 = 30_000;
const WORDS: std::ops::RangeInclusive<u32> = 30..=80;

/// The most usual words are no words of a query, as stop words are not.
const STOP_WORDS: u16 = 100;

/// The number of the first owner without a fixed share.
const FIRST_OTHER: u32 = 1_000;

/// Words of a query.
const QUERY_WORDS: usize = 3;

/// The chunks. They are numbered, and those of a source follow one another.
pub(super) struct Corpus {
    pub(super) dims: usize,
    /// All vectors, one after the other, each of length 1.
    vectors: Vec<f32>,
    /// The numbers of the words of each chunk.
    words: Vec<Box<[u16]>>,
    /// The owner of each source.
    pub(super) owners: Vec<u32>,
}

/// A question.
pub(super) struct Question {
    pub(super) vector: Vec<f32>,
    pub(super) words: Vec<u16>,
}

impl Question {
    /// Its words as somebody would write them.
    pub(super) fn text(&self) -> String {
        self.words.iter().map(|word| format!("w{word}")).collect::<Vec<_>>().join(" ")
    }
}

/// Owners whose share of all sources is exact: the number of the owner and the share.
pub(super) struct Shares(pub(super) Vec<(u32, f64)>);

impl Corpus {
    /// Makes so many chunks. The first owners have the given shares in percent; the other sources are those of `owners` others.
    pub(super) fn new(chunks: u32, dims: usize, owners: u32, shares: &Shares, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let sources = (chunks / CHUNKS_PER_SOURCE).max(1);
        let topics: Vec<Vec<f32>> = (0..TOPICS).map(|_| gauss(&mut rng, dims)).collect();
        let mut corpus = Self { dims, vectors: Vec::new(), words: Vec::new(), owners: Vec::new() };
        corpus.vectors.reserve_exact(chunks as usize * dims);
        for _ in 0..sources {
            let topic = &topics[rng.random_range(0..topics.len())];
            let source = beside(&mut rng, topic, SOURCE_SPREAD);
            for _ in 0..CHUNKS_PER_SOURCE {
                let vector = unit(beside(&mut rng, &source, CHUNK_SPREAD));
                corpus.vectors.extend(vector);
                let number = rng.random_range(WORDS);
                corpus.words.push((0..number).map(|_| zipf(&mut rng, VOCABULARY)).collect());
            }
            corpus.owners.push(FIRST_OTHER + u32::from(zipf(&mut rng, owners)));
        }
        corpus.deal(shares, &mut rng);
        corpus
    }

    /// Gives the first owners their shares, of sources by chance.
    fn deal(&mut self, shares: &Shares, rng: &mut StdRng) {
        let mut free: Vec<usize> = (0..self.owners.len()).collect();
        for (owner, percent) in &shares.0 {
            let wanted = (self.owners.len() as f64 * percent / 100.0).round().max(1.0) as usize;
            for _ in 0..wanted.min(free.len()) {
                let source = free.swap_remove(rng.random_range(0..free.len()));
                self.owners[source] = *owner;
            }
        }
    }

    pub(super) fn chunks(&self) -> u32 {
        self.words.len() as u32
    }

    pub(super) fn vector(&self, chunk: u32) -> &[f32] {
        let start = chunk as usize * self.dims;
        &self.vectors[start..start + self.dims]
    }

    pub(super) fn words(&self, chunk: u32) -> &[u16] {
        &self.words[chunk as usize]
    }

    /// The chunks of an owner; all of them where none is named.
    pub(super) fn of_owner(&self, owner: Option<u32>) -> Vec<u32> {
        let is_theirs =
            |chunk: &u32| owner.is_none_or(|owner| self.owners[(chunk / CHUNKS_PER_SOURCE) as usize] == owner);
        (0..self.chunks()).filter(is_theirs).collect()
    }

    /// Questions about chunks by chance, whosesoever they are.
    pub(super) fn questions(&self, number: u32, seed: u64) -> Vec<Question> {
        let mut rng = StdRng::seed_from_u64(seed ^ 0x5eed);
        (0..number)
            .map(|_| {
                let about = rng.random_range(0..self.chunks());
                let vector = unit(beside(&mut rng, self.vector(about), CHUNK_SPREAD));
                let mut rare: Vec<u16> = self.words(about).iter().copied().filter(|word| *word >= STOP_WORDS).collect();
                rare.sort_unstable();
                rare.dedup();
                let words = (0..QUERY_WORDS.min(rare.len())).map(|_| rare.swap_remove(rng.random_range(0..rare.len())));
                let mut words: Vec<u16> = words.collect();
                if words.is_empty() {
                    words.push(STOP_WORDS);
                }
                Question { vector, words }
            })
            .collect()
    }
}

/// How often each of these words occurs in a chunk.
pub(super) fn frequencies(words: &[u16], wanted: &[u16]) -> HashMap<u16, u32> {
    let mut found = HashMap::new();
    for word in words.iter().filter(|word| wanted.contains(word)) {
        *found.entry(*word).or_insert(0) += 1;
    }
    found
}

/// The ids of rows, by their number.
pub(super) fn source_id(number: u32) -> Uuid {
    Uuid::from_u128(0xa000_0000_0000_4000_8000_0000_0000_0000 + u128::from(number))
}

pub(super) fn chunk_id(number: u32) -> Uuid {
    // Spread, as ids are that are made by chance.
    let spread = u128::from(number.wrapping_mul(2_654_435_761));
    Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0000 + (spread << 96) + u128::from(number))
}

pub(super) fn chunk_number(id: Uuid) -> u32 {
    (id.as_u128() & 0xffff_ffff) as u32
}

pub(super) fn user_id(owner: u32) -> Uuid {
    Uuid::from_u128(0xb000_0000_0000_4000_8000_0000_0000_0000 + u128::from(owner))
}

/// A number below `most`, the `n`th with a probability of about 1/n.
fn zipf(rng: &mut StdRng, most: u32) -> u16 {
    let number = (rng.random::<f64>() * f64::from(most).ln()).exp();
    (number as u32 - 1).min(most - 1) as u16
}

/// A direction by chance, of length 1 or about that.
fn gauss(rng: &mut StdRng, dims: usize) -> Vec<f32> {
    let scale = (1.0 / dims as f32).sqrt();
    (0..dims).map(|_| normal(rng) * scale).collect()
}

fn beside(rng: &mut StdRng, center: &[f32], spread: f32) -> Vec<f32> {
    let scale = spread / (center.len() as f32).sqrt();
    center.iter().map(|number| number + normal(rng) * scale).collect()
}

/// A number of the normal distribution, by Box and Muller.
fn normal(rng: &mut StdRng) -> f32 {
    let (a, b): (f32, f32) = (1.0 - rng.random::<f32>(), rng.random());
    (-2.0 * a.ln()).sqrt() * (std::f32::consts::TAU * b).cos()
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|number| *number /= length);
    vector
}
