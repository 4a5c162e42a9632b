//! The sandbox: tools that misbehave during a call, and what the host keeps for them.

mod calls;
mod memory;
