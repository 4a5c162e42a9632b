//! Limits of tries and letters, by address of the client and by account.

use crate::options::AuthOptions;

/// Counts tries.
#[derive(Debug)]
pub(crate) struct AuthLimits(());

impl AuthLimits {
    /// Limits as an operator set them.
    pub(crate) fn new(_options: &AuthOptions) -> Self {
        Self(())
    }
}
