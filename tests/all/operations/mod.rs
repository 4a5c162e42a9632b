//! Running a host: `behalf doctor`, `behalf completions`, and many callers at once.

mod completions;
mod doctor;
mod ending;
mod load;
mod logged_texts;
mod sharing;
