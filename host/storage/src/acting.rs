//! A caller of `/storage/v1` as statements and rows name them.

use behalf_caller_db::FixedSetting;
use serde::Deserialize;

use crate::caller::Asker;
use crate::store::objects::ActAs;

impl Asker {
    /// As whom a statement runs, in an operation that policies can tell.
    pub(crate) fn act<'a>(&'a self, settings: &'a [FixedSetting]) -> ActAs<'a> {
        ActAs { principal: &self.principal, key: self.key, settings }
    }

    /// Whose an object of this caller's is: what policies read as `auth.jwt() ->> 'sub'`. Nobody's, if the caller is no user.
    pub(crate) fn owner(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Subject {
            sub: Option<String>,
        }
        serde_json::from_str::<Subject>(self.principal.claims()).ok()?.sub
    }
}
