//! Images in another form.

use behalf_web::Routes;

use crate::state::Storage;

/// The routes.
pub(super) fn routes() -> Routes<Storage> {
    Routes::new()
}
