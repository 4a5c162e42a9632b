//! The statements that begin a transaction in somebody's name. The only place where identity becomes SQL text.

use crate::identity::Principal;

/// What a transaction does to rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Reads only; Postgres refuses writes as well.
    Read,
    /// Reads and writes.
    Write,
}

impl Access {
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Read => "BEGIN TRANSACTION READ ONLY",
            Self::Write => "BEGIN TRANSACTION READ WRITE",
        }
    }
}

/// `SET LOCAL ROLE …`: one of three fixed names.
pub(super) fn set_role(principal: &Principal) -> String {
    format!("SET LOCAL ROLE {}", principal.role().as_str())
}

/// `SET LOCAL request.jwt.claims = '…'`. SET takes no parameters, so the claims are a literal: JSON in which every quote
/// is spelled `\u0027`, read by a session with `standard_conforming_strings` on, where a backslash is only a backslash.
pub(super) fn set_claims(principal: &Principal) -> String {
    format!("SET LOCAL request.jwt.claims = '{}'", quote_free(principal.claims()))
}

/// The claims as they are bound: the same JSON without a single quote in it. A quote can only stand inside a JSON string,
/// where the escape means the same.
pub(super) fn quote_free(claims: &str) -> String {
    claims.replace('\'', "\\u0027")
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
