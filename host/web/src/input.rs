//! Parses parts of paths and queries.

use uuid::Uuid;

use crate::error::ApiError;

/// The most characters of a search text, as on the platform.
const MAX_SEARCH_CHARS: usize = 200;

/// Parses a uuid in a path. Any other text names no object, so the response is 404.
pub fn id(text: &str, missing: &'static str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(text).map_err(|_| ApiError::not_found(missing))
}

/// Checks an id in a path that may be any text. One with a NUL character names no object.
pub fn text_id<'a>(text: &'a str, missing: &'static str) -> Result<&'a str, ApiError> {
    if text.contains('\0') { Err(ApiError::not_found(missing)) } else { Ok(text) }
}

/// Checks a search text. An empty one counts as absent.
pub fn search(text: Option<String>, name: &str) -> Result<Option<String>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > MAX_SEARCH_CHARS || text.contains('\0') {
        return Err(ApiError::bad_request(format!("{name} may have at most {MAX_SEARCH_CHARS} characters")));
    }
    Ok(Some(text))
}

/// The order of a list: by the first of `names` where `sort` is absent, and descending where `order` is.
pub fn order<T: Copy>(
    (sort, order): (Option<&str>, Option<&str>),
    names: &[(&'static str, T)],
) -> Result<(T, bool), ApiError> {
    let found = names.iter().find(|(name, _)| sort.is_none_or(|sort| sort == *name));
    let Some((_, by)) = found else {
        let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        return Err(ApiError::bad_request(format!("sort must be one of {}", names.join(", "))));
    };
    let is_descending = match order {
        None | Some("desc") => true,
        Some("asc") => false,
        Some(_) => return Err(ApiError::bad_request("order must be asc or desc")),
    };
    Ok((*by, is_descending))
}
