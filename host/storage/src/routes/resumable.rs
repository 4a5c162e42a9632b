//! Uploads that come in parts (TUS 1.0).

use behalf_web::Routes;

use crate::state::Storage;

/// The routes.
pub(super) fn routes() -> Routes<Storage> {
    Routes::new()
}
