//! The text of sources, page by page, read as the caller.

use std::time::Duration;

use behalf_caller_db::AppLimits;
use behalf_web::Asker;
use uuid::Uuid;

use super::read::run;
use crate::error::SourceError;
use crate::state::Sources;

/// A part of the pages has about 2 MiB, and may end with one large page.
const LIMITS: AppLimits = AppLimits { max_bytes: 32 * 1024 * 1024, deadline: Duration::from_secs(30) };

/// The pages behind one, as many as fit into 2 MiB and at least one. The first column tells whether the pages were replaced meanwhile.
const PART: &str = "select coalesce(s.extracted_at::text, ''), p.page::text, p.text
     from ai.sources s left join lateral (
         select b.page, b.text from (
             select q.page, q.text, sum(octet_length(q.text)) over (order by q.page) - octet_length(q.text) as before
             from (select c.page, c.text from ai.source_pages c
                   where c.source_id = s.id and c.page > $2::text::integer order by c.page limit 500) q
         ) b where b.before < 2097152
     ) p on true
     where s.id = $1::text::uuid order by p.page";

const ONE: &str = "select (select count(*) from ai.source_pages c where c.source_id = s.id)::text, p.text, p.name
     from ai.sources s left join ai.source_pages p on p.source_id = s.id and p.page = $2::text::integer
     where s.id = $1::text::uuid";

/// The page at this place of the list.
const AT: &str = "select p.page::text from ai.sources s left join lateral (
         select c.page from ai.source_pages c where c.source_id = s.id order by c.page offset $2::text::bigint limit 1
     ) p on true
     where s.id = $1::text::uuid";

/// Some pages in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// Which reading of the document they come from.
    pub(crate) version: String,
    /// Their texts.
    pub(crate) texts: Vec<String>,
    /// The number of the last one; none where there are no more.
    pub(crate) last: Option<i32>,
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OnePage {
    /// How many pages there are.
    pub(crate) count: i64,
    /// Its text; none where there is no such page.
    pub(crate) text: Option<String>,
    /// The name that the document gives it.
    pub(crate) name: Option<String>,
}

/// The pages behind number `after`.
pub(crate) async fn part(sources: &Sources, asker: &Asker, id: Uuid, after: i32) -> Result<Part, SourceError> {
    let rows = run(sources, asker, PART, &[Some(&id.to_string()), Some(&after.to_string())], LIMITS).await?;
    let version = rows.first().ok_or(SourceError::NotFound)?.text(0).unwrap_or_default().to_owned();
    let last = rows.last().and_then(|row| row.text(1)?.parse().ok());
    let texts = rows.iter().filter_map(|row| row.text(2)).map(str::to_owned).collect();
    Ok(Part { version, texts, last })
}

/// The page of this number.
pub(crate) async fn one(sources: &Sources, asker: &Asker, id: Uuid, page: i32) -> Result<OnePage, SourceError> {
    let rows = run(sources, asker, ONE, &[Some(&id.to_string()), Some(&page.to_string())], LIMITS).await?;
    let row = rows.first().ok_or(SourceError::NotFound)?;
    let text = |column| row.text(column).map(str::to_owned);
    let count = row.text(0).and_then(|count| count.parse().ok()).unwrap_or_default();
    Ok(OnePage { count, text: text(1), name: text(2) })
}

/// The number of the page at this place, counted from zero.
pub(crate) async fn number_at(
    sources: &Sources,
    asker: &Asker,
    id: Uuid,
    place: u32,
) -> Result<Option<i32>, SourceError> {
    let rows = run(sources, asker, AT, &[Some(&id.to_string()), Some(&place.to_string())], LIMITS).await?;
    Ok(rows.first().ok_or(SourceError::NotFound)?.text(0).and_then(|page| page.parse().ok()))
}
