//! A caller as statements and rows name them.

use behalf_caller_db::FixedSetting;

use super::reader::owner;
use crate::caller::Asker;
use crate::store::objects::ActAs;

impl Asker {
    /// As whom a statement runs, in an operation that policies can tell.
    pub(super) fn act<'a>(&'a self, settings: &'a [FixedSetting]) -> ActAs<'a> {
        ActAs { principal: &self.principal, key: self.key, settings }
    }

    /// Whose an object of this caller's is; nobody's, if the caller is no user.
    pub(super) fn owner(&self) -> Option<String> {
        owner(&self.principal)
    }
}
