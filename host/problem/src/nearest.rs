//! The name that somebody meant who wrote another one.

/// Names of more than this differ by a third at most.
const MOST_EDITS: usize = 3;

/// The name among `known` that `name` is probably meant to be: the one that differs by the fewest letters, where these are few.
/// Capitals, `_` and `-` do not count.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = letters(name);
    let most = (wanted.len() / 3).min(MOST_EDITS);
    let with_distance = known.into_iter().map(|one| (distance(&wanted, &letters(one)), one));
    with_distance.filter(|(edits, _)| *edits <= most).min_by_key(|(edits, _)| *edits).map(|(_, one)| one)
}

fn letters(name: &str) -> Vec<char> {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Letters that are inserted, deleted, replaced or swapped with their neighbour to make one of the other: the optimal string alignment
/// distance (<https://en.wikipedia.org/wiki/Damerau%E2%80%93Levenshtein_distance>).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, to) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(from != to);
            let mut fewest = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            let is_swapped = i > 0 && j > 0 && a[i - 1] == *to && *from == b[j - 1];
            if is_swapped {
                fewest = fewest.min(before_last[j - 1] + 1);
            }
            row.push(fewest);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood_and_other_words_are_not() {
        let known = ["max_steps", "max_tokens", "temperature", "storage", "storage_uploads", "rest"];
        for (written, meant) in [
            ("maxsteps", Some("max_steps")),
            ("maxSteps", Some("max_steps")),
            ("max_step", Some("max_steps")),
            ("temprature", Some("temperature")),
            ("temperatrue", Some("temperature")),
            ("STORAG", Some("storage")),
            ("storage-uploads", Some("storage_uploads")),
            ("note", None),
            ("api_key", None),
            ("", None),
            ("rset", Some("rest")),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
    }
}
