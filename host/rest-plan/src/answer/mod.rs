//! Rows become answers.

mod guc;

use serde_json::Value;

use crate::error::RestError;
use crate::plan::Plan;
use crate::request::media::Media;
use crate::request::prefer::{Count, Preferences, Resolution};
use crate::request::range::content_range;
use crate::syntax::encode_into;

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers, without `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

/// Where the body of an answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    Empty,
    /// In this column of the row that was passed, counted from 0; null is an empty body.
    Column(usize),
    /// Bytes, as hexadecimal digits in this column of the row; null is an empty body.
    Hex(usize),
    /// Here.
    Own(Vec<u8>),
}

/// What [`Plan::answer`] has to know of the request.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) kind: Kind,
    pub(crate) head: ReplyHead,
}

#[derive(Clone, Debug)]
pub(crate) struct ReplyHead {
    /// The preferences that count.
    pub(crate) preferences: Preferences,
    pub(crate) media: Media,
    /// Whether the body is bytes.
    pub(crate) is_bytes: bool,
    /// The schema, if there was a choice.
    pub(crate) profile: Option<String>,
    pub(crate) offset: i64,
    pub(crate) is_head: bool,
    pub(crate) max_rows: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Read {
        content_location: String,
    },
    Insert {
        written: Written,
        relation: String,
        location: Vec<String>,
        tells: bool,
    },
    Update(Written),
    Put {
        written: Written,
        tells: bool,
    },
    Delete(Written),
    Call(Called),
    /// Lines of a plan.
    Lines,
    Describe,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) shows: bool,
    pub(crate) counts: bool,
    pub(crate) max_affected: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Called {
    pub(crate) is_void: bool,
    pub(crate) max_affected: Option<i64>,
}

impl Reply {
    pub(crate) fn may_refuse(&self) -> bool {
        let object = matches!(self.head.media, Media::Object { .. });
        match &self.kind {
            Kind::Insert { .. } => object,
            // What comes back may be larger than an answer may be.
            Kind::Update(written) | Kind::Delete(written) => object || written.shows || written.max_affected.is_some(),
            // A function may have chosen a status or headers that cannot be.
            Kind::Put { .. } | Kind::Call(_) => true,
            Kind::Read { .. } | Kind::Lines | Kind::Describe => false,
        }
    }

    /// Whether a function of the client's choice runs.
    pub(crate) fn calls(&self) -> bool {
        matches!(self.kind, Kind::Call(_))
    }

    pub(crate) fn gives_lines(&self) -> bool {
        matches!(self.kind, Kind::Lines)
    }

    pub(crate) fn describes(&self) -> bool {
        matches!(self.kind, Kind::Describe)
    }
}

/// The columns of the row that are numbers.
struct Counts {
    total: Option<i64>,
    page: i64,
    inserted: Option<i64>,
}

const BODY: usize = 2;
const LOCATION: usize = 3;
const HEADERS: usize = 4;
const STATUS: usize = 5;

fn number(row: &[Option<&[u8]>], column: usize) -> Option<i64> {
    let text = row.get(column).copied().flatten()?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl Plan {
    /// Reads the row of the main statement, its columns as text, and makes the answer.
    ///
    /// An error means that the transaction must be rolled back, except after [`crate::Access::Read`], where it does not matter.
    /// `explain` is the one column of [`Plan::explain`].
    pub fn answer(&self, row: &[Option<&[u8]>], explain: Option<&[u8]>) -> Result<Answer, RestError> {
        let counts = Counts { total: number(row, 0), page: number(row, 1).unwrap_or(0), inserted: number(row, 6) };
        let head = &self.reply.head;
        let mut answer = match &self.reply.kind {
            Kind::Lines => {
                return Ok(Answer { status: 200, headers: head.content_headers(), body: Body::Column(0) });
            }
            Kind::Describe => return Ok(Answer { status: 200, headers: head.content_headers(), body: Body::Empty }),
            Kind::Read { content_location } => {
                head.check_one(counts.page)?;
                read(head, content_location, &counts, explain)?
            }
            Kind::Call(called) => {
                head.check_one(counts.page)?;
                check_most(called.max_affected, counts.page)?;
                call(head, *called, &counts)
            }
            kind => write(head, kind, &counts, row)?,
        };
        let text = |column: usize| row.get(column).copied().flatten();
        if let Some(status) = text(STATUS) {
            answer.status = guc::status(status)?;
        }
        if let Some(headers) = text(HEADERS) {
            guc::merge(&mut answer.headers, guc::headers(headers)?);
        }
        Ok(answer)
    }
}

impl ReplyHead {
    fn content_headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![("Content-Type".to_owned(), self.media.content_type())];
        headers.extend(self.profile.iter().map(|profile| ("Content-Profile".to_owned(), profile.clone())));
        headers
    }

    /// Where the body is, if there is one.
    fn body(&self) -> Body {
        if self.is_bytes { Body::Hex(BODY) } else { Body::Column(BODY) }
    }

    fn applied(&self) -> Option<(String, String)> {
        self.preferences.applied().map(|applied| ("Preference-Applied".to_owned(), applied))
    }

    /// A single object is one row, not none and not two.
    fn check_one(&self, rows: i64) -> Result<(), RestError> {
        if matches!(self.media, Media::Object { .. }) && rows != 1 { Err(RestError::not_one(rows)) } else { Ok(()) }
    }
}

fn check_most(most: Option<i64>, rows: i64) -> Result<(), RestError> {
    match most {
        Some(most) if rows > most => Err(RestError::max_affected(rows)),
        _ => Ok(()),
    }
}

fn read(head: &ReplyHead, location: &str, counts: &Counts, explain: Option<&[u8]>) -> Result<Answer, RestError> {
    let estimate = explain.and_then(planned_rows);
    let total = match head.preferences.count {
        Some(Count::Planned) => estimate,
        Some(Count::Estimated) => {
            let most = head.max_rows.and_then(|rows| i64::try_from(rows).ok());
            match (counts.total, most) {
                (Some(total), Some(most)) if total <= most => Some(total),
                (total, _) => total.max(estimate),
            }
        }
        Some(Count::Exact) | None => counts.total,
    };
    let (status, range) = page(head.offset, counts.page, total);
    if status == 416 {
        let mut error = RestError::offset(head.offset, total.unwrap_or(0));
        error.headers.push(("Content-Range".to_owned(), range));
        error.headers.extend(head.applied());
        return Err(error);
    }
    let mut headers = vec![("Content-Range".to_owned(), range), ("Content-Location".to_owned(), location.to_owned())];
    headers.extend(head.content_headers());
    headers.extend(head.applied());
    let body = if head.is_head { Body::Empty } else { head.body() };
    Ok(Answer { status, headers, body })
}

/// The rows that the planner of Postgres expects, of `explain (format json)`.
fn planned_rows(explain: &[u8]) -> Option<i64> {
    let plan: Value = serde_json::from_slice(explain).ok()?;
    plan.get(0)?.get("Plan")?.get("Plan Rows")?.as_i64()
}

/// The status and `Content-Range` of a page.
fn page(offset: i64, rows: i64, total: Option<i64>) -> (u16, String) {
    let upper = offset.saturating_add(rows).saturating_sub(1);
    let status = match total {
        Some(total) if offset > total => 416,
        Some(total) if rows < total => 206,
        _ => 200,
    };
    (status, content_range(offset, upper, total))
}

fn call(head: &ReplyHead, called: Called, counts: &Counts) -> Answer {
    let (status, range) = page(head.offset, counts.page, counts.total);
    let mut headers = vec![("Content-Range".to_owned(), range)];
    headers.extend(head.applied());
    if called.is_void {
        return Answer { status: 204, headers, body: Body::Empty };
    }
    headers.extend(head.content_headers());
    let body = if status == 416 {
        Body::Own(RestError::offset(head.offset, counts.total.unwrap_or(0)).body())
    } else if head.is_head {
        Body::Empty
    } else {
        head.body()
    };
    Answer { status, headers, body }
}

fn write(head: &ReplyHead, kind: &Kind, counts: &Counts, row: &[Option<&[u8]>]) -> Result<Answer, RestError> {
    let (written, status, shown) = match kind {
        Kind::Insert { written, tells, .. } => {
            head.check_one(counts.page)?;
            let merged = head.preferences.resolution == Some(Resolution::Merge)
                && *tells
                && counts.inserted.is_some_and(|inserted| inserted <= 0);
            let status = if merged { 200 } else { 201 };
            (written, status, status)
        }
        Kind::Put { written, tells } => {
            if counts.page != 1 {
                return Err(RestError::put_key());
            }
            let inserted = !*tells || counts.inserted.is_some_and(|inserted| inserted > 0);
            (written, 204, if inserted { 201 } else { 200 })
        }
        Kind::Update(written) | Kind::Delete(written) => {
            head.check_one(counts.page)?;
            check_most(written.max_affected, counts.page)?;
            (written, 204, 200)
        }
        Kind::Read { .. } | Kind::Call(_) | Kind::Lines | Kind::Describe => {
            return Err(RestError::new(500, "PGRSTX00", "A read was answered as a write"));
        }
    };
    let mut headers = Vec::new();
    if let Kind::Insert { relation, location, .. } = kind
        && let Some(location) = location_of(relation, location, row)
    {
        headers.push(("Location".to_owned(), location));
    }
    let total = written.counts.then_some(counts.page);
    match kind {
        Kind::Insert { .. } | Kind::Delete(_) => {
            headers.push(("Content-Range".to_owned(), content_range(1, 0, total)));
        }
        Kind::Update(_) => {
            headers.push(("Content-Range".to_owned(), content_range(0, counts.page - 1, total)));
        }
        _ => {}
    }
    headers.extend(head.applied());
    if !written.shows {
        return Ok(Answer { status, headers, body: Body::Empty });
    }
    headers.extend(head.content_headers());
    Ok(Answer { status: shown, headers, body: head.body() })
}

/// `/relation?key=eq.value` of the one row that was inserted.
fn location_of(relation: &str, columns: &[String], row: &[Option<&[u8]>]) -> Option<String> {
    let text = row.get(LOCATION).copied().flatten()?;
    let values: Vec<Value> = serde_json::from_slice(text).ok()?;
    let mut location = "/".to_owned();
    encode_into(&mut location, relation);
    for (place, (column, value)) in columns.iter().zip(&values).enumerate() {
        location.push(if place == 0 { '?' } else { '&' });
        encode_into(&mut location, column);
        location.push('=');
        let value = match value {
            Value::Null => "is.null".to_owned(),
            Value::String(text) => format!("eq.{text}"),
            other => format!("eq.{other}"),
        };
        encode_into(&mut location, &value);
    }
    Some(location)
}
