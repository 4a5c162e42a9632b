//! Puts the statements of searches together. Their texts consist of constants of the program and of two numbers of a model, so nothing
//! of a request can become SQL; each text exists once.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use super::plan::Vectors;
use super::sql;
use super::words::MAX_TERMS;

/// Statements that are kept. There are some hundred for each model; beyond this number something is wrong.
const MAX_TEXTS: usize = 20_000;

/// Which statement.
#[expect(clippy::struct_excessive_bools, reason = "each is a part that a statement has or has not")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    /// How vectors are compared, with the number and the dimensions of their model; none where they are not.
    pub(super) vectors: Option<(Vectors, i16, u16)>,
    /// How many terms are looked for; none where words are not.
    pub(super) terms: Option<usize>,
    /// Whether misspelt words are looked for, and nothing else.
    pub(super) alike: bool,
    /// Whether sources are named where vectors are compared.
    pub(super) sources: bool,
    /// Whether sources are named where words are looked for.
    pub(super) word_sources: bool,
    /// Whether only the caller's own sources count.
    pub(super) own: bool,
    /// Whether `meta` must contain something.
    pub(super) meta: bool,
    /// Whether candidates are found by words of their `meta`.
    pub(super) candidates: bool,
    /// Whether the vectors of the chunks are returned.
    pub(super) returns_vectors: bool,
    /// Whether the places of chunks in both lists are added, and not their scores.
    pub(super) by_places: bool,
}

/// A parameter of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Param {
    Bases,
    Sources,
    Meta,
    Words,
    Vector,
    Over,
    Pool,
    Any,
    Visible,
    Weight,
    Text,
    Term(usize),
}

/// The names of parameters and their types. A name must not begin with another one that comes before it.
const PARAMS: [(&str, Param, &str); 11] = [
    (":bases", Param::Bases, "::uuid[]"),
    (":sources", Param::Sources, "::uuid[]"),
    (":meta", Param::Meta, "::text::jsonb"),
    (":words", Param::Words, "::text::tsquery"),
    (":vector", Param::Vector, "::text::vector"),
    (":over", Param::Over, "::text::bigint"),
    (":pool", Param::Pool, "::text::bigint"),
    (":any", Param::Any, "::text::tsquery"),
    (":visible", Param::Visible, "::text::bigint"),
    (":weight", Param::Weight, "::text::float8"),
    (":text", Param::Text, "::text"),
];

/// A statement and its parameters, in their order.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) text: &'static str,
    pub(super) params: Vec<Param>,
}

static TEXTS: LazyLock<Mutex<HashMap<Shape, &'static Statement>>> = LazyLock::new(Mutex::default);

/// The statement of a shape; none if there are too many.
pub(super) fn statement(shape: Shape) -> Option<&'static Statement> {
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = texts.get(&shape) {
        return Some(known);
    }
    if texts.len() >= MAX_TEXTS {
        return None;
    }
    let (text, params) = numbered(&written(shape));
    let made = Box::leak(Box::new(Statement { text: Box::leak(text.into_boxed_str()), params }));
    texts.insert(shape, made);
    Some(made)
}

fn written(shape: Shape) -> String {
    let parts = |always: &str, some: [(bool, &str); 4]| {
        some.iter().filter(|(is_there, _)| *is_there).fold(always.to_owned(), |text, (_, part)| text + part)
    };
    let chunk = parts(
        sql::CHUNK,
        [
            (shape.sources, sql::CHUNK_SOURCES),
            (shape.own, sql::CHUNK_OWN),
            (shape.meta, sql::CHUNK_META),
            (shape.candidates, sql::CHUNK_CANDIDATES),
        ],
    );
    let words = parts(
        sql::WORDS,
        [
            (shape.word_sources, sql::WORDS_SOURCES),
            (shape.own, sql::WORDS_OWN),
            (shape.meta, sql::WORDS_META),
            (false, ""),
        ],
    );
    let mut tables = Vec::new();
    if let Some((vectors, model, dims)) = shape.vectors {
        let text = if vectors == Vectors::Exact { sql::EXACT } else { sql::GRAPH };
        tables.push(
            text.replace("{model}", &model.to_string()).replace("{dims}", &dims.to_string()).replace("{chunk}", &chunk),
        );
    }
    if let Some(terms) = shape.terms {
        tables.extend(ranking(terms, &words, shape.vectors.is_some() && !shape.by_places));
    }
    tables.push(if shape.alike {
        sql::ALIKE.replace("{chunk}", &chunk)
    } else {
        let scores = match (shape.vectors.is_some(), shape.terms.is_some()) {
            (true, true) if shape.by_places => sql::BY_PLACES,
            (true, true) => sql::BY_BOTH,
            (_, false) => sql::BY_VECTOR,
            (false, true) => sql::BY_WORDS,
        };
        scores.replace("{model}", &shape.vectors.map_or(0, |(_, model, _)| model).to_string())
    });
    let embedding = if shape.returns_vectors { "c.embedding::text" } else { "null" };
    let near = if shape.vectors.is_some() { sql::NEAR } else { "null" };
    let chunks = sql::CHUNKS.replace("{embedding}", embedding).replace("{near}", near);
    format!("with {}{chunks}", tables.join(",\n"))
}

/// The tables that score chunks by so many terms: the best of them, and those that are near where `near`.
fn ranking(terms: usize, words: &str, near: bool) -> Vec<String> {
    let each = |part: &str, glue: &str| {
        let one = |n: usize| part.replace("{n}", &n.to_string()).replace(":term", &format!(":term{n}."));
        (0..terms.min(MAX_TERMS)).map(one).collect::<Vec<_>>().join(glue)
    };
    let scores = sql::SCORES.replace("{sum}", &each(sql::TERM, " + "));
    let of = |table: &str, chunks: &str| table.replace("{scores}", &scores.replace("{chunks}", chunks));
    let mut tables = vec![
        sql::MATCHES.replace("{frequencies}", &each(sql::FREQUENCY, "")).replace("{words}", words),
        sql::STATISTICS.replace("{weights}", &each(sql::WEIGHT, "")),
        of(sql::RANKED, sql::ALL_MATCHES),
    ];
    if near {
        tables.push(of(sql::OF_NEAR, sql::NEAR_MATCHES));
    }
    tables
}

/// Puts numbers in the place of names.
fn numbered(named: &str) -> (String, Vec<Param>) {
    let (mut text, mut params) = (named.to_owned(), Vec::new());
    let terms = (0..MAX_TERMS).map(|n| (format!(":term{n}."), Param::Term(n), "::text::tsquery"));
    let all = PARAMS.iter().map(|(name, param, cast)| ((*name).to_owned(), *param, *cast)).chain(terms);
    for (name, param, cast) in all {
        if text.contains(&name) && (name != ":text" || named.contains("(:text,")) {
            params.push(param);
            let number = format!("${}{cast}", params.len());
            // A cast has two colons, so its second one begins no name.
            text = text.replace("::", "\u{1}").replace(&name, &number).replace('\u{1}', "::");
        }
    }
    (text, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        Shape {
            vectors: None,
            terms: None,
            alike: false,
            sources: false,
            word_sources: false,
            own: false,
            meta: false,
            candidates: false,
            returns_vectors: false,
            by_places: false,
        }
    }

    #[test]
    fn every_shape_is_one_statement_with_all_its_parameters() {
        for vectors in [None, Some(Vectors::Exact), Some(Vectors::Graph)] {
            for terms in [None, Some(1), Some(3), Some(MAX_TERMS)] {
                for flags in 0..64_u32 {
                    let bit = |n: u32| flags & (1 << n) != 0;
                    let alike = vectors.is_none() && terms.is_none();
                    let made = statement(Shape {
                        vectors: vectors.map(|vectors| (vectors, 7, 384)),
                        terms,
                        alike,
                        sources: bit(0),
                        word_sources: bit(0),
                        own: bit(1),
                        meta: bit(2),
                        candidates: bit(3),
                        returns_vectors: bit(4),
                        by_places: bit(5),
                    })
                    .expect("not too many");
                    let rest = made.text.replace("::", "");
                    assert!(
                        !rest.contains(':') && !made.text.contains('{') || made.text.contains("'{1,1,1,1}'"),
                        "{}",
                        made.text
                    );
                    assert!(!rest.contains(':'), "{}", made.text);
                    for number in 1..=made.params.len() {
                        assert!(made.text.contains(&format!("${number}::")), "{number} in {}", made.text);
                    }
                    assert!(!made.text.contains(&format!("${}::", made.params.len() + 1)));
                }
            }
        }
    }

    #[test]
    fn a_text_is_made_once() {
        let one = Shape { vectors: Some((Vectors::Exact, 1, 3)), ..shape() };
        assert!(std::ptr::eq(statement(one).expect("one"), statement(one).expect("the same")));
    }
}
