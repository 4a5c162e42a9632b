//! Whether a caller may add sources, asked before the first byte.

use behalf_identity::Principal;

use crate::error::SourceError;
use crate::state::Sources;

/// A banned user's token may be valid for a while. Users of other issuers have no row in the project's table of users.
const ADMIT: &str = "select behalf.uid() is not null and not behalf.jwt() ?| array['behalf_sub', 'behalf_uid']
         and coalesce((behalf.auth_user(behalf.uid()) ->> 'suspended')::boolean, false),
     (select count(*) from (
         select from ai.sources s
         where s.extraction_status in ('pending', 'extracting')
           and (s.owner_id = behalf.uid() or (s.owner_id is null and behalf.uid() is null))
         limit $1) waiting)";

/// Refuses a caller who is suspended, or who would have more sources waiting than one may with `more` of them.
pub(crate) async fn admit(sources: &Sources, principal: &Principal, more: i64) -> Result<(), SourceError> {
    let most = sources.options.max_waiting;
    let mut tx = sources.db.begin(principal).await?;
    let (is_suspended, waiting): (bool, i64) = sqlx::query_as(ADMIT).bind(most).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    if is_suspended {
        return Err(SourceError::Suspended);
    }
    if waiting.saturating_add(more) > most {
        return Err(SourceError::TooManyWaiting(waiting));
    }
    Ok(())
}
