//! What agents remember of their users.
