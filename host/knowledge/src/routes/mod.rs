//! The routes under `/api/knowledge-bases`, a file for each kind of request.

mod available;
mod base;
mod defaults;
mod events;
mod items;
mod list;
mod reindex;
mod search;
mod source;
mod sources;

use behalf_web::{ApiError, Routes, input};
use uuid::Uuid;

use crate::error::{BAD_BASE_ID, NO_INDEXED_SOURCE};
use crate::state::Knowledge;

/// Rows of a list where a request says nothing.
const DEFAULT_ROWS: i64 = 50;

/// The routes of the feature.
pub fn routes(knowledge: Knowledge) -> Routes {
    Routes::new()
        .merge(list::routes())
        .merge(base::routes())
        .merge(sources::routes())
        .merge(source::routes())
        .merge(events::routes())
        .merge(search::routes())
        .merge(items::routes())
        .merge(reindex::routes())
        .merge(available::routes())
        .merge(defaults::routes())
        .with_state(knowledge)
}

/// The id of a base in a path; any other text names none.
fn base_id(text: &str) -> Result<Uuid, ApiError> {
    input::id(text, BAD_BASE_ID)
}

/// The id of a source's place in a base.
fn place_id(text: &str) -> Result<Uuid, ApiError> {
    input::id(text, NO_INDEXED_SOURCE)
}
