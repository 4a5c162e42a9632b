//! Checks grants: whether a component may be given them, and whether calls with them reach beyond their transaction.

use crate::capabilities::RULES;
use crate::grants::{GrantError, Grants};
use crate::imports::ImportedInterface;

impl Grants {
    /// Whether a component with these imports may be given them on a host that exposes these schemas.
    pub fn check(&self, imports: &[ImportedInterface], exposed: &[String]) -> Result<(), GrantError> {
        RULES.iter().try_for_each(|rules| (rules.validate_grant)(self, imports, exposed))
    }

    /// Whether a call can do more than its database transaction: send something, or leave a file for the next call.
    pub fn reach_out(&self) -> bool {
        RULES.iter().any(|rules| (rules.reaches_out)(self))
    }
}
