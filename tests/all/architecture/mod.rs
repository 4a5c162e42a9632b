//! Tests of the host's source text: which part may use which, and where each dangerous call may stand.

mod doors;
mod logs;
mod settings;
