//! Identity: how a request becomes a caller, and which tokens are refused.

mod tokens;
