//! The two protocols beside the host's own API: the Model Context Protocol at `/mcp`, and chat completions at `/v1`.

pub(crate) mod clients;
mod mcp;
mod mcp_forms;
mod mcp_offers;
mod openai;
mod openai_retries;
pub(crate) mod supabase;
