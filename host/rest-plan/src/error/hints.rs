//! Names that are close to one that was not found.

/// The beginning of a text in lower case.
fn lower(text: &str) -> impl Iterator<Item = char> {
    text.chars().take(MAX_LENGTH).flat_map(char::to_lowercase)
}

/// How alike two names are, from 0 to 1, by the edits between them.
fn likeness(one: &str, other: &str) -> f64 {
    let one: Vec<char> = lower(one).collect();
    let other: Vec<char> = lower(other).collect();
    let longest = one.len().max(other.len()).max(1);
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, left) in one.iter().enumerate() {
        let mut corner = line;
        let mut last = line + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(&other) {
            let replaced = corner + usize::from(left != right);
            corner = *cell;
            last = replaced.min(*cell + 1).min(last + 1);
            *cell = last;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "names have at most a few hundred characters")]
    let share = row.last().copied().unwrap_or(longest) as f64 / longest as f64;
    1.0 - share
}

/// Letters, digits, blanks and commas, in lower case, with a dash on both sides.
fn plain(text: &str) -> String {
    let kept = lower(text).filter(|next| next.is_alphanumeric() || matches!(next, ' ' | ','));
    std::iter::once('-').chain(kept).chain(['-']).collect()
}

/// Texts without a pair of characters in common are not alike, however short they are.
fn share_a_pair(one: &str, other: &str) -> bool {
    let pairs = |text: &str| text.chars().zip(text.chars().skip(1)).collect::<Vec<_>>();
    let others = pairs(other);
    pairs(one).iter().any(|pair| others.contains(pair))
}

/// Longer texts are compared by their beginnings.
const MAX_LENGTH: usize = 256;
/// A schema with more names than this is not searched, as the search looks at all of them.
const MAX_NAMES: usize = 2_000;

/// A name that is longer is like none that there is.
pub(super) const MAX_NAME_BYTES: usize = 128;

/// The name that is most like the wanted one, if it is alike enough.
pub(super) fn closest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>, least: f64) -> Option<&'n str> {
    if wanted.len() > MAX_NAME_BYTES { None } else { closest_text(wanted, names, least) }
}

/// The same for a text that is longer than a name.
pub(super) fn closest_text<'n>(wanted: &str, names: impl Iterator<Item = &'n str>, least: f64) -> Option<&'n str> {
    let pairs = plain(wanted);
    names
        .take(MAX_NAMES)
        .map(|name| (plain(name), name))
        .filter(|(plain, _)| share_a_pair(&pairs, plain))
        .map(|(_, name)| (likeness(wanted, name), name))
        .filter(|(likeness, _)| *likeness >= least)
        .max_by(|one, other| one.0.total_cmp(&other.0).then_with(|| other.1.cmp(one.1)))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn the_closest_name_is_found() {
        assert_eq!(closest("project", ["clients", "projects"].into_iter(), 0.75), Some("projects"));
        let long = "projects".repeat(20);
        assert_eq!(closest(&long, [long.as_str()].into_iter(), 0.33), None);
        assert_eq!(closest("zzz", ["clients", "projects"].into_iter(), 0.33), None);
    }
}
