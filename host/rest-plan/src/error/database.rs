//! Errors of Postgres, with the status that each SQLSTATE has.

use std::borrow::Cow;

use serde::Deserialize;
use std::collections::BTreeMap;

use super::RestError;

/// An error that Postgres reported.
#[derive(Clone, Copy, Debug, Default)]
pub struct DatabaseError<'e> {
    /// The SQLSTATE.
    pub code: &'e str,
    /// The message.
    pub message: &'e str,
    /// The detail.
    pub detail: Option<&'e str>,
    /// The hint.
    pub hint: Option<&'e str>,
}

impl RestError {
    /// The answer for an error of Postgres.
    pub fn from_database(error: &DatabaseError<'_>, is_anonymous: bool) -> Self {
        if error.code == "PGRST" {
            return raised(error);
        }
        let status = status(error, is_anonymous);
        let mut made = Self {
            status,
            code: Cow::Owned(error.code.to_owned()),
            message: without_schema(error),
            details: error.detail.map(|detail| Box::new(detail.into())),
            hint: error.hint.map(|hint| Box::new(hint.into())),
            headers: Vec::new(),
        };
        if status == 401 {
            made.headers.push(("WWW-Authenticate".to_owned(), "Bearer".to_owned()));
        }
        made
    }
}

/// The message for a function that is not there. Statements name the schema of Postgres's own functions; clients did not.
fn without_schema(error: &DatabaseError<'_>) -> String {
    match error.message.strip_prefix("function pg_catalog.") {
        Some(rest) if error.code == "42883" => format!("function {rest}"),
        _ => error.message.to_owned(),
    }
}

fn status(error: &DatabaseError<'_>, is_anonymous: bool) -> u16 {
    let (code, message) = (error.code, error.message);
    match code {
        "23503" | "23505" => 409,
        "25006" => 405,
        "21000" if message.ends_with("requires a WHERE clause") => 400,
        "22023" if message.starts_with("role") && message.ends_with("does not exist") => 401,
        "53400" | "21000" | "42P17" => 500,
        "57P01" => 503,
        "P0001" => 400,
        "42883" if message.starts_with("function xmlagg(") => 406,
        "42883" | "42P01" => 404,
        "42501" if is_anonymous => 401,
        "42501" => 403,
        _ => match code.get(..2) {
            Some("PT") => {
                let status = code.get(2..).and_then(|digits| digits.parse().ok());
                status.filter(|status| (200..600).contains(status)).unwrap_or(500)
            }
            Some("08" | "53") => 503,
            Some("0L" | "0P" | "28") => 403,
            Some(
                "09" | "25" | "2D" | "38" | "39" | "3B" | "40" | "54" | "55" | "57" | "58" | "F0" | "HV" | "P0" | "XX",
            ) => 500,
            _ => 400,
        },
    }
}

/// The message of `raise sqlstate 'PGRST'`.
#[derive(Deserialize)]
struct Message {
    code: String,
    #[serde(rename = "message")]
    text: String,
    details: Option<String>,
    hint: Option<String>,
}

/// Its detail.
#[derive(Deserialize)]
struct Detail {
    status: u16,
    headers: BTreeMap<String, String>,
}

/// A function may say the whole answer.
fn raised(error: &DatabaseError<'_>) -> RestError {
    let unread = |details: String, hint: &str| {
        RestError::new(500, "PGRST121", "Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error")
            .details(details)
            .hint(hint)
    };
    let detail_hint =
        "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.";
    let Ok(message) = serde_json::from_str::<Message>(error.message) else {
        return unread(
            format!("Invalid JSON value for MESSAGE: '{}'", error.message),
            "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.",
        );
    };
    let Some(detail) = error.detail else {
        return unread("DETAIL is missing in the RAISE statement".to_owned(), detail_hint);
    };
    match serde_json::from_str::<Detail>(detail) {
        Ok(read) if (100..1000).contains(&read.status) => RestError {
            status: read.status,
            code: Cow::Owned(message.code),
            message: message.text,
            details: message.details.map(|details| Box::new(details.into())),
            hint: message.hint.map(|hint| Box::new(hint.into())),
            headers: read.headers.into_iter().collect(),
        },
        _ => unread(format!("Invalid JSON value for DETAIL: '{detail}'"), detail_hint),
    }
}

#[cfg(test)]
mod tests {
    use super::{DatabaseError, RestError};

    fn status(code: &str, message: &str, anonymous: bool) -> u16 {
        RestError::from_database(&DatabaseError { code, message, ..DatabaseError::default() }, anonymous).status
    }

    #[test]
    fn each_class_has_its_status() {
        for (code, expected) in [
            ("23505", 409),
            ("23503", 409),
            ("25006", 405),
            ("42P01", 404),
            ("42883", 404),
            ("42703", 400),
            ("22P02", 400),
            ("57014", 500),
            ("53300", 503),
            ("08006", 503),
            ("P0001", 400),
            ("P0002", 500),
            ("28000", 403),
            ("XX000", 500),
            ("PT402", 402),
            ("PT999", 500),
            ("PTabc", 500),
            ("40001", 500),
            ("0L000", 403),
        ] {
            assert_eq!(status(code, "", false), expected, "{code}");
        }
        assert_eq!(status("42501", "", true), 401);
        assert_eq!(status("42501", "", false), 403);
        assert_eq!(status("21000", "DELETE requires a WHERE clause", false), 400);
    }

    #[test]
    fn functions_of_postgres_are_named_without_their_schema() {
        let message = "function pg_catalog.sum(text) does not exist";
        let error = DatabaseError { code: "42883", message, ..DatabaseError::default() };
        assert_eq!(RestError::from_database(&error, false).message, "function sum(text) does not exist");
    }

    #[test]
    fn a_function_may_say_the_whole_answer() {
        let error = DatabaseError {
            code: "PGRST",
            message: r#"{"code":"123","message":"Payment","hint":"pay"}"#,
            detail: Some(r#"{"status":402,"headers":{"X-Pay":"now"}}"#),
            hint: None,
        };
        let made = RestError::from_database(&error, false);
        assert_eq!((made.status, made.code.as_ref()), (402, "123"));
        assert_eq!(made.headers, [("X-Pay".to_owned(), "now".to_owned())]);
        let broken = RestError::from_database(&DatabaseError { message: "x", ..error }, false);
        assert_eq!((broken.status, broken.code.as_ref()), (500, "PGRST121"));
    }
}
