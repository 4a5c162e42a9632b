//! Whether a tool's result is what the tool said that it returns.

use behalf_problem::LogText as _;
use behalf_sandbox::CallError;
use behalf_schema::Schema;

/// Faults that are told; more would not help the tool's author.
const TOLD: usize = 5;

/// An error where the result does not fit the tool's own schema. Whoever reads it relies on the schema.
pub(super) async fn check_result(schema: &Schema, json: &str) -> Result<(), CallError> {
    // What this host cannot hold, such as a number beyond every double, it cannot check.
    let Ok(value) = serde_json::from_str(json) else { return Ok(()) };
    let faults = match schema.check(value).await {
        Ok((_, faults)) => faults,
        Err(error) => {
            tracing::warn!(error = error.log_text(), "a tool's result was passed on unchecked");
            return Ok(());
        }
    };
    if faults.is_empty() {
        return Ok(());
    }
    let place = |pointer: &str| if pointer.is_empty() { "/".to_owned() } else { pointer.to_owned() };
    let told = faults.iter().take(TOLD).map(|fault| format!("{}: {}", place(&fault.pointer), fault.message));
    Err(CallError::Misfit(told.collect::<Vec<_>>().join("; ").into()))
}
