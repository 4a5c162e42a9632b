//! Identity: how a request becomes a caller, and which tokens are refused.

mod act_as;
mod key_set;
mod tokens;
