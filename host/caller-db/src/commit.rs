//! How a call's work with the database ends: its scopes, its commits, and what a statement that failed leaves of it.

use std::sync::PoisonError;

use behalf_host_db::Ended;
use behalf_pgwire::WireError;
use behalf_problem::LogText as _;
use futures::future::BoxFuture;

use super::caller_tx::TxError;
use super::guest::GuestDb;
use super::scopes::Scopes;
use super::statement_error::StatementError;

/// Why a call can do nothing more with the database.
#[derive(Clone, Debug)]
pub(super) enum WorkEnd {
    /// Its transaction waited for its guest too long. Nothing has failed: the guest may not have more to ask.
    Idle,
    /// A statement failed outside of a scope, or a commit did.
    Failed(StatementError),
}

impl GuestDb {
    /// Refuses what comes after the end of the call's work.
    pub(super) fn refuse_after_end(&mut self) -> Result<(), StatementError> {
        match self.end {
            None => Ok(()),
            Some(WorkEnd::Failed(_)) => Err(StatementError::aborted()),
            Some(WorkEnd::Idle) => {
                let refused = StatementError::aborted();
                self.end = Some(WorkEnd::Failed(refused.clone()));
                Err(refused)
            }
        }
    }

    /// Ends the call's work because of a failure. The first one is the one that is told.
    pub(super) async fn end_with(&mut self, error: &StatementError) {
        if !matches!(self.end, Some(WorkEnd::Failed(_))) {
            self.end = Some(WorkEnd::Failed(error.clone()));
        }
        self.idle_since = None;
        self.tx.rollback().await;
    }

    /// Opens a scope inside the innermost one: a part of the call's work that can fail and be undone by itself. The outermost
    /// one of a call that reads is a transaction, so its statements see the same state of the database.
    pub fn begin_scope(&mut self) -> BoxFuture<'_, Result<(), StatementError>> {
        Box::pin(async move {
            self.refuse_after_failure()?;
            if !self.tx.scopes().have_room() {
                return Err(StatementError::new("limit", "too many scopes are open inside each other; end some first"));
            }
            let writes = self.tx.writes();
            self.tx.scopes().open(writes);
            Ok(())
        })
    }

    /// Ends the innermost scope, and keeps or undoes what it changed. One in which a statement failed is undone already, so it
    /// cannot be kept.
    pub fn end_scope(&mut self, keep: bool) -> BoxFuture<'_, Result<(), StatementError>> {
        Box::pin(async move {
            self.refuse_after_end()?;
            if !self.tx.scopes().are_open() {
                return Err(StatementError::new("invalid", "no scope is open"));
            }
            let has_failed = self.tx.scopes().has_failed();
            if let Err(error) = self.tx.end_scope(keep).await {
                let error = StatementError::from(&error);
                self.end_with(&error).await;
                return Err(error);
            }
            if keep && has_failed { Err(StatementError::scope_failed()) } else { Ok(()) }
        })
    }

    /// Rolls the transaction back if the guest has sent no statement for too long, so that other calls can use its
    /// connection.
    pub async fn end_if_idle(&mut self) {
        if self.tx.is_open() && self.idle_since.is_some_and(|since| since.elapsed() > self.limits.max_idle) {
            self.end.get_or_insert(WorkEnd::Idle);
            self.idle_since = None;
            self.tx.rollback().await;
        }
    }

    /// Commits the transaction in the middle of a call. If it wrote, its audit row is stored first.
    pub fn commit(&mut self) -> BoxFuture<'_, Result<(), StatementError>> {
        Box::pin(async move {
            if self.tx.scopes().are_open() {
                return Err(StatementError::new("invalid", "end the open scope before you commit"));
            }
            if matches!(self.end, Some(WorkEnd::Idle)) && !self.wrote {
                return Ok(());
            }
            self.refuse_after_end()?;
            self.commit_now().await
        })
    }

    /// Commits at the end of a call whose tool answered with success, with what its open scopes did. It is an error where a
    /// statement failed outside of a scope, or in a scope that is still open, also where nothing was to be written: the tool's
    /// answer may leave out what it could not read.
    pub fn finish(&mut self) -> BoxFuture<'_, Result<(), StatementError>> {
        Box::pin(async move {
            if self.tx.scopes().has_failed() {
                self.end_with(&StatementError::scope_failed()).await;
            }
            match &self.end {
                None => self.commit_now().await,
                Some(WorkEnd::Failed(error)) => Err(error.clone().ignored()),
                Some(WorkEnd::Idle) if self.wrote => Err(StatementError::aborted()),
                Some(WorkEnd::Idle) => Ok(()),
            }
        })
    }

    async fn commit_now(&mut self) -> Result<(), StatementError> {
        let result = self.commit_recorded().await;
        self.idle_since = None;
        result.map_err(|error| {
            let error = StatementError::from(&error);
            self.end = Some(WorkEnd::Failed(error.clone()));
            error
        })
    }

    async fn commit_recorded(&mut self) -> Result<(), TxError> {
        let number = self.tx.prepare_commit().await?;
        if let Some(number) = &number {
            self.announce(number).await?;
        }
        if let Err(error) = self.tx.commit().await {
            let Some(number) = number.filter(|_| error.is_lost()) else { return Err(error) };
            // The server may have made the commit before the connection broke, and it knows its transactions by number.
            match self.shared.audit.how_ended(&number).await {
                Ended::Committed => {}
                Ended::RolledBack => return Err(TxError::NotMade),
                Ended::Unknown => {
                    self.committed |= self.wrote;
                    return Err(TxError::Unknown);
                }
            }
        }
        self.committed |= self.wrote;
        self.wrote = false;
        Ok(())
    }

    /// Stores the audit row of a write before its commit, with the number of its transaction.
    async fn announce(&mut self, number: &str) -> Result<(), TxError> {
        let record = {
            let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
            record.transaction_ids.push(number.to_owned());
            record.clone()
        };
        let reason = match self.shared.audit.announce(&record).await {
            Ok(true) => return Ok(()),
            Ok(false) => "another host has taken this run over",
            Err(error) => {
                tracing::error!(
                    error = error.log_text(),
                    "a write was rolled back because its audit row could not be written"
                );
                "the audit log is not writable"
            }
        };
        self.tx.rollback().await;
        // The row may be stored all the same, later. A server that crashed meanwhile gives the number to another transaction, and
        // whoever asks by it how this call ended would be told of that one.
        self.record.lock().unwrap_or_else(PoisonError::into_inner).transaction_ids.pop();
        Err(TxError::Wire(WireError::Protocol(reason)))
    }

    /// Whether writes wait to be committed.
    pub fn has_writes(&self) -> bool {
        self.wrote && self.end.is_none()
    }

    /// Whether [`GuestDb::finish`] fails whatever the tool answers.
    pub fn has_failed(&mut self) -> bool {
        self.tx.scopes().has_failed()
            || match self.end {
                None => false,
                Some(WorkEnd::Failed(_)) => true,
                Some(WorkEnd::Idle) => self.wrote,
            }
    }

    /// Rolls the transaction back, and forgets what failed in it.
    pub fn rollback(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            *self.tx.scopes() = Scopes::default();
            self.tx.rollback().await;
            self.end = None;
            self.wrote = false;
        })
    }
}
