//! Commands for tool authors: `behalf tool …` from a new project to a signed artifact, and the documentation that shows them.

mod author_messages;
mod authors;
mod building;
mod c_plugins;
mod conformance;
mod crashes;
mod distribution;
mod examples;
mod kept_postgres;
mod tool_command;
mod tutorials;
mod web;
