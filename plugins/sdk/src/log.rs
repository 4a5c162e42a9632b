//! Log lines. The host adds who, which tool and which call.
//!
//! With the feature `tracing`, the macros of that crate write them too.

pub use crate::bindings::behalf::tool::log::Level;

/// One line.
pub fn write(level: Level, message: &str) {
    crate::door::log::write(level, message);
}

/// For the tool's author.
pub fn debug(message: impl AsRef<str>) {
    write(Level::Debug, message.as_ref());
}

/// What a reader of the log wants to know.
pub fn info(message: impl AsRef<str>) {
    write(Level::Info, message.as_ref());
}

/// Something is off, the call goes on.
pub fn warn(message: impl AsRef<str>) {
    write(Level::Warn, message.as_ref());
}

/// Something failed.
pub fn error(message: impl AsRef<str>) {
    write(Level::Error, message.as_ref());
}
