//! The checks, by topic. Each adds what it finds to the [`Findings`](crate::findings::Findings).

mod argument_cases;
mod cancel;
mod definitions;
mod each_call;
mod isolation;
mod measure;
mod objects;
mod reduced_setup;
mod rows;
mod state;
mod statements;
mod texts;
mod writes;
