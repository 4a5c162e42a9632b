//! Finds the caller's notes. No statement here names a user: row-level security leaves only the rows of the person the
//! call is for.

use behalf_sdk::{Error, database, log, params, progress, settings, tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const DEFAULT_LIMIT: u8 = 10;
const MAX_LIMIT: u8 = 100;

/// The arguments: their schema is made of this, and of the comments.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(description = "")]
struct Arguments {
    /// Text that the title or the body contains.
    #[schemars(length(min = 1, max = 200))]
    search: Option<String>,
    /// How many notes at most; 10 if left out.
    #[schemars(range(min = 1, max = MAX_LIMIT))]
    limit: Option<u8>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Notes {
    notes: Vec<Note>,
    /// Whether there are more notes than these.
    truncated: bool,
}

/// A row of the statement below, and a part of the answer.
#[derive(Deserialize, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields, description = "")]
struct Note {
    id: String,
    title: String,
    created_at: String,
}

/// What an operator may set.
#[derive(Deserialize)]
struct Settings {
    #[serde(default = "default_limit")]
    default_limit: u8,
}

fn default_limit() -> u8 {
    DEFAULT_LIMIT
}

/// Finds the current user's notes whose title or body contain a text, newest first. Without a text: the newest.
#[tool(title = "Find notes", read_only, idempotent)]
fn my_tool(arguments: Arguments) -> Result<Notes, Error> {
    let search = arguments.search.as_deref().map(str::trim);
    if search == Some("") {
        return Err(Error::invalid_arguments(
            "The text to search for is blank; leave it out to get the newest notes.",
        ));
    }
    let limit = match arguments.limit {
        Some(limit) => limit,
        None => settings::get::<Settings>()?
            .default_limit
            .clamp(1, MAX_LIMIT),
    };

    progress::report(0, 1, "Searching");
    // One more than is returned tells whether there are more. What the caller typed is not meant as a pattern.
    let mut notes: Vec<Note> = database::query_as(
        "select id, title, created_at
         from public.notes
         where $1::text is null or title ilike $1 or body ilike $1
         order by created_at desc, id
         limit $2",
        params![
            search.map(|search| format!("%{}%", database::escape_like(search))),
            u16::from(limit) + 1
        ],
    )?;
    let truncated = notes.len() > usize::from(limit);
    notes.truncate(limit.into());
    progress::report(1, 1, "Done");
    log::info(format!("found {} notes", notes.len()));
    Ok(Notes { notes, truncated })
}

behalf_sdk::export_tools!(my_tool);

#[cfg(test)]
mod tests {
    use behalf_sdk::mock::Host;
    use serde_json::{Value, json};

    use super::*;

    fn rows(count: usize) -> Value {
        (0..count)
            .map(|n| json!({"id": n.to_string(), "title": "Garden", "created_at": "2026-04-02T10:00:00Z"}))
            .collect()
    }

    #[test]
    fn notes_are_found_by_what_was_typed() {
        let host = Host::new();
        host.answer("from public.notes", rows(1));
        let found = my_tool(Arguments {
            search: Some("100%".into()),
            limit: Some(5),
        })
        .expect("notes");
        assert_eq!(found.notes[0].title, "Garden");
        assert!(!found.truncated);
        assert_eq!(host.statements()[0].params, params![r"%100\%%", 6]);
        assert_eq!(host.log_lines(), ["info found 1 notes"]);
    }

    #[test]
    fn the_operator_says_how_many_where_the_caller_does_not() {
        let host = Host::new();
        host.set_settings(json!({"default_limit": 2}));
        host.answer("from public.notes", rows(3));
        let found = host.call::<my_tool>(json!({})).expect("notes");
        assert_eq!(
            (found["notes"].as_array().map(Vec::len), &found["truncated"]),
            (Some(2), &json!(true))
        );
    }

    #[test]
    fn a_blank_text_asks_for_nothing() {
        let host = Host::new();
        let error = my_tool(Arguments {
            search: Some(" ".into()),
            limit: None,
        })
        .err()
        .expect("an error");
        assert_eq!(error.code, "invalid_arguments");
        assert!(host.statements().is_empty());
    }

    #[test]
    fn a_refusal_of_the_database_is_passed_on() {
        let host = Host::new();
        host.fail(
            "from public.notes",
            "forbidden",
            "You may not read public.notes.",
        );
        let error = my_tool(Arguments {
            search: None,
            limit: Some(1),
        })
        .err()
        .expect("an error");
        assert_eq!(error, Error::denied("You may not read public.notes."));
    }
}
