//! Values of query parameters that filter lists.

use behalf_web::ApiError;
use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

/// A moment, or a day, which begins at midnight of UTC.
pub(super) fn moment(text: Option<String>, name: &str) -> Result<Option<DateTime<Utc>>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let day = || text.parse::<NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0)).map(|day| day.and_utc());
    let moment = DateTime::parse_from_rfc3339(&text).ok().map(|moment| moment.to_utc()).or_else(day);
    let wrong = || ApiError::bad_request(format!("{name} must be a day or a moment, as in 2026-12-31T23:59:59Z"));
    moment.map(Some).ok_or_else(wrong)
}

/// A uuid.
pub(super) fn id(text: Option<String>, name: &str) -> Result<Option<Uuid>, ApiError> {
    let wrong = |_| ApiError::bad_request(format!("{name} must be a uuid"));
    text.map(|text| Uuid::try_parse(&text).map_err(wrong)).transpose()
}
