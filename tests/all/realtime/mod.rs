//! Channels: `/realtime/v1`, and the schema `realtime`.

mod attacks_sql;
mod bed;
mod broadcast;
mod changes;
mod clients;
mod docs;
mod functions;
mod hosts;
mod limits;
mod presence;
mod protocol;
mod rights;
mod runs;
mod sql_caller;
mod tokens;
