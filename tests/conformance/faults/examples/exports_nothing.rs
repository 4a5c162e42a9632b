//! A component that is no plugin.

/// What it exports instead.
#[unsafe(no_mangle)]
pub extern "C" fn nothing() {}
