//! Log lines. The host adds who, which tool and which call.

pub use crate::bindings::behalf::tool::log::{Level, write};

/// For the tool's author.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// What a reader of the log wants to know.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Something is off, the call goes on.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Something failed.
pub fn error(message: &str) {
    write(Level::Error, message);
}
