//! Runs the statements, each as a caller.

use std::collections::HashSet;
use std::time::Duration;

use behalf_identity::{CallerKey, Principal};
use futures::future::BoxFuture;
use thiserror::Error;

use super::super::app::{AppError, AppLimits};
use super::super::fixed::{FixedAccess, FixedRow, FixedSetting, Work};
use super::super::{CallerDb, array_literal};
use super::statement::{Comparison, VisibleText, comparison_text};
use super::table::{BaseType, VisibleTable};

/// A policy that takes longer costs its own subscriber the rows. The keys of each batch are others, so each has a plan of its own.
const SETTINGS: &[FixedSetting] =
    &["SET LOCAL statement_timeout = '2s'", "SET LOCAL jit = off", "SET LOCAL plan_cache_mode = force_custom_plan"];

/// For a server that does not keep to the time above.
const DEADLINE: Duration = Duration::from_secs(3);

/// The most bytes of an answer: numbers.
const MAX_BYTES: usize = 1024 * 1024;

/// Why it is not known which rows a caller sees.
#[derive(Debug, Error)]
pub enum VisibleError {
    /// The rows cannot be told apart.
    #[error("the table has no primary key")]
    NoKey,
    /// The values cannot be compared.
    #[error("values of this type cannot be compared so")]
    NotComparable,
    /// The caller could not be asked.
    #[error(transparent)]
    Caller(#[from] AppError),
}

impl VisibleError {
    /// Whether policies, or what values are compared with, took too long.
    pub fn is_slow(&self) -> bool {
        match self {
            Self::Caller(AppError::Deadline(_)) => true,
            Self::Caller(AppError::Database(error)) => error.sqlstate() == Some("57014"),
            _ => false,
        }
    }

    /// The SQLSTATE, where the server gave one.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Caller(AppError::Database(error)) => error.sqlstate(),
            _ => None,
        }
    }
}

impl CallerDb {
    /// Which of the rows with these keys the caller sees now: their numbers, from 0. A key has a text for each column of the primary
    /// key, in its order.
    pub fn visible<'a>(
        &'a self,
        principal: &'a Principal,
        table: &'a VisibleTable,
        keys: &'a [Vec<&'a str>],
    ) -> BoxFuture<'a, Result<HashSet<usize>, VisibleError>> {
        Box::pin(async move {
            let text = table.text.as_ref().ok_or(VisibleError::NoKey)?;
            let columns: Vec<String> = (0..table.key.len())
                .map(|place| {
                    array_literal(&keys.iter().map(|key| key.get(place).copied().unwrap_or("")).collect::<Vec<_>>())
                })
                .collect();
            let params: Vec<Option<&str>> = columns.iter().map(|column| Some(column.as_str())).collect();
            self.numbers(principal, text, &params).await
        })
    }

    /// Which of these pairs of values hold, as the server compares values of this type: their numbers, from 0. It runs as the caller,
    /// because an app's own type may run the app's code.
    pub fn compare<'a>(
        &'a self,
        principal: &'a Principal,
        base: &'a BaseType,
        comparison: Comparison,
        pairs: &'a [(&'a str, &'a str)],
    ) -> BoxFuture<'a, Result<HashSet<usize>, VisibleError>> {
        Box::pin(async move {
            let text = comparison_text(base, comparison).ok_or(VisibleError::NotComparable)?;
            let left = array_literal(&pairs.iter().map(|(left, _)| *left).collect::<Vec<_>>());
            let right = array_literal(&pairs.iter().map(|(_, right)| *right).collect::<Vec<_>>());
            self.numbers(principal, &text, &[Some(&left), Some(&right)]).await
        })
    }

    async fn numbers(
        &self,
        principal: &Principal,
        text: &VisibleText,
        params: &[Option<&str>],
    ) -> Result<HashSet<usize>, VisibleError> {
        let rows = self
            .run_work(Work {
                principal,
                key: CallerKey::new(principal, None),
                access: FixedAccess::Read,
                settings: SETTINGS,
                variables: &[],
                text: text.as_str(),
                params,
                limits: AppLimits { max_bytes: MAX_BYTES, deadline: DEADLINE },
            })
            .await?;
        let number = |row: &FixedRow| row.text(0)?.parse::<usize>().ok()?.checked_sub(1);
        Ok(rows.iter().filter_map(number).collect())
    }
}
