//! Table `auth.one_time_tokens`.
