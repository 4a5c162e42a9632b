//! One constant statement as a caller, in one round trip.

use std::time::Duration;

use behalf_caller_db::{AppError, AppLimits, FixedAccess, FixedRequest, FixedRow, FixedSetting};
use behalf_identity::{CallerKey, Principal};

use crate::state::Storage;

/// The most bytes of an answer: it may hold a megabyte of a user's metadata, and 1,000 objects many.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// How long a statement may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// As whom a statement runs, and as which operation policies know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActAs<'a> {
    principal: &'a Principal,
    key: CallerKey,
    settings: &'a [FixedSetting],
    limits: AppLimits,
}

impl<'a> ActAs<'a> {
    /// As this caller, who uses the share of `key`. `settings` are `SET LOCAL …` statements, such as the name of the operation.
    pub(crate) fn new(principal: &'a Principal, key: CallerKey, settings: &'a [FixedSetting]) -> Self {
        Self { principal, key, settings, limits: AppLimits { max_bytes: MAX_BYTES, deadline: DEADLINE } }
    }

    /// The same, but no longer than this, and with no larger an answer.
    pub(crate) fn within(self, deadline: Duration, max_bytes: usize) -> Self {
        Self { limits: AppLimits { max_bytes, deadline }, ..self }
    }

    /// Whose share of the host is used.
    pub(crate) fn key(self) -> CallerKey {
        self.key
    }

    /// The user of the caller's token, as the token names them.
    pub(crate) fn owner(self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Subject {
            sub: Option<String>,
        }
        serde_json::from_str(self.principal.claims()).ok().and_then(|Subject { sub }| sub)
    }

    /// Runs a statement that reads.
    pub(crate) async fn read(
        self,
        storage: &Storage,
        text: &'static str,
        params: &[Option<&str>],
    ) -> Result<Vec<FixedRow>, AppError> {
        self.run(storage, FixedAccess::Read, text, params).await
    }

    /// Runs a statement.
    pub(crate) async fn run(
        self,
        storage: &Storage,
        access: FixedAccess,
        text: &'static str,
        params: &[Option<&str>],
    ) -> Result<Vec<FixedRow>, AppError> {
        let Self { principal, key, settings, limits } = self;
        let request = FixedRequest { principal, key, access, settings, variables: &[], text, params, limits };
        storage.caller_db.run_fixed(request).await
    }
}
