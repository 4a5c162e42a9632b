//! The checks, by topic. Each adds what it finds to the [`Findings`](crate::findings::Findings).

mod argument_cases;
mod arguments_in_sql;
mod cancel;
mod claims;
mod definitions;
mod each_call;
mod failing;
mod isolation;
mod measure;
mod objects;
mod reduced_setup;
mod rows;
mod state;
mod statements;
mod stores;
mod texts;
mod writes;
