//! The claims of access tokens.

use behalf_host_db::AuthTx;
use chrono::Utc;
use serde_json::{Value, json};

use crate::error::AuthError;
use crate::hook;
use crate::state::Auth;
use crate::store::sessions::{self, Proof, SessionRow};
use crate::user::User;

/// Roles that no access token names, whatever a row or a hook says: they belong to keys and to owners of tables.
const NEVER: [&str; 4] = ["service_role", "supabase_admin", "supabase_auth_admin", "postgres"];

/// The proofs that make a session `aal2`.
const SECOND_FACTORS: [&str; 3] = ["totp", "mfa/phone", "mfa/webauthn"];

impl Auth {
    /// An access token of a session, and when it ends. `method` is how the user proved just now who they are.
    pub(super) async fn access_token(
        &self,
        tx: &mut AuthTx,
        user: &User,
        session: &SessionRow,
        method: &str,
    ) -> Result<(String, i64), AuthError> {
        let proofs = sessions::proofs(tx, session.id).await?;
        let now = Utc::now().timestamp();
        let ends = now.saturating_add(i64::try_from(self.options.token_lifetime.as_secs()).unwrap_or(i64::MAX));
        // A token does not outlive its session.
        let ends = session.not_after.map_or(ends, |end| ends.min(end.timestamp()));
        let mut claims = claims(user, session, &proofs);
        claims["iss"] = json!(self.options.issuer);
        claims["aud"] = json!(self.options.audience);
        claims["iat"] = json!(now);
        claims["exp"] = json!(ends);
        if let Some(function) = &self.options.token_hook {
            claims = hook::change_claims(tx, function, user.id, &claims, method).await?;
        }
        if claims["role"].as_str().is_none_or(|role| NEVER.contains(&role)) {
            let user = user.id;
            tracing::error!(user = %user, "an access token would have named a role that is not a user's");
            return Err(AuthError::new(
                500,
                "unexpected_failure",
                "the role of this user cannot stand in an access token",
            ));
        }
        let ends = claims["exp"].as_i64().unwrap_or(ends);
        let token = self.signer.sign(&claims).map_err(|error| AuthError::internal(&error))?;
        Ok((token, ends))
    }
}

/// What a token says of the user and the session.
fn claims(user: &User, session: &SessionRow, proofs: &[Proof]) -> Value {
    let role = user.role.as_deref().filter(|role| !role.is_empty()).unwrap_or("authenticated");
    let is_strong = session.aal.as_deref() == Some("aal2")
        && proofs.iter().any(|proof| SECOND_FACTORS.contains(&proof.method.as_str()));
    let amr: Vec<Value> =
        proofs.iter().map(|proof| json!({ "method": proof.method, "timestamp": proof.at.timestamp() })).collect();
    json!({
        "sub": user.id,
        "email": user.email.as_deref().unwrap_or_default(),
        "phone": user.phone.as_deref().unwrap_or_default(),
        "app_metadata": user.raw_app_meta_data.as_ref().filter(|data| data.is_object()).unwrap_or(&json!({})),
        "user_metadata": user.raw_user_meta_data.as_ref().filter(|data| data.is_object()).unwrap_or(&json!({})),
        "role": role,
        "aal": if is_strong { "aal2" } else { "aal1" },
        "amr": amr,
        "session_id": session.id,
        "is_anonymous": user.is_anonymous,
    })
}
