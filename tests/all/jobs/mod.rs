//! Background jobs: as their owners, in turns, once, and whatever happens to hosts and databases.

mod adding;
mod bed;
mod ending;
mod hosts;
mod operators;
mod own_work;
mod owners;
mod retention;
mod turns;
mod working;
