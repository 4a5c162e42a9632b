//! Table `auth.sessions`.
