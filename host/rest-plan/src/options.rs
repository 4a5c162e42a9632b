//! Settings, under the meaning that `PostgREST` gives them.

use crate::cache::Hook;

/// What an operator allows.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The most rows of an answer and of each embedded array (`REST_MAX_ROWS`).
    pub max_rows: Option<u64>,
    /// A function that runs before the statement, as the caller (`REST_PRE_REQUEST`).
    pub pre_request: Option<Hook>,
    /// How transactions end (`REST_TX_END`).
    pub tx_end: TxEnd,
    /// Whether `sum()`, `count()` and the like may be used (`REST_AGGREGATES`).
    pub aggregates: bool,
    /// Whether plans of Postgres may be asked for (`REST_PLAN`).
    pub plan: bool,
    /// What the root describes (`REST_OPENAPI`).
    pub openapi: OpenApiMode,
}

/// How transactions end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TxEnd {
    /// With a commit.
    #[default]
    Commit,
    /// With a commit, unless a client prefers a rollback.
    CommitAllowOverride,
    /// With a rollback.
    Rollback,
    /// With a rollback, unless a client prefers a commit.
    RollbackAllowOverride,
}

impl TxEnd {
    pub(crate) fn may_be_chosen(self) -> bool {
        matches!(self, Self::CommitAllowOverride | Self::RollbackAllowOverride)
    }
}

/// What the root describes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpenApiMode {
    /// What the caller's role may use.
    #[default]
    FollowPrivileges,
    /// Everything that is exposed.
    IgnorePrivileges,
    /// Nothing; the root is not found.
    Disabled,
}
