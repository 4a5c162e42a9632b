//! The functions and operators whose cost grows faster than their input, in code that the server cannot interrupt.
//!
//! One such call on large values runs for minutes, through `pg_cancel_backend` and `pg_terminate_backend`. So the size of
//! what they get is bounded. `docs/statement-costs.md` has the measurements from which these figures come; the aim is about
//! one second for one call.

/// The schema and name of the function that checks the size of a value on the server. `migrations/0013_limits.sql` creates
/// it.
pub(super) const AT_MOST: (&str, &str) = ("behalf_limits", "at_most");

/// What a call may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// The cost grows with the product of the first two arguments.
    Product {
        /// The most bytes of the first argument.
        subject: usize,
        /// The most bytes of the second argument.
        pattern: usize,
    },
    /// The cost grows with the square of the first argument: its most bytes.
    Square(usize),
    /// The cost grows with the product of both sides, and either may be the one with an index.
    Sets {
        /// The most bytes of each side.
        side: usize,
        /// The most bytes of one side if the other one is a column of a table.
        narrow: usize,
        /// Whether the right side holds the elements of the left one, and has the index.
        reversed: bool,
    },
    /// The cost grows with the product only if the second argument is an array: its most bytes.
    Second(usize),
    /// The cost grows with the square of the terms in a text query: its most bytes.
    Rank(usize),
    /// A JSON path that compares parts of its document with each other costs the square of the document.
    Path {
        /// The most bytes of the document.
        document: usize,
        /// The most bytes of the variables.
        variables: usize,
    },
    /// As [`Self::Path`], unless it is a text search.
    PathOrSearch(usize),
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

const SEARCH: Bound = Bound::Product { subject: MIB, pattern: 512 };
const CHARACTERS: Bound = Bound::Product { subject: MIB, pattern: 128 };
const LIKE: Bound = Bound::Product { subject: MIB, pattern: KIB };
const SETS: Bound = Bound::Sets { side: 32 * KIB, narrow: 8 * KIB, reversed: false };
const WORDS: Bound = Bound::Sets { side: 16 * KIB, narrow: KIB, reversed: false };
const DOCUMENT: usize = 64 * KIB;
const PATH: Bound = Bound::Path { document: DOCUMENT, variables: 4 * KIB };

/// The bounded functions, sorted. Those with `word_similarity` are of the extension `pg_trgm`, the two with `textic` of
/// `citext`. Most of them are what an operator calls, and can be called by name as well.
pub(super) const FUNCTIONS: [(&str, Bound); 35] = [
    ("btrim", CHARACTERS),
    ("jsonb_path_exists", PATH),
    ("jsonb_path_exists_tz", PATH),
    ("jsonb_path_match", PATH),
    ("jsonb_path_match_tz", PATH),
    ("jsonb_path_query", PATH),
    ("jsonb_path_query_array", PATH),
    ("jsonb_path_query_array_tz", PATH),
    ("jsonb_path_query_first", PATH),
    ("jsonb_path_query_first_tz", PATH),
    ("jsonb_path_query_tz", PATH),
    ("ltrim", CHARACTERS),
    ("normalize", Bound::Square(16 * KIB)),
    ("position", SEARCH),
    ("replace", SEARCH),
    ("rtrim", CHARACTERS),
    ("split_part", SEARCH),
    ("strict_word_similarity", WORDS),
    ("strict_word_similarity_commutator_op", WORDS),
    ("strict_word_similarity_dist_commutator_op", WORDS),
    ("strict_word_similarity_dist_op", WORDS),
    ("strict_word_similarity_op", WORDS),
    ("string_to_array", SEARCH),
    ("string_to_table", SEARCH),
    ("strpos", SEARCH),
    ("texticlike", LIKE),
    ("texticnlike", LIKE),
    ("translate", CHARACTERS),
    ("ts_rank", Bound::Rank(2 * KIB)),
    ("word_similarity", WORDS),
    ("word_similarity_commutator_op", WORDS),
    ("word_similarity_dist_commutator_op", WORDS),
    ("word_similarity_dist_op", WORDS),
    ("word_similarity_op", WORDS),
    ("xmlagg", Bound::Square(256 * KIB)),
];

/// The bounded operators, sorted. Those with `%` or an arrow and a bracket more are of `pg_trgm`.
pub(super) const OPERATORS: [(&str, Bound); 20] = [
    ("!~~", LIKE),
    ("!~~*", LIKE),
    ("%>", WORDS),
    ("%>>", WORDS),
    ("&&", SETS),
    ("-", Bound::Second(4 * KIB)),
    ("<%", WORDS),
    ("<->>", WORDS),
    ("<->>>", WORDS),
    ("<<%", WORDS),
    ("<<->", WORDS),
    ("<<<->", WORDS),
    ("<@", Bound::Sets { side: 32 * KIB, narrow: 8 * KIB, reversed: true }),
    ("?&", SETS),
    ("?|", SETS),
    ("@>", SETS),
    ("@?", PATH),
    ("@@", Bound::PathOrSearch(DOCUMENT)),
    ("~~", LIKE),
    ("~~*", LIKE),
];

/// What a function of this name may be given, or `None` if its cost needs no bound.
pub(super) fn of_function(name: &str) -> Option<Bound> {
    find(&FUNCTIONS, name)
}

/// What an operator of this name may be given, or `None` if its cost needs no bound.
pub(super) fn of_operator(name: &str) -> Option<Bound> {
    find(&OPERATORS, name)
}

fn find(table: &[(&str, Bound)], name: &str) -> Option<Bound> {
    let index = table.binary_search_by_key(&name, |(name, _)| name).ok()?;
    table.get(index).map(|(_, bound)| *bound)
}

/// What a message calls an operator: by the word that the statement has.
pub(super) fn operator_word(name: &str) -> &str {
    match name {
        "~~" => "LIKE",
        "!~~" => "NOT LIKE",
        "~~*" => "ILIKE",
        "!~~*" => "NOT ILIKE",
        other => other,
    }
}

/// Functions whose answer is no larger than a few times their arguments.
const KEEP_SIZE: [&str; 21] = [
    "btrim",
    "casefold",
    "initcap",
    "left",
    "lower",
    "ltrim",
    "plainto_tsquery",
    "phraseto_tsquery",
    "reverse",
    "right",
    "rtrim",
    "setweight",
    "split_part",
    "strip",
    "substr",
    "substring",
    "to_tsvector",
    "translate",
    "unaccent",
    "upper",
    "websearch_to_tsquery",
];

/// Whether a function's answer is no larger than a few times its arguments.
pub(super) fn keeps_size(name: &str) -> bool {
    KEEP_SIZE.contains(&name)
}

/// Whether a function gives a number, a date or a time.
pub(super) fn is_scalar(name: &str) -> bool {
    [
        "abs",
        "age",
        "avg",
        "ceil",
        "count",
        "date",
        "date_bin",
        "date_part",
        "date_trunc",
        "extract",
        "floor",
        "length",
        "make_interval",
        "now",
        "random",
        "rank",
        "round",
        "row_number",
        "sum",
        "trunc",
    ]
    .contains(&name)
}

/// Operators whose answer is no larger than both sides together, if neither has a number that grows as a text.
pub(super) fn operator_keeps_size(name: &str) -> bool {
    name == "||" || takes_part(name)
}

/// Whether the function or operator takes a part of a JSON document.
pub(super) fn takes_part(name: &str) -> bool {
    ["->", "->>", "#>", "#>>", "jsonb_extract_path", "jsonb_extract_path_text"].contains(&name)
}

/// Whether a text may be a number with an exponent, or hold one. Such a number has up to 147,455 digits as another text.
pub(super) fn may_grow(text: &str) -> bool {
    let is_digit = |character: char| character.is_ascii_digit();
    match (text.find(is_digit), text.rfind(is_digit)) {
        (Some(first), Some(last)) => text.get(first..last).is_some_and(|inner| inner.contains(['e', 'E'])),
        _ => false,
    }
}

/// Whether a value of this type of `pg_catalog` has no elements, and so costs `-` nothing.
pub(super) fn is_scalar_type(name: &str) -> bool {
    [
        "date",
        "float4",
        "float8",
        "int2",
        "int4",
        "int8",
        "interval",
        "money",
        "numeric",
        "text",
        "time",
        "timestamp",
        "timestamptz",
        "timetz",
        "varchar",
    ]
    .contains(&name)
}

/// Whether the function makes a text search: with it at either side, `@@` cannot be a JSON path.
pub(super) fn is_search(name: &str) -> bool {
    [
        "array_to_tsvector",
        "json_to_tsvector",
        "jsonb_to_tsvector",
        "phraseto_tsquery",
        "plainto_tsquery",
        "setweight",
        "strip",
        "to_tsquery",
        "to_tsvector",
        "ts_delete",
        "ts_filter",
        "tsquery_phrase",
        "websearch_to_tsquery",
    ]
    .contains(&name)
}

/// Functions that may stand in FROM beside a table without making large values.
pub(super) fn is_small_source(name: &str) -> bool {
    ["generate_series", "generate_subscripts", "now"].contains(&name) || is_search(name)
}

/// Whether each comparison in this JSON path has a literal or, if they may be, a variable at its right side. The cost of
/// such a path grows with the size of the document and not with its square.
pub(super) fn is_linear_path(path: &str, variables: bool) -> bool {
    // Without `$` nothing in the path means the document: it is a constant, or the text of a search.
    if !path.contains('$') {
        return true;
    }
    // No path begins so, but an array of paths does.
    if path.trim_start().starts_with(['{', '[']) {
        return false;
    }
    let Some(bare) = without_strings(path) else { return false };
    let mut rest = bare.as_str();
    while let Some(start) = rest.find(['=', '<', '>', '!']) {
        let (_, from) = rest.split_at(start);
        let after = from.trim_start_matches(['=', '<', '>', '!']).trim_start();
        let is_negation = from.starts_with('!') && !from.starts_with("!=");
        if !is_negation && !begins_with_literal(after, variables) {
            return false;
        }
        rest = after;
    }
    true
}

fn begins_with_literal(text: &str, variables: bool) -> bool {
    let mut characters = text.chars();
    let (first, second) = (characters.next(), characters.next());
    let word = |literal: &str| {
        text.strip_prefix(literal).is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    match first {
        Some('"' | '0'..='9') => true,
        Some('-') => second.is_some_and(|digit| digit.is_ascii_digit()),
        Some('$') => variables && second.is_some_and(|c| c.is_alphabetic() || c == '_' || c == '"'),
        _ => ["true", "false", "null"].into_iter().any(word),
    }
}

/// The path with every quoted string emptied. `None` if it has comments or escapes outside of strings, with which a quote
/// may be no quote.
fn without_strings(path: &str) -> Option<String> {
    let mut bare = String::with_capacity(path.len());
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        if matches!(character, '\\' | '\'') {
            return None;
        }
        bare.push(character);
        if character == '"' {
            loop {
                match characters.next()? {
                    '\\' => drop(characters.next()),
                    '"' => break,
                    _ => {}
                }
            }
            bare.push('"');
        }
    }
    (!bare.contains("/*")).then_some(bare)
}
