//! Seals who adds a job into its row, and restores who that was.

use std::sync::Arc;

use behalf_identity::{Principal, PrincipalSeal};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::queue::JobId;

/// How the table names the host itself as owner.
pub(crate) const HOST: &str = "host";

/// How the table names the service role as owner.
const SERVICE: &str = "service";

/// As whom a job is done.
#[derive(Clone, Debug)]
pub(crate) enum Actor {
    /// As the one who added it.
    Principal(Arc<Principal>),
    /// As the host itself.
    Host,
}

/// The place that the identity of this job is sealed for.
fn place(id: JobId) -> String {
    format!("job:{id}")
}

/// The caller of a job, for its row.
pub(crate) fn sealed(seal: &PrincipalSeal, id: JobId, principal: &Principal) -> Json {
    seal.seal_principal(&place(id), principal)
}

/// As whom the job is done. None where the row's identity was not sealed for this job with the project's secrets, or is not that of
/// the row's owner.
pub(crate) fn restored(
    seal: &PrincipalSeal,
    id: JobId,
    owner: &str,
    user_id: Option<Uuid>,
    identity: Option<&Json>,
) -> Option<Actor> {
    let Some(identity) = identity else {
        return (owner == HOST && user_id.is_none()).then_some(Actor::Host);
    };
    let principal = seal.restore_principal(&place(id), identity)?;
    let is_owner = match principal.subject() {
        Some(subject) => user_id == Some(subject) && owner == format!("user:{subject}"),
        None => principal.is_service() && user_id.is_none() && owner == SERVICE,
    };
    is_owner.then(|| Actor::Principal(Arc::new(principal)))
}
