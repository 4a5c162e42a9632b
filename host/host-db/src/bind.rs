//! The statements that bind a caller's identity to a transaction. No other code turns an identity into SQL text.

use std::borrow::Cow;

use behalf_identity::{Principal, Role};
use uuid::Uuid;

/// The access mode of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads only; Postgres refuses writes as well.
    Read,
    /// Reads only, and every statement sees the same state of the database.
    Snapshot,
    /// Reads and writes.
    Write,
}

impl Access {
    /// The statement that begins such a transaction.
    pub fn begin(self) -> &'static str {
        match self {
            Self::Read => "BEGIN READ ONLY",
            Self::Snapshot => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Self::Write => "BEGIN READ WRITE",
        }
    }
}

const SET_CLAIMS: &str = "SET LOCAL request.jwt.claims = '";

/// `SET LOCAL ROLE …`: one of three fixed names.
pub fn set_role(principal: &Principal) -> &'static str {
    match principal.role() {
        Role::Anon => "SET LOCAL ROLE anon",
        Role::Authenticated => "SET LOCAL ROLE authenticated",
        Role::Service => "SET LOCAL ROLE service_role",
    }
}

/// `SET LOCAL request.jwt.claims = '…'`. SET takes no parameters, so the claims are a literal: JSON in which every
/// quote is spelled `\u0027`, read by a session with `standard_conforming_strings` on, where a backslash is only a
/// backslash.
pub fn set_claims(principal: &Principal) -> String {
    format!("{SET_CLAIMS}{}'", quote_free(principal.claims()))
}

/// The claims that a statement of [`set_claims`] binds, as the session then shows them.
pub fn bound_claims(set_claims: &str) -> Option<&str> {
    set_claims.strip_prefix(SET_CLAIMS)?.strip_suffix('\'')
}

/// What an app's functions may read of its HTTP request with `current_setting('request.…')`, as PostgREST binds it.
#[derive(Clone, Copy, Debug)]
pub struct HttpRequest<'a> {
    /// The method, one of a closed list.
    pub method: &'static str,
    /// The path as it was sent.
    pub path: &'a str,
    /// The headers as a JSON object of texts, without credentials and cookies.
    pub headers: &'a str,
    /// The cookies as a JSON object of texts.
    pub cookies: &'a str,
}

/// `SET LOCAL request.method = '…'`, and the same for path, headers and cookies.
pub fn set_http_request(request: &HttpRequest<'_>) -> [Cow<'static, str>; 4] {
    [
        set_method(request.method),
        format!("SET LOCAL request.path = '{}'", quote_free_path(request.path)).into(),
        format!("SET LOCAL request.headers = '{}'", quote_free(request.headers)).into(),
        match request.cookies {
            "{}" => "SET LOCAL request.cookies = '{}'".into(),
            cookies => format!("SET LOCAL request.cookies = '{}'", quote_free(cookies)).into(),
        },
    ]
}

fn set_method(method: &str) -> Cow<'static, str> {
    Cow::Borrowed(match method {
        "GET" => "SET LOCAL request.method = 'GET'",
        "HEAD" => "SET LOCAL request.method = 'HEAD'",
        "POST" => "SET LOCAL request.method = 'POST'",
        "PATCH" => "SET LOCAL request.method = 'PATCH'",
        "PUT" => "SET LOCAL request.method = 'PUT'",
        "DELETE" => "SET LOCAL request.method = 'DELETE'",
        _ => "SET LOCAL request.method = ''",
    })
}

/// `SET LOCAL search_path = …`: names of schemas that an operator set.
pub fn set_search_path<'a>(schemas: impl IntoIterator<Item = &'a str>) -> String {
    let quoted = schemas.into_iter().map(|name| format!("\"{}\"", name.replace('"', "\"\"")));
    format!("SET LOCAL search_path = {}", quoted.collect::<Vec<_>>().join(", "))
}

/// `SET LOCAL timezone = '…'`, unless the name has characters that no time zone has.
pub fn set_time_zone(name: &str) -> Option<String> {
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-+/:<>,.".contains(c));
    is_name.then(|| format!("SET LOCAL timezone = '{name}'"))
}

/// A statement that fails unless the session's identity is the one that was bound, and returns the transaction's id, empty if
/// it wrote nothing. Its parameters are the role and [`bound_claims`]. Run before a COMMIT in the same message, it stops that.
pub const ASSERT_IDENTITY: &str = "select coalesce(pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.text, ''), \
     1 operator(pg_catalog./) (current_user operator(pg_catalog.=) $1::pg_catalog.name \
         and pg_catalog.current_setting('request.jwt.claims', true) operator(pg_catalog.=) $2::pg_catalog.text)::pg_catalog.int4";

/// `SET LOCAL behalf.request_id = '…'`, for the audit log.
pub(crate) fn set_request(id: Uuid) -> String {
    format!("SET LOCAL behalf.request_id = '{id}'")
}

/// The claims as they are bound: the same JSON, in which `\u0027` replaces each single quote. JSON allows a quote only
/// inside a string, where the escape means the same.
fn quote_free(claims: &str) -> Cow<'_, str> {
    if claims.contains('\'') { Cow::Owned(claims.replace('\'', "\\u0027")) } else { Cow::Borrowed(claims) }
}

/// A path in which neither a quote nor a backslash is left: `%27` and `%5C` name the same characters in a path.
fn quote_free_path(path: &str) -> String {
    path.replace('\'', "%27").replace('\\', "%5C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_request_ends_the_literal() {
        let hostile = HttpRequest {
            method: "GET",
            path: r"/a'; RESET ROLE; --\",
            headers: r#"{"x":"'; RESET ROLE; --"}"#,
            cookies: r#"{"c":"'"}"#,
        };
        for text in set_http_request(&hostile) {
            assert_eq!(text.matches('\'').count(), 2, "{text}");
            assert!(text.ends_with('\''), "{text}");
        }
        let forged = HttpRequest { method: "'; RESET ROLE", ..hostile };
        assert_eq!(set_http_request(&forged)[0], "SET LOCAL request.method = ''");
        assert_eq!(set_time_zone("Europe/Berlin").as_deref(), Some("SET LOCAL timezone = 'Europe/Berlin'"));
        assert_eq!(set_time_zone("x'; RESET ROLE; --"), None);
        assert_eq!(set_search_path(["a\", b", "c"]), r#"SET LOCAL search_path = "a"", b", "c""#);
    }

    #[test]
    fn a_claim_cannot_end_the_literal() {
        let hostile = r#"{"name":"O'Brien'; RESET ROLE; --"}"#;
        let bound = quote_free(hostile);
        assert!(!bound.contains('\''));
        let (before, after): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(hostile).expect("JSON"), serde_json::from_str(&bound).expect("JSON"));
        assert_eq!(before, after);
    }
}
