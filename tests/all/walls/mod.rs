//! The four walls around a tool's SQL. Each wall is tested alone, with the other walls taken away, and then all together.
//!
//! The tests share one table of attacks, in `attacks/`.
//!
//! | wall | how it is tested alone |
//! |---|---|
//! | 1 construction | `construction.rs`: forged arguments, headers and imports; which code can make a `Principal` |
//! | 2 gate | `gate.rs`: a database in which everything that wall 3 revoked is granted back |
//! | 3 privilege | `privilege.rs`: no host; the tool's login with SQL of its own, by either protocol |
//! | 4 watch | `watch.rs`: statements that are allowed and heavy, and a session that becomes another user's |
//!
//! `costs.rs` is about the gate: statements that the server could not interrupt, and names beyond the grant.

mod all_walls;
mod attacked_database;
mod attacks;
mod connection;
mod construction;
mod costs;
mod gate;
mod host_call;
mod privilege;
mod watch;
