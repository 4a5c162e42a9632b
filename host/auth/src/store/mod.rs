//! The tables of the schema `auth`, a file for each. Every function takes a transaction of `HostDb::begin_auth`.

pub(crate) mod audit_entries;
pub(crate) mod factor_secrets;
pub(crate) mod factor_tries;
pub(crate) mod factors;
pub(crate) mod flow_state;
pub(crate) mod identities;
pub(crate) mod imported;
pub(crate) mod linked;
pub(crate) mod managed_users;
pub(crate) mod one_time_tokens;
pub(crate) mod refresh_tokens;
pub(crate) mod sent_letters;
pub(crate) mod sessions;
pub(crate) mod users;
