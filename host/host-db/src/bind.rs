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

/// `SET LOCAL behalf.request_id = '…'`, for the audit log.
pub(crate) fn set_request(id: Uuid) -> String {
    format!("SET LOCAL behalf.request_id = '{id}'")
}

/// The claims as they are bound: the same JSON, in which `\u0027` replaces each single quote. JSON allows a quote only
/// inside a string, where the escape means the same.
fn quote_free(claims: &str) -> Cow<'_, str> {
    if claims.contains('\'') { Cow::Owned(claims.replace('\'', "\\u0027")) } else { Cow::Borrowed(claims) }
}

#[cfg(test)]
mod tests {
    use super::*;

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
