//! What tells whose a text is: the word that marks a user's texts, and every value that is in this user's rows alone, also in the
//! fields and arrays inside of a column.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::caller::{ALICE, ALICE_MARK, BOB, BOB_MARK, Caller};
use crate::leaves::leaves;
use crate::test_bed::Rows;

/// Bytes that a value has at least, so that no text contains it by accident.
const SHORTEST: usize = 6;
/// Digits that a number has at least, for the same reason.
const DIGITS: usize = 6;
/// Bytes of a long text that are looked for, at its beginning and at its end: a tool may cut it.
const PIECE: usize = 48;
/// Values of one user that are looked for.
const MOST: usize = 5_000;

/// The marks of the two users.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    alice: Values,
    bob: Values,
}

/// Values of one user, by their first bytes.
type Values = HashMap<[u8; SHORTEST], Vec<String>>;

impl Marks {
    /// The values that are in the rows of one user and in no other row.
    pub(crate) fn of(rows: &Rows) -> Self {
        let (mut alice, mut bob, mut others) = (HashSet::new(), HashSet::new(), Vec::new());
        for row in rows.values().flatten() {
            let found = leaves(row).into_iter().flat_map(|(_, value)| marks_in(value));
            match owner(row) {
                Some(Caller::Alice) => alice.extend(found),
                Some(_) => bob.extend(found),
                None => others.extend(texts(row)),
            }
        }
        let of_everybody = others.join("\n");
        Self { alice: only(&alice, &bob, &of_everybody), bob: only(&bob, &alice, &of_everybody) }
    }

    /// The first mark of another user in a text, with whose it is. What the caller has sent is no news to this caller.
    pub(crate) fn foreign(&self, caller: Caller, text: &str, sent: &str) -> Option<String> {
        let of = |mark: &str, values: &Values, owner: &str| {
            let word = marked_word(text, mark, sent).or_else(|| value_in(text, values, sent));
            word.map(|word| format!("{word:?}, which is {owner}'s"))
        };
        let (alice, bob) = (|| of(ALICE_MARK, &self.alice, "alice"), || of(BOB_MARK, &self.bob, "bob"));
        match caller {
            Caller::Alice => bob(),
            Caller::Bob => alice(),
            Caller::Anon => alice().or_else(bob),
            Caller::Service => None,
        }
    }
}

/// The only user that a row names.
fn owner(row: &Value) -> Option<Caller> {
    let text = row.to_string();
    let names = |id: &str, mark: &str| text.contains(id) || text.contains(mark);
    match (names(ALICE, ALICE_MARK), names(BOB, BOB_MARK)) {
        (true, false) => Some(Caller::Alice),
        (false, true) => Some(Caller::Bob),
        _ => None,
    }
}

fn texts(row: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    leaves(row).into_iter().map(|(_, value)| text(value)).collect()
}

/// The forms in which a value can be told from others.
fn marks_in(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) if is_telling(text) => pieces(text),
        Value::Number(number) => {
            let text = number.to_string();
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            // A database writes amounts with two places.
            let cents = number.as_f64().filter(|_| text.contains('.')).map(|float| format!("{float:.2}"));
            let forms = std::iter::once(text).chain(cents).filter(|form| form.len() >= SHORTEST);
            if digits >= DIGITS { forms.collect() } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}

/// Whether a text is of one row: no word that a tool may have of its own, no date, and not the id of a user, which everybody may know.
fn is_telling(text: &str) -> bool {
    let shape = text.bytes().take(10).map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    let is_date = shape.eq(*b"0000-00-00");
    let has_digits = text.bytes().filter(u8::is_ascii_digit).count() >= 2;
    let has_words = text.len() >= 2 * SHORTEST && text.contains(' ');
    text.len() >= SHORTEST && (has_digits || has_words) && !is_date && ![ALICE, BOB].contains(&text)
}

fn pieces(text: &str) -> Vec<String> {
    if text.len() <= 2 * PIECE {
        return vec![text.to_owned()];
    }
    let (end, begin) = (text.floor_char_boundary(PIECE), text.ceil_char_boundary(text.len() - PIECE));
    // Whole words, as they are looked for.
    let head = text.get(..end).and_then(|head| head.rsplit_once(' ')).map(|(head, _)| head);
    let tail = text.get(begin..).and_then(|tail| tail.split_once(' ')).map(|(_, tail)| tail);
    [head, tail].into_iter().flatten().filter(|piece| is_telling(piece)).map(str::to_owned).collect()
}

/// The values that are in no text of another user or of everybody.
fn only(own: &HashSet<String>, other: &HashSet<String>, of_everybody: &str) -> Values {
    let is_known = |value: &str| of_everybody.contains(value) || other.iter().any(|text| text.contains(value));
    let mut own: Vec<_> = own.iter().filter(|value| !is_known(value)).collect();
    own.sort();
    let mut found = Values::new();
    for value in own.into_iter().take(MOST) {
        if let Some(key) = first_bytes(value) {
            found.entry(key).or_default().push(value.clone());
        }
    }
    found
}

fn first_bytes(text: &str) -> Option<[u8; SHORTEST]> {
    text.as_bytes().first_chunk().copied()
}

/// The first word with a user's mark that the caller did not send.
fn marked_word(text: &str, mark: &str, sent: &str) -> Option<String> {
    text.match_indices(mark).find_map(|(place, _)| {
        let rest = text.get(place..)?;
        let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').take(60).collect();
        (!sent.contains(&word)).then_some(word)
    })
}

/// The first of a user's values that is in the text as a whole word, and that the caller did not send.
fn value_in(text: &str, values: &Values, sent: &str) -> Option<String> {
    if values.is_empty() {
        return None;
    }
    let bytes = text.as_bytes();
    let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    bytes.windows(SHORTEST).enumerate().find_map(|(place, window)| {
        if is_word(place.checked_sub(1).and_then(|before| bytes.get(before))) {
            return None;
        }
        let here = bytes.get(place..)?;
        let fits = |value: &&String| here.starts_with(value.as_bytes()) && !is_word(here.get(value.len()));
        values.get(window)?.iter().find(fits).filter(|value| !sent.contains(value.as_str())).cloned()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn marks() -> Marks {
        Marks::of(&Rows::from([
            (
                "public.places".to_owned(),
                vec![
                    json!({"owner": BOB, "detail": {"street": "17 Harbour Lane", "codes": [["red-40-77"]], "paid": 17042.17}}),
                    json!({"owner": ALICE, "detail": {"street": "33 Mill Road", "city": "Port Town 22"}}),
                    json!({"owner": BOB, "detail": {"city": "Port Town 22", "state": "archived", "on": "2026-04-02T10:00:00"}, "id": 8}),
                ],
            ),
            ("public.codes".to_owned(), vec![json!({"code": "all: red-40-77"})]),
        ]))
    }

    #[test]
    fn every_value_of_one_user_alone_is_a_mark() {
        let marks = marks();
        let seen = |text: &str| marks.foreign(Caller::Alice, text, "{}");
        assert!(seen("{\"street\": \"17 Harbour Lane\"}").is_some_and(|seen| seen.contains("bob's")));
        assert!(seen("paid\n17042.17\n").is_some());
        assert!(seen("see mark_bob_notes_car").is_some());
        for harmless in [
            "117 Harbour Lanes",
            "217042.175",
            "33 Mill Road",
            "Port Town 22",
            "red-40-77",
            "archived",
            BOB,
            "2026-04-02T10:00:00",
        ] {
            assert_eq!(seen(harmless), None, "{harmless}");
        }
        assert!(marks.foreign(Caller::Bob, "at 33 Mill Road.", "{}").is_some());
        assert!(marks.foreign(Caller::Anon, "at 33 Mill Road.", "{}").is_some());
        assert_eq!(marks.foreign(Caller::Service, "at 33 Mill Road.", "{}"), None);
    }

    #[test]
    fn a_long_text_is_told_by_its_beginning_and_its_end() {
        let text = format!("The {} first and the {} last words of it", "long ".repeat(30), "other ".repeat(30));
        let rows = Rows::from([("public.notes".to_owned(), vec![json!({"owner": BOB, "body": text.trim()})])]);
        let marks = Marks::of(&rows);
        assert!(marks.foreign(Caller::Alice, text.get(..100).unwrap_or_default(), "{}").is_some());
        assert!(marks.foreign(Caller::Alice, &format!("… {}", text.get(60..).unwrap_or_default()), "{}").is_some());
    }

    #[test]
    fn what_a_caller_sent_is_no_news() {
        let marks = marks();
        let foreign = |text: &str| marks.foreign(Caller::Alice, text, "{\"a\": \"17 Harbour Lane, mark_bob_x\"}");
        assert_eq!(foreign("There is no 17 Harbour Lane."), None);
        assert_eq!(foreign("There is no mark_bob_x."), None);
        assert!(foreign("mark_bob_x and mark_bob_y").is_some());
    }
}
