//! A small store of the plugin's own: values by their keys, for each user who calls or, where that was granted, for all callers.
//!
//! What is written is part of the call's transaction: it is kept where the call succeeds and undone where it fails, and
//! [`database::scope`](crate::database::scope) and [`database::commit`](crate::database::commit) mean it as well.
//!
//! ```
//! use behalf_sdk::{Error, kv};
//!
//! fn next_number() -> Result<u64, Error> {
//!     Ok(kv::update("invoices/last", |last: Option<u64>| last.unwrap_or(0) + 1)?)
//! }
//!
//! let _host = behalf_sdk::mock::Host::new();
//! assert_eq!((next_number(), next_number()), (Ok(1), Ok(2)));
//! ```

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::bindings::behalf::tool::kv::Error;

/// How often [`update`] tries while other calls write the same key.
const TRIES: usize = 10;

/// The value of a key. An error where it is no `T`.
pub fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Error> {
    crate::door::kv::get(key)?.map(|text| read(key, &text)).transpose()
}

/// Writes a value: at most 65,536 bytes as JSON. A key has 1 to 256 bytes.
pub fn set(key: &str, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
    crate::door::kv::set(key, &written(value)?)
}

/// Writes what `change` makes of the present value, and returns it; `None` where there is none. No change of another call is lost:
/// `change` is called again where one came in between.
pub fn update<T: DeserializeOwned + Serialize>(key: &str, mut change: impl FnMut(Option<T>) -> T) -> Result<T, Error> {
    for _ in 0..TRIES {
        let old = crate::door::kv::get(key)?;
        let new = change(old.as_deref().map(|text| read(key, text)).transpose()?);
        if crate::door::kv::replace(key, old.as_deref(), &written(&new)?)? {
            return Ok(new);
        }
    }
    let message = format!("other calls write to {key:?} all the time; try again shortly");
    Err(Error { code: "unavailable".into(), message, retryable: true })
}

/// Removes a key. False where there is none.
pub fn remove(key: &str) -> Result<bool, Error> {
    crate::door::kv::remove(key)
}

/// The keys that begin with `prefix`, in the order of their bytes: those after the key `after`, `limit` (1 to 1,000) at most.
pub fn keys(prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>, Error> {
    crate::door::kv::keys(prefix, after, limit)
}

fn read<T: DeserializeOwned>(key: &str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| invalid(format!("the value of {key:?} is of another type: {error}")))
}

fn written(value: &(impl Serialize + ?Sized)) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| invalid(error.to_string()))
}

fn invalid(message: String) -> Error {
    Error { code: "invalid".into(), message, retryable: false }
}
