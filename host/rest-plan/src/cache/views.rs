//! Which base column each column of a view shows.

use std::collections::HashMap;

use super::wire::Oid;

/// A column of a relation, by number.
pub(super) type Place = (Oid, i16);

/// Views may stand on views; this ends a cycle, which rules of old databases can have.
const MAX_NESTING: usize = 32;

/// For each view, its columns with the base columns that they show, at every level down to tables.
pub(super) fn base_columns(views: &[(Oid, String)]) -> HashMap<Oid, Vec<(i16, Place)>> {
    let direct: HashMap<Oid, Vec<(i16, Place)>> = views.iter().map(|(oid, text)| (*oid, entries(text))).collect();
    let mut all = HashMap::with_capacity(direct.len());
    for (view, entries) in &direct {
        let mut found = Vec::with_capacity(entries.len());
        for (column, place) in entries {
            let mut place = *place;
            for _ in 0..MAX_NESTING {
                found.push((*column, place));
                let below = direct.get(&place.0).and_then(|below| below.iter().find(|(number, _)| *number == place.1));
                match below {
                    Some((_, next)) => place = *next,
                    None => break,
                }
            }
        }
        all.insert(*view, found);
    }
    all
}

/// Reads the target entries of the outermost query.
///
/// The text has only braces and the three numbers of each entry. The query is at depth one, so its entries are at two.
fn entries(text: &str) -> Vec<(i16, Place)> {
    let mut depth = 0_u32;
    let mut entry = (None, None, None);
    let mut found = Vec::new();
    for piece in text.split_inclusive(['{', '}', ':']) {
        // A piece is the text before a separator, with the separator; numbers stand before the next `:` or `}`.
        if depth == 2 {
            let mut words = piece.trim_end_matches(['{', '}', ':']).split(' ');
            match (words.next(), words.next()) {
                (Some("resno"), Some(number)) => entry.0 = number.parse().ok(),
                (Some("resorigtbl"), Some(number)) => entry.1 = number.parse().ok(),
                (Some("resorigcol"), Some(number)) => entry.2 = number.parse().ok(),
                _ => {}
            }
        }
        if piece.ends_with('{') {
            depth += 1;
        } else if piece.ends_with('}') {
            if depth == 2
                && let (Some(column), Some(table), Some(base)) = std::mem::take(&mut entry)
                && table != 0
            {
                found.push((column, (table, base)));
            }
            depth = depth.saturating_sub(1);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{base_columns, entries};

    #[test]
    fn only_the_outermost_entries_count() {
        let text = "{{{{}:resno 1:resorigtbl 5:resorigcol 6}}{}{{}:resno 1:resorigtbl 16405:resorigcol 1}\
                    {{{{}:resno 9:resorigtbl 9:resorigcol 9}}:resno 2:resorigtbl 0:resorigcol 0}\
                    {{}:resno 3:resorigtbl 16405:resorigcol 3}}";
        assert_eq!(entries(text), [(1, (16405, 1)), (3, (16405, 3))]);
    }

    #[test]
    fn a_view_on_a_view_shows_both_levels_and_a_cycle_ends() {
        let entry = |table: u64| format!("{{{{{{}}:resno 1:resorigtbl {table}:resorigcol 1}}}}");
        let nested = base_columns(&[(1, entry(2)), (2, entry(3))]);
        assert_eq!(nested.get(&1).map(Vec::as_slice), Some([(1, (2, 1)), (1, (3, 1))].as_slice()));
        let cycle = base_columns(&[(1, entry(2)), (2, entry(1))]);
        assert!(cycle.get(&1).is_some_and(|found| found.len() <= 40));
    }
}
