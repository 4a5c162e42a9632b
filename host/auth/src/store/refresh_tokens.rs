//! Table `auth.refresh_tokens`.
