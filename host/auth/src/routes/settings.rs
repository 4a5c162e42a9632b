//! Settings that clients read, health, and the key set.

use behalf_web::Routes;

use crate::state::Auth;

pub(super) fn routes() -> Routes<Auth> {
    Routes::new()
}
