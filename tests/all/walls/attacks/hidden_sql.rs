//! Attacks that hide what they run: SQL in a string, a function behind another notation, one name in another spelling.

use super::{Allows, DENIED, Entry, FUNCTION, PROJECT_FUNCTION, Reads, Refuses, Runs};

/// The attack with XML gets its answer from an error: a server that was built without XML runs the string all the same.
pub(super) const HIDDEN_SQL: &[Entry] = &[
    (
        "SQL in a string: query_to_xml",
        &["select query_to_xml($q$select x.body::int from ({steal}) x$q$, true, true, '')::text"],
        FUNCTION,
        DENIED,
        Reads,
    ),
    (
        "SQL in a string: ts_stat",
        &["select word from ts_stat($q$select to_tsvector('simple', x.body) from ({steal}) x$q$)"],
        FUNCTION,
        DENIED,
        Reads,
    ),
    (
        "SQL in a string: ts_rewrite",
        &[
            "select ts_rewrite('a'::tsquery, $q$select 'a'::tsquery, plainto_tsquery('simple', x.body) from ({steal}) x limit 1$q$)::text",
        ],
        FUNCTION,
        DENIED,
        Reads,
    ),
    (
        "attribute notation: SQL in a string",
        &["select (($q$select to_tsvector('simple', x.body) from ({steal}) x$q$)::text).ts_stat"],
        Refuses("attribute_not_allowed"),
        DENIED,
        Reads,
    ),
    (
        "attribute notation: a setting",
        &["select ('port'::text).current_setting"],
        Refuses("attribute_not_allowed"),
        Allows("everybody may read settings; none holds a secret"),
        Runs,
    ),
    (
        "attribute notation: a function that runs as its owner",
        &["select n.gist from notes n limit 1"],
        Refuses("attribute_not_allowed"),
        PROJECT_FUNCTION,
        Reads,
    ),
    (
        "a function that runs as its owner",
        &["select * from all_notes()"],
        Refuses("function_not_granted"),
        PROJECT_FUNCTION,
        Reads,
    ),
    (
        "a function that runs SQL text",
        &["select run_sql($q${steal}$q$)"],
        Refuses("function_not_granted"),
        DENIED,
        Reads,
    ),
    (
        "a function that runs SQL text, with SET",
        &[
            "select n.body from (select public.do_sql($q$set local request.jwt.claims = '{claims}'$q$) as c offset 0) s, \
           lateral (select * from notes where s.c is null offset 0) n",
        ],
        Refuses("function_not_granted"),
        PROJECT_FUNCTION,
        Reads,
    ),
    (
        "a domain whose check rewrites the claims",
        &["select n.body from (select '{claims}'::claims_text as c offset 0) s, \
           lateral (select * from notes where s.c is not null offset 0) n"],
        Refuses("type_not_allowed"),
        DENIED,
        Reads,
    ),
    (
        "a type that looks names up",
        &["select 'vault'::regclass"],
        Refuses("type_not_allowed"),
        Allows("names are no secret"),
        Runs,
    ),
];

/// How the name `set_config` can be written.
pub(super) const SPELLINGS: &[(&str, &str)] = &[
    ("spelled in quotes", r#""set_config""#),
    ("spelled with escapes", r#"U&"\0073et_config""#),
    ("spelled with escapes of one's own", r#"U&"set!005fconfig" uescape '!' "#),
    ("spelled with its schema", "pg_catalog.set_config"),
    ("spelled with its schema in quotes", r#""pg_catalog" . "set_config""#),
    ("spelled in capitals", "SET_CONFIG"),
    ("spelled with comments", "/**/set_config/* ( */"),
];
