//! Table `auth.mfa_factors`, `auth.mfa_challenges` and `auth.mfa_amr_claims`.
