//! Running a host: `behalf doctor`, `behalf completions`, keys and their replacement, limits, and many callers at once.

mod app_code;
mod completions;
mod databases;
mod doctor;
mod ending;
mod exposure;
mod keys;
mod load;
mod logged_texts;
mod memory;
mod sharing;
