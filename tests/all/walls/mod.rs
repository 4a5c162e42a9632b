//! The four walls around a tool's SQL. Each wall is tested alone, with the other walls taken away, and then all together.

mod all_walls;
mod construction;
mod corpus;
mod gate;
mod privilege;
mod watch;
