//! Signing out.

use behalf_web::Routes;

use crate::state::Auth;

pub(super) fn routes() -> Routes<Auth> {
    Routes::new()
}
