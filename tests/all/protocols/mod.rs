//! The two protocols beside the host's own API: the Model Context Protocol at `/mcp`, and chat completions at `/v1`.

pub(crate) mod clients;
mod mcp;
mod openai;
pub(crate) mod supabase;
