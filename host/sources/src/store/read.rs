//! What a caller may see of sources, read as that caller.

use std::time::Duration;

use behalf_caller_db::{AppLimits, FixedAccess, FixedRequest, FixedRow};
use behalf_web::{Asker, Page};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::source_json;
use crate::error::SourceError;
use crate::source::{Source, Status, StoredFile};
use crate::state::Sources;

/// A hundred sources with all that an app and a document may say of each.
const LIMITS: AppLimits = AppLimits { max_bytes: 32 * 1024 * 1024, deadline: Duration::from_secs(30) };

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// When it was added.
    CreatedAt,
    /// When it was changed.
    UpdatedAt,
    /// Its name.
    Name,
    /// The bytes of its file.
    Size,
}

/// Which sources to list.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// Text that the name contains.
    pub(crate) q: Option<String>,
    /// How far they are.
    pub(crate) status: Option<Status>,
    /// What they are sorted by.
    pub(crate) sort: Sort,
    /// Newest or largest first.
    pub(crate) descending: bool,
    /// Which part of the list.
    pub(crate) page: Page,
}

macro_rules! filter {
    () => {
        "($1::text is null or s.name ilike $1::text) and ($2::text is null or s.extraction_status = $2::text)"
    };
}

/// The number of all sources that fit stands in each row, and in one without a source where the page is empty.
macro_rules! list {
    ($order:literal, $outer:literal) => {
        concat!(
            "select (select count(*) from ai.sources s where ",
            filter!(),
            ")::text, p.source from (select 1) one left join (
                 select s.id, s.created_at, s.updated_at, s.name, s.size, ",
            source_json!(),
            " as source from ai.sources s where ",
            filter!(),
            " order by ",
            $order,
            " limit $3::text::bigint offset $4::text::bigint) p on true order by ",
            $outer
        )
    };
}

const FIND: &str = concat!("select ", source_json!(), " from ai.sources s where s.id = $1::text::uuid");

/// Also read without a caller, for a signed address.
const FILE: &str = "select jsonb_build_object('name', s.name, 'file_type', s.file_type, 'content_type', s.content_type,
         'blob_id', s.blob_id, 'size', s.size, 'content_hash', s.content_hash)::text
     from ai.sources s where s.id = $1::text::uuid";

impl Filter {
    fn statement(&self) -> &'static str {
        match (self.sort, self.descending) {
            (Sort::CreatedAt, true) => list!("s.created_at desc, s.id", "p.created_at desc, p.id"),
            (Sort::CreatedAt, false) => list!("s.created_at, s.id", "p.created_at, p.id"),
            (Sort::UpdatedAt, true) => list!("s.updated_at desc, s.id", "p.updated_at desc, p.id"),
            (Sort::UpdatedAt, false) => list!("s.updated_at, s.id", "p.updated_at, p.id"),
            (Sort::Name, true) => list!("s.name desc, s.id", "p.name desc, p.id"),
            (Sort::Name, false) => list!("s.name, s.id", "p.name, p.id"),
            (Sort::Size, true) => list!("s.size desc nulls last, s.id", "p.size desc nulls last, p.id"),
            (Sort::Size, false) => list!("s.size nulls last, s.id", "p.size nulls last, p.id"),
        }
    }
}

/// Sources that the caller may see, and how many fit in all.
pub(crate) async fn list(sources: &Sources, asker: &Asker, filter: &Filter) -> Result<(Vec<Source>, i64), SourceError> {
    let pattern = filter.q.as_deref().map(|text| format!("%{}%", escape_like(text)));
    let (limit, offset) = (filter.page.limit.to_string(), filter.page.offset.to_string());
    let params = [pattern.as_deref(), filter.status.map(Status::as_str), Some(&limit), Some(&offset)];
    let rows = run(sources, asker, filter.statement(), &params, LIMITS).await?;
    let total = rows.first().and_then(|row| row.text(0)?.parse().ok()).unwrap_or_default();
    let found = rows.iter().filter_map(|row| row.text(1)).map(parse).collect::<Result<_, _>>()?;
    Ok((found, total))
}

/// The source of this id.
pub(crate) async fn find(sources: &Sources, asker: &Asker, id: Uuid) -> Result<Source, SourceError> {
    one(sources, asker, FIND, id).await
}

/// The file of the source of this id.
pub(crate) async fn file(sources: &Sources, asker: &Asker, id: Uuid) -> Result<StoredFile, SourceError> {
    one(sources, asker, FILE, id).await
}

/// The file of a source whose address somebody signed who may see it.
pub(crate) async fn file_as_host(sources: &Sources, id: Uuid) -> Result<Option<StoredFile>, SourceError> {
    let mut tx = sources.db.begin_as_host().await?;
    let found: Option<String> = sqlx::query_scalar(FILE).bind(id.to_string()).fetch_optional(&mut *tx).await?;
    tx.commit().await?;
    found.as_deref().map(parse).transpose()
}

async fn one<T: DeserializeOwned>(
    sources: &Sources,
    asker: &Asker,
    text: &'static str,
    id: Uuid,
) -> Result<T, SourceError> {
    let rows = run(sources, asker, text, &[Some(&id.to_string())], LIMITS).await?;
    parse(rows.first().and_then(|row| row.text(0)).ok_or(SourceError::NotFound)?)
}

/// Runs a statement as the caller.
pub(super) async fn run(
    sources: &Sources,
    asker: &Asker,
    text: &'static str,
    params: &[Option<&str>],
    limits: AppLimits,
) -> Result<Vec<FixedRow>, SourceError> {
    let Asker { principal, key } = asker;
    let access = FixedAccess::Read;
    let request = FixedRequest { principal, key: *key, access, settings: &[], variables: &[], text, params, limits };
    Ok(sources.caller_db.run_fixed(request).await?)
}

/// Reads a row that Postgres wrote as JSON.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, SourceError> {
    serde_json::from_str(text).map_err(|error| SourceError::Database(sqlx::Error::Decode(Box::new(error))))
}

/// `%`, `_` and `\` lose their meaning in a pattern.
fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_of_a_list_has_a_statement_of_its_own() {
        let page = Page::new(None, None, 50, 100);
        let mut seen = std::collections::BTreeSet::new();
        for sort in [Sort::CreatedAt, Sort::UpdatedAt, Sort::Name, Sort::Size] {
            for descending in [true, false] {
                let filter = Filter { q: None, status: None, sort, descending, page };
                assert!(seen.insert(filter.statement()), "{sort:?} {descending}");
            }
        }
        assert!(seen.iter().all(|text| text.matches("order by").count() == 2));
    }

    #[test]
    fn a_search_text_is_no_pattern() {
        assert_eq!(escape_like("50%_\\"), "50\\%\\_\\\\");
    }
}
