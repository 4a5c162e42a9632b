//! `/api/knowledge-bases`, over real HTTP: what is indexed, who may do what with it, and what is found.

mod agents;
mod bases;
mod bed;
mod docs;
mod embedder;
mod fusion;
mod hosts;
mod indexing;
mod leaks;
mod memory;
mod poison;
mod policies;
mod reach;
mod recall;
mod recipes;
mod rerank;
mod score;
mod shelf;
mod side_channels;
mod strategies;
mod text;
