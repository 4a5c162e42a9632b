//! One constant statement as a caller.

use std::time::Duration;

use behalf_caller_db::{AppError, AppLimits, FixedAccess, FixedRequest, FixedRow, FixedSetting};

use crate::caller::Asker;
use crate::state::Storage;

/// A thousand rows of a list, with what is known of each.
const LIMITS: AppLimits = AppLimits { max_bytes: 32 * 1024 * 1024, deadline: Duration::from_secs(30) };

/// Runs it. `settings` are `SET LOCAL …` statements, such as the name of the operation that policies read.
pub(super) async fn run(
    storage: &Storage,
    asker: &Asker,
    access: FixedAccess,
    settings: &[FixedSetting],
    text: &'static str,
    params: &[Option<&str>],
) -> Result<Vec<FixedRow>, AppError> {
    let Asker { principal, key } = asker;
    let request = FixedRequest { principal, key: *key, access, settings, text, params, limits: LIMITS };
    storage.caller_db.run_fixed(request).await
}
