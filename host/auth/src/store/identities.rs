//! Table `auth.identities`.
