//! One-time codes and links: otp, magiclink, recover, resend, verify, reauthenticate.

use behalf_web::Routes;

use crate::state::Auth;

pub(super) fn routes() -> Routes<Auth> {
    Routes::new()
}
