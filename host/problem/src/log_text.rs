//! What a log line may say of an error: what our own errors say, and of errors of others only what cannot hold values.

use std::error::Error;

use sqlx::error::DatabaseError;

/// The text of an error for a log line, with its causes. Log lines hold errors in this form only.
pub trait LogText {
    /// The text. It holds no message of a database server and no value of a document.
    fn log_text(&self) -> String;
}

impl<E: Error + 'static> LogText for E {
    fn log_text(&self) -> String {
        text(self)
    }
}

impl LogText for dyn Error + Send + Sync + 'static {
    fn log_text(&self) -> String {
        text(self)
    }
}

impl LogText for dyn Error + 'static {
    fn log_text(&self) -> String {
        text(self)
    }
}

fn text(error: &(dyn Error + 'static)) -> String {
    let (mut texts, mut private) = (Vec::<String>::new(), Vec::new());
    let mut next = Some(error);
    while let Some(link) = next {
        let (text, is_last) = of_link(link, &mut private);
        if !texts.iter().any(|before| before.contains(&text)) {
            texts.push(text);
        }
        next = link.source().filter(|_| !is_last);
    }
    // An error that passes its cause's text on as its own repeats what the cause may not say.
    let mut text = texts.join(": ");
    for (message, instead) in private {
        text = text.replace(&message, &instead);
    }
    text
}

/// What one error of a chain says, and whether its causes are left out. What it may not say goes to `private`.
fn of_link(link: &(dyn Error + 'static), private: &mut Vec<(String, String)>) -> (String, bool) {
    if let Some(error) = link.downcast_ref::<sqlx::Error>() {
        return (of_sqlx(error, private), true);
    }
    if let Some(error) = link.downcast_ref::<Box<dyn DatabaseError>>() {
        return (of_database(&**error, private), true);
    }
    if let Some(error) = link.downcast_ref::<serde_json::Error>() {
        let kind = format!("{:?}", error.classify()).to_lowercase();
        let text = format!("JSON that does not fit ({kind}, line {}, column {})", error.line(), error.column());
        private.push((error.to_string(), text.clone()));
        return (text, true);
    }
    (link.to_string(), false)
}

fn of_sqlx(error: &sqlx::Error, private: &mut Vec<(String, String)>) -> String {
    match error {
        sqlx::Error::Database(error) => of_database(&**error, private),
        sqlx::Error::Io(error) => format!("the connection to the database broke ({})", error.kind()),
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::RowNotFound => {
            error.to_string()
        }
        sqlx::Error::ColumnNotFound(name) => format!("the database's answer has no column {name}"),
        other => {
            let text = "the database's answer cannot be used".to_owned();
            private.push((other.to_string(), text.clone()));
            text
        }
    }
}

/// SQLSTATE and names. The message is the server's, and may quote a value.
fn of_database(error: &(dyn DatabaseError + 'static), private: &mut Vec<(String, String)>) -> String {
    let mut text = format!("the database refused it (SQLSTATE {})", error.code().unwrap_or_default());
    if let Some(name) = error.constraint().or_else(|| error.table()) {
        text.push_str(&format!(" at {name}"));
    }
    if !error.message().is_empty() {
        private.push((error.message().to_owned(), text.clone()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Outer {
        #[error(transparent)]
        Same(#[from] serde_json::Error),
        #[error("it cannot be read: {0}")]
        Quoting(#[source] serde_json::Error),
        #[error("it cannot be read")]
        Hiding(#[source] serde_json::Error),
    }

    fn fault() -> serde_json::Error {
        serde_json::from_str::<u8>("\"marker\"").expect_err("no number")
    }

    #[test]
    fn values_of_documents_are_left_out_however_they_are_passed_on() {
        assert!(fault().to_string().contains("marker"), "the check can fail");
        for error in [Outer::Quoting(fault()), Outer::Hiding(fault())] {
            let text = error.log_text();
            assert!(text.contains("line 1") && !text.contains("marker"), "{text}");
        }
        assert!(!fault().log_text().contains("marker"));
        let boxed: Box<dyn Error + Send + Sync> = fault().into();
        assert!(!boxed.log_text().contains("marker"));
        // The one form that cannot be seen through; a test of the source text forbids it.
        assert!(Outer::Same(fault()).log_text().contains("marker"));
    }
}
