//! Running a host: `behalf doctor`, and many callers at once.

mod doctor;
mod load;
