//! Identities of a user: linking and unlinking.

use behalf_web::Routes;

use crate::state::Auth;

pub(super) fn routes() -> Routes<Auth> {
    Routes::new()
}
