//! Checks whether a component may be given grants.

use crate::capabilities::RULES;
use crate::grants::{GrantError, Grants};
use crate::imports::ImportedInterface;

impl Grants {
    /// Whether a component with these imports may be given them on a host that exposes these schemas.
    pub fn check(&self, imports: &[ImportedInterface], exposed: &[String]) -> Result<(), GrantError> {
        RULES.iter().try_for_each(|rules| (rules.validate_grant)(self, imports, exposed))
    }
}
