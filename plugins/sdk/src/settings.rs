//! Values the operator set for this plugin: an endpoint's path, a default currency. Not for secrets of users.

use alloc::format;
use alloc::string::String;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::Error;

/// All settings as a type. Give its fields defaults (`#[serde(default)]`): an operator who sets nothing sends `{}`.
pub fn get<T: DeserializeOwned>() -> Result<T, Error> {
    serde_json::from_str(&crate::door::settings::get_all()).map_err(|error| {
        Error::failed(format!("The settings of this plugin are wrong, and its operator has to correct them: {error}"))
    })
}

/// All settings; empty where there are none.
pub fn get_all() -> Map<String, Value> {
    serde_json::from_str(&crate::door::settings::get_all()).unwrap_or_default()
}
