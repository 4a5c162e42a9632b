//! Letters that are sent once their codes are committed.

use behalf_host_db::AuthTx;
use behalf_mail::Letter;

use crate::error::AuthError;
use crate::state::Auth;

/// Letters whose codes are stored in a transaction that is not committed yet.
#[must_use = "letters are sent by `commit`"]
#[derive(Default)]
pub(crate) struct Posted(Vec<Letter>);

impl Posted {
    /// These letters.
    pub(super) fn new(letters: Vec<Letter>) -> Self {
        Self(letters)
    }

    /// Commits the transaction and sends them.
    pub(crate) async fn commit(self, auth: &Auth, tx: AuthTx) -> Result<(), AuthError> {
        self.commit_by(auth, async { Ok(tx.commit().await?) }).await
    }

    /// Commits by `commit` and sends them. Both are done in one task: a client that goes away meanwhile would otherwise take
    /// its letter with it, and the code in it would stay.
    pub(crate) async fn commit_by(
        self,
        auth: &Auth,
        commit: impl Future<Output = Result<(), AuthError>> + Send + 'static,
    ) -> Result<(), AuthError> {
        let auth = auth.clone();
        let done = tokio::spawn(async move {
            commit.await?;
            for letter in self.0 {
                auth.outbox.post(letter);
            }
            Ok::<(), AuthError>(())
        });
        done.await.unwrap_or_else(|error| Err(AuthError::internal(&error)))
    }
}
