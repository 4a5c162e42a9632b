//! A plain BM25 without stemming and without a list of stop words, as a measure for the search by words.

use std::collections::HashMap;

use super::score::ranked;

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// An index of documents.
#[derive(Debug)]
pub(super) struct Bm25 {
    /// For each word the documents that have it, and how often.
    places: HashMap<String, Vec<(usize, f64)>>,
    numbers: Vec<u32>,
    lengths: Vec<f64>,
    mean_length: f64,
}

impl Bm25 {
    /// Reads documents with their numbers.
    pub(super) fn new<'a>(documents: impl Iterator<Item = (u32, &'a str)>) -> Self {
        let mut index = Self { places: HashMap::new(), numbers: Vec::new(), lengths: Vec::new(), mean_length: 0.0 };
        for (place, (number, text)) in documents.enumerate() {
            let mut counted = HashMap::<String, f64>::new();
            words(text).for_each(|word| *counted.entry(word).or_default() += 1.0);
            index.numbers.push(number);
            index.lengths.push(counted.values().sum());
            for (word, times) in counted {
                index.places.entry(word).or_default().push((place, times));
            }
        }
        index.mean_length = index.lengths.iter().sum::<f64>() / count(index.lengths.len()).max(1.0);
        index
    }

    /// Documents that have any word of the question, the best first.
    pub(super) fn search(&self, question: &str) -> Vec<u32> {
        let mut scores = HashMap::<usize, f64>::new();
        let mut asked: Vec<String> = words(question).collect();
        asked.sort();
        asked.dedup();
        for found in asked.iter().filter_map(|word| self.places.get(word)) {
            let idf = (1.0 + (count(self.numbers.len()) - count(found.len()) + 0.5) / (count(found.len()) + 0.5)).ln();
            for (place, times) in found {
                let length = self.lengths.get(*place).copied().unwrap_or_default() / self.mean_length;
                *scores.entry(*place).or_default() += idf * times * (K1 + 1.0) / (times + K1 * (1.0 - B + B * length));
            }
        }
        let listed = scores.into_iter().filter_map(|(place, score)| Some((*self.numbers.get(place)?, score)));
        ranked(listed.collect())
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rare_word_counts_more_than_a_frequent_one() {
        let texts = [(1, "the wing"), (2, "the wing lifts"), (3, "the heat"), (4, "The wing, the wing")];
        let index = Bm25::new(texts.into_iter());
        assert_eq!(index.search("heat of the wing").first(), Some(&3));
        assert_eq!(index.search("lifts").as_slice(), [2]);
        assert!(index.search("unknown").is_empty());
    }
}
