//! The experiments, by what they look at. Each writes what it finds into the book.

mod battery;
mod cancel;
mod definitions;
mod isolation;
mod judge;
mod less;
mod measure;
mod rows;
mod state;
mod statements;
mod writes;
