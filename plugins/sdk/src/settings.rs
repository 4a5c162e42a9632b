//! Values the operator set for this plugin.

use alloc::string::String;

use serde_json::{Map, Value};

/// All settings; empty where there are none.
pub fn get_all() -> Map<String, Value> {
    serde_json::from_str(&crate::bindings::behalf::tool::settings::get_all()).unwrap_or_default()
}
