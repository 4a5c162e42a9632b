//! Commands for tool authors: `behalf tool …` from a new project to a signed artifact, and the documentation that shows them.

mod authors;
mod c_plugins;
mod conformance;
mod distribution;
mod tool_command;
mod tutorials;
