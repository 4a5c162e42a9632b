//! The sandbox: tools that misbehave during a call.

mod calls;
