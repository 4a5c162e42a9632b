//! One call of a plugin's tool, from its arguments to its audit row, and the parts of it that every kind of tool shares.

mod audit_guard;
mod plugin_caller;
mod result_check;
mod runtime;
mod shown;

pub(crate) use audit_guard::AuditGuard;
pub(crate) use plugin_caller::PluginCaller;
pub(crate) use runtime::PluginRuntime;
