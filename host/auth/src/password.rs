//! What a password has to be, and the check of one.

use behalf_passwords::{Checked, MAX_PASSWORD_BYTES, Policy, weakness};
use serde_json::{Value, json};

use crate::error::AuthError;
use crate::options::AuthOptions;
use crate::state::Auth;
use crate::user::User;

impl Auth {
    /// Refuses a password that is too weak to be set.
    pub(crate) fn check_new_password(&self, password: &str, inputs: &[&str]) -> Result<(), AuthError> {
        if password.len() > MAX_PASSWORD_BYTES {
            let message = format!("Password cannot be longer than {MAX_PASSWORD_BYTES} characters");
            return Err(AuthError::validation(message));
        }
        let reasons = weakness(password, &policy(&self.options), inputs);
        if reasons.is_empty() {
            return Ok(());
        }
        let message = explain(&self.options, &reasons);
        Err(AuthError { weak: reasons, ..AuthError::new(422, "weak_password", message) })
    }

    /// Says why a password that was right is weak, for the app to ask for another.
    pub(crate) fn warning(&self, password: &str, inputs: &[&str]) -> Option<Value> {
        let reasons = weakness(password, &policy(&self.options), inputs);
        (!reasons.is_empty()).then(|| json!({ "message": explain(&self.options, &reasons), "reasons": reasons }))
    }

    /// Whether it is the user's password. The work is the same without a user, and for one without a password.
    pub(crate) async fn check_password(&self, password: &str, user: Option<&User>) -> Result<Checked, AuthError> {
        // A longer one is nobody's, and hashing it would cost more than another.
        let password = if password.len() > MAX_PASSWORD_BYTES { "" } else { password };
        let stored = user.and_then(|user| user.encrypted_password.as_deref()).filter(|stored| !stored.is_empty());
        let checked = self.hasher.check(password, stored).await?;
        Ok(if password.is_empty() { Checked::Wrong } else { checked })
    }
}

fn policy(options: &AuthOptions) -> Policy {
    Policy {
        min_length: options.password_min_length,
        classes: options.password_classes.clone(),
        may_be_common: options.common_passwords,
    }
}

fn explain(options: &AuthOptions, reasons: &[&str]) -> String {
    let sentences = reasons.iter().map(|reason| match *reason {
        "length" => format!("Password should be at least {} characters.", options.password_min_length),
        "characters" => {
            format!("Password should contain at least one character of each: {}.", options.password_classes.join(", "))
        }
        _ => "Password is known to be weak and easy to guess, please choose a different one.".to_owned(),
    });
    sentences.collect::<Vec<_>>().join(" ")
}
