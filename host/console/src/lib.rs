//! Pages that the host serves to people: so far the chat of `behalf dev --demo chat`, in which two users ask one agent.
//!
//! Owns no table. Imports foundations only. The pages are in `chat/`: HTML, CSS and TypeScript, and the JavaScript that the compiler
//! makes of it, which the tests compare. A page acts as an app of its users does: with their own tokens, at the public routes. Never
//! does: serve anything that the command did not ask for; tell passwords to anybody but a browser on this machine that shows this
//! page; show a user another user's statements.

mod files;
mod here;
mod routes;
mod setup;

pub use routes::routes;
pub use setup::{ChatDemo, ChatSetup, ChatUser, Sample, TRIPS};
