//! All users, page by page, for the service role.

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use behalf_web::{ApiError, Json, Query};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::form_urlencoded;
use utoipa::{IntoParams, ToSchema};

use crate::error::{AuthError, AuthProblem};
use crate::signed_in::Admin;
use crate::state::Auth;
use crate::store::factors;
use crate::store::managed_users::{Listed, identities, page};
use crate::user::{Factor, Identity};

/// Users of a page where a client asks for no number.
const DEFAULT_ROWS: i64 = 50;
/// The most users of a page.
const MAX_ROWS: i64 = 1_000;
/// Characters of a filter.
const MAX_FILTER_CHARS: usize = 255;

/// Which users to answer with.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// The page, from 1.
    page: Option<String>,
    /// Users of a page, 1,000 at most; 50 where absent.
    per_page: Option<String>,
    /// `created_at asc` or `created_at desc`; newest first where absent.
    sort: Option<String>,
    /// A part of the address, or of `full_name` in `user_metadata`.
    filter: Option<String>,
}

/// A page of users.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminUsers)]
pub(crate) struct UserList {
    /// The users.
    #[schema(value_type = Vec<Object>)]
    users: Vec<Value>,
    /// The audience of their tokens.
    aud: String,
}

/// Lists users. `x-total-count` has their number, `link` the next and the last page.
#[utoipa::path(
    get,
    path = "/auth/v1/admin/users",
    operation_id = "admin_list_users",
    tag = "Auth",
    params(ListQuery),
    responses(
        (status = 200, description = "The users of the page", body = UserList),
        (status = "4XX", description = "Why not", body = AuthProblem),
    )
)]
pub(crate) async fn list(
    State(auth): State<Auth>,
    _admin: Admin,
    OriginalUri(uri): OriginalUri,
    query: Result<Query<ListQuery>, ApiError>,
) -> Result<Response, AuthError> {
    let Query(query) = query?;
    let number = number(query.page.as_deref(), 1)?;
    let rows = per_page(query.per_page.as_deref())?;
    let listed = Listed {
        filter: filter(query.filter)?,
        oldest_first: oldest_first(query.sort.as_deref())?,
        limit: rows,
        offset: (number - 1).saturating_mul(rows),
    };
    let mut tx = auth.begin().await?;
    let (users, total) = page(&mut tx, &listed).await?;
    let ids: Vec<_> = users.iter().map(|user| user.id).collect();
    let (identities, factors) = (identities(&mut tx, &ids).await?, factors::of_users(&mut tx, &ids).await?);
    tx.commit().await?;
    let users = users.iter().map(|user| {
        let identities: Vec<Identity> = identities.iter().filter(|one| one.user_id == user.id).cloned().collect();
        let factors: Vec<Factor> = factors.iter().filter(|one| one.user_id == user.id).cloned().collect();
        user.to_json(&identities, &factors)
    });
    let answer = UserList { users: users.collect(), aud: auth.options.audience.clone() };
    let headers = [
        (HeaderName::from_static("x-total-count"), HeaderValue::from(total)),
        (header::LINK, links(&uri, number, rows, total)?),
    ];
    Ok((headers, Json(answer)).into_response())
}

fn number(text: Option<&str>, default: i64) -> Result<i64, AuthError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(default) };
    let number: u32 = text.parse().map_err(|_| {
        AuthError::validation("Bad Pagination Parameters: page and per_page are whole numbers from 1 on")
    })?;
    Ok(i64::from(number).max(1))
}

fn per_page(text: Option<&str>) -> Result<i64, AuthError> {
    number(text, DEFAULT_ROWS).map(|rows| rows.min(MAX_ROWS))
}

fn oldest_first(sort: Option<&str>) -> Result<bool, AuthError> {
    match sort.map(|sort| sort.trim().to_ascii_lowercase()).as_deref() {
        None | Some("" | "created_at desc") => Ok(false),
        Some("created_at" | "created_at asc") => Ok(true),
        Some(_) => Err(AuthError::validation("Bad Sort Parameters: sort is created_at asc or created_at desc")),
    }
}

/// The filter as a pattern's part: what patterns give a meaning to stands for itself.
fn filter(text: Option<String>) -> Result<Option<String>, AuthError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > MAX_FILTER_CHARS || text.contains('\0') {
        return Err(AuthError::validation(format!("filter may have at most {MAX_FILTER_CHARS} characters")));
    }
    Ok(Some(text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")))
}

/// The addresses of the next and the last page. `page` comes first in them, because clients read it there.
fn links(uri: &Uri, number: i64, rows: i64, total: i64) -> Result<HeaderValue, AuthError> {
    let last = (total + rows - 1) / rows;
    let others: Vec<_> = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .filter(|(name, _)| name != "page")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let link = |page: i64, rel: &str| {
        let query = form_urlencoded::Serializer::new(format!("page={page}")).extend_pairs(&others).finish();
        format!("<{}?{query}>; rel=\"{rel}\"", uri.path())
    };
    let mut all = link(last, "last");
    if last > number {
        all = format!("{}, {all}", link(number + 1, "next"));
    }
    HeaderValue::try_from(all).map_err(|error| AuthError::internal(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_named_as_clients_read_them() {
        let uri: Uri = "/auth/v1/admin/users?per_page=10&page=2&filter=a%3Eb".parse().expect("an address");
        let link = |number, total| links(&uri, number, 10, total).expect("a header").to_str().map(str::to_owned).ok();
        assert_eq!(
            link(2, 45).as_deref(),
            Some(
                "</auth/v1/admin/users?page=3&per_page=10&filter=a%3Eb>; rel=\"next\", \
                 </auth/v1/admin/users?page=5&per_page=10&filter=a%3Eb>; rel=\"last\""
            )
        );
        assert_eq!(
            link(5, 45).as_deref(),
            Some("</auth/v1/admin/users?page=5&per_page=10&filter=a%3Eb>; rel=\"last\"")
        );
        assert!(link(1, 0).is_some_and(|link| link.contains("page=0")));
    }

    #[test]
    fn numbers_out_of_range_are_moved_or_refused() {
        assert_eq!(number(Some("0"), 1).ok(), Some(1));
        assert_eq!(per_page(Some("4000000000")).ok(), Some(MAX_ROWS));
        for bad in ["-1", "x", "1.5", "99999999999"] {
            assert!(number(Some(bad), 1).is_err(), "{bad}");
        }
        assert_eq!(filter(Some("50%_".to_owned())).ok().flatten().as_deref(), Some("50\\%\\_"));
    }
}
