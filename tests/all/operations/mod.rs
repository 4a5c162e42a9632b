//! Running a host: `behalf doctor`, `behalf completions`, keys and their replacement, limits, and many callers at once.

mod completions;
mod doctor;
mod ending;
mod keys;
mod load;
mod logged_texts;
mod memory;
mod sharing;
