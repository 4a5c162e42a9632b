//! Puts the answers of several searches together.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use behalf_contracts::RetrievedChunk;
use uuid::Uuid;

/// A chunk that was found, with its vector where that is needed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hit {
    pub(super) chunk: RetrievedChunk,
    pub(super) vector: Vec<f32>,
}

/// The usual constant of reciprocal rank fusion.
const K: f32 = 60.0;

/// One list as it is. Several, whose scores cannot be compared, by the place of each chunk in its list.
pub(super) fn merge(mut lists: Vec<Vec<Hit>>) -> Vec<Hit> {
    if lists.len() < 2 {
        return lists.pop().unwrap_or_default();
    }
    let mut merged: HashMap<Uuid, Hit> = HashMap::new();
    for list in lists {
        let mut place = K;
        for mut hit in list {
            place += 1.0;
            hit.chunk.score = (K + 1.0) / place;
            // A list for another model knows a chunk by its words alone.
            match merged.entry(hit.chunk.chunk_id) {
                Entry::Occupied(known) if known.get().chunk.score >= hit.chunk.score => {}
                entry => {
                    entry.insert_entry(hit);
                }
            }
        }
    }
    let mut hits: Vec<Hit> = merged.into_values().collect();
    sort(&mut hits);
    hits
}

/// The best first; equal ones by their ids, so that the order is always the same.
pub(super) fn sort(hits: &mut [Hit]) {
    hits.sort_by(|a, b| b.chunk.score.total_cmp(&a.chunk.score).then(a.chunk.chunk_id.cmp(&b.chunk.chunk_id)));
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::Value;

    use super::*;

    pub(in super::super) fn hit(id: u128, score: f32, vector: &[f32]) -> Hit {
        let chunk = RetrievedChunk {
            chunk_id: Uuid::from_u128(id),
            source_id: Uuid::nil(),
            source_name: None,
            knowledge_base_id: None,
            text: String::new(),
            score,
            meta: Value::Null,
        };
        Hit { chunk, vector: vector.to_vec() }
    }

    #[test]
    fn one_list_stays_as_it_is_and_several_take_turns() {
        let one = vec![hit(1, 0.9, &[]), hit(2, 0.1, &[])];
        assert_eq!(merge(vec![one.clone()]), one);
        let merged = merge(vec![one, vec![hit(3, 0.2, &[]), hit(4, 0.1, &[])]]);
        let ids: Vec<u128> = merged.iter().map(|hit| hit.chunk.chunk_id.as_u128()).collect();
        assert_eq!(ids, [1, 3, 2, 4]);
        assert!(merge(Vec::new()).is_empty());
        let twice = merge(vec![vec![hit(1, 0.9, &[]), hit(2, 0.1, &[])], vec![hit(2, 0.9, &[]), hit(3, 0.1, &[])]]);
        let scores: Vec<(u128, f32)> =
            twice.iter().map(|hit| (hit.chunk.chunk_id.as_u128(), hit.chunk.score)).collect();
        assert_eq!(scores, [(1, 1.0), (2, 1.0), (3, 61.0 / 62.0)], "the better of its places counts");
    }
}
