//! The description of the interface: Swagger 2.0, as PostgREST gives it.

use crate::answer::{Answer, Body};
use crate::cache::SchemaCache;
use crate::error::RestError;
use crate::plan::Plan;

/// The answer of the root; `row` is what the main statement returned.
pub fn openapi(_cache: &SchemaCache, plan: &Plan, row: &[Option<&[u8]>]) -> Result<Answer, RestError> {
    let mut answer = plan.answer(row, None)?;
    answer.body = Body::Own(Vec::new());
    Ok(answer)
}
