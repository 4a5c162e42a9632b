//! Says why a function is refused that `behalf migrate` revoked from PUBLIC. Postgres's own text names the function only.

use std::collections::HashSet;

use behalf_host_db::HostDb;
use sqlx::Row;

use super::statement_error::StatementError;

/// The names of the functions that are revoked from PUBLIC.
#[derive(Debug, Default)]
pub(super) struct RevokedNames(HashSet<String>);

impl RevokedNames {
    /// Reads the one list of them, in the database.
    pub(super) async fn load(db: &HostDb) -> Result<Self, sqlx::Error> {
        let mut tx = db.begin_as_host().await?;
        let rows = sqlx::query(
            "select distinct p.proname::text from behalf.dangerous_functions() f (oid)
             join pg_catalog.pg_proc p on p.oid = f.oid",
        )
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map(Self)
    }

    /// Adds the reason and the fix to an error that names one of them. Servers translate the text around the name.
    pub(super) fn explain(&self, mut error: StatementError) -> StatementError {
        if error.sqlstate.as_deref() != Some("42501") {
            return error;
        }
        let named = error
            .message
            .for_caller()
            .split(|one: char| !one.is_ascii_alphanumeric() && one != '_')
            .find(|word| self.0.contains(*word))
            .map(str::to_owned);
        if let Some(name) = named {
            error.message = error.message.map(|text| {
                format!(
                    "{text}; {name} is closed to callers, because tools could misuse it. If a function or trigger of the app \
                     needs it, its owner runs `behalf migrate` again, which looks for such code, or makes it SECURITY DEFINER; \
                     `behalf doctor` names it"
                )
            });
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(sqlstate: &str, message: &str) -> StatementError {
        StatementError {
            code: "forbidden",
            sqlstate: Some(sqlstate.to_owned()),
            message: message.into(),
            retryable: false,
        }
    }

    #[test]
    fn a_refused_function_is_explained_in_any_language() {
        let names = RevokedNames(HashSet::from(["pg_notify".to_owned()]));
        for text in ["permission denied for function pg_notify", "keine Berechtigung für Funktion pg_notify"] {
            let explained = names.explain(error("42501", text)).message;
            let explained = explained.for_caller();
            assert!(explained.starts_with(text) && explained.contains("SECURITY DEFINER"), "{explained}");
        }
        for (sqlstate, text) in [("42501", "permission denied for table notes"), ("22023", "pg_notify: bad channel")] {
            assert_eq!(names.explain(error(sqlstate, text)).message.for_caller(), text);
        }
    }
}
