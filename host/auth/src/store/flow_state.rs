//! Table `auth.flow_state`.
