//! Rows of a dump, checked: what cannot be read ends the import, what does not fit here is left out with a reason.

use std::collections::BTreeSet;

use behalf_dump::{Block, Fault, Row, Values};
use behalf_passwords::is_supported;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Wanted;
use crate::totp::TotpSecret;

/// Columns of `auth.users` that are texts of at most 255 characters.
const SHORT: [&str; 4] = ["aud", "role", "email", "encrypted_password"];
const USER_TIMES: [&str; 9] = [
    "email_confirmed_at",
    "invited_at",
    "last_sign_in_at",
    "created_at",
    "updated_at",
    "phone_confirmed_at",
    "banned_until",
    "deleted_at",
    // In dumps from before 2021.
    "confirmed_at",
];
/// Columns whose content is known and of no use here: codes in letters that are under way, and what follows from other columns.
const LEFT_OUT: [&str; 21] = [
    "instance_id",
    "confirmation_token",
    "confirmation_sent_at",
    "recovery_token",
    "recovery_sent_at",
    "email_change_token_new",
    "email_change_token_current",
    "email_change",
    "email_change_sent_at",
    "email_change_confirm_status",
    "phone_change",
    "phone_change_token",
    "phone_change_sent_at",
    "reauthentication_token",
    "reauthentication_sent_at",
    "is_super_admin",
    "confirmed_at",
    "last_challenged_at",
    "web_authn_credential",
    "web_authn_aaguid",
    "last_webauthn_challenge_data",
];

/// A row that can be stored, or why it is left out.
#[derive(Debug)]
pub(super) enum Checked {
    /// Its id, the user, and the values by column.
    Fit { id: Uuid, user: Uuid, values: Value },
    /// Why it does not fit.
    Unfit { id: Uuid, why: &'static str },
}

/// The columns of a block that are not read.
pub(super) fn unknown(block: &Block<Wanted>) -> BTreeSet<String> {
    let known: &[&str] = match block.table {
        Wanted::Users => &["id", "raw_app_meta_data", "raw_user_meta_data", "phone", "is_sso_user", "is_anonymous"],
        Wanted::Identities => &[
            "id",
            "provider_id",
            "user_id",
            "identity_data",
            "provider",
            "last_sign_in_at",
            "created_at",
            "updated_at",
            "email",
        ],
        Wanted::Factors => {
            &["id", "user_id", "friendly_name", "factor_type", "status", "created_at", "updated_at", "secret", "phone"]
        }
    };
    let is_known = |name: &str| {
        known.contains(&name)
            || LEFT_OUT.contains(&name)
            || (block.table == Wanted::Users && (SHORT.contains(&name) || USER_TIMES.contains(&name)))
    };
    block.columns.iter().filter(|name| !is_known(name)).cloned().collect()
}

/// Reads a row of the block.
pub(super) fn check(block: &Block<Wanted>, row: &Row) -> Result<Checked, Fault> {
    let values = Values::of(block, row);
    match block.table {
        Wanted::Users => user(&values),
        Wanted::Identities => identity(&values),
        Wanted::Factors => factor(&values),
    }
}

fn user(values: &Values<'_>) -> Result<Checked, Fault> {
    let id = values.id("id")?;
    let mut fields = json!({
        "id": id,
        "phone": values.text("phone").filter(|phone| !phone.is_empty()),
        "raw_app_meta_data": values.object("raw_app_meta_data")?.unwrap_or("{}"),
        "raw_user_meta_data": values.object("raw_user_meta_data")?.unwrap_or("{}"),
        "is_sso_user": values.flag("is_sso_user")?,
        "is_anonymous": values.flag("is_anonymous")?,
    });
    for name in SHORT {
        fields[name] = json!(values.text(name).filter(|text| !text.is_empty()));
    }
    for name in USER_TIMES {
        fields[name] = json!(values.time(name)?);
    }
    if fields["email_confirmed_at"].is_null() && !values.has("email_confirmed_at") {
        fields["email_confirmed_at"] = fields["confirmed_at"].clone();
    }
    fields["email"] = json!(values.text("email").filter(|email| !email.is_empty()).map(str::to_lowercase));
    Ok(match unfit_user(values) {
        Some(why) => Checked::Unfit { id, why },
        None => Checked::Fit { id, user: id, values: fields },
    })
}

fn unfit_user(values: &Values<'_>) -> Option<&'static str> {
    if values.text("role").is_some_and(|role| !matches!(role, "" | "authenticated")) {
        return Some("its role is not authenticated: users have no other here");
    }
    if values.text("encrypted_password").is_some_and(|hash| !hash.is_empty() && !is_supported(hash)) {
        return Some("its password hash is neither argon2 nor bcrypt of a usual cost");
    }
    if SHORT.iter().any(|name| values.text(name).is_some_and(|text| text.chars().count() > 255)) {
        return Some("a text is longer than its column");
    }
    None
}

fn identity(values: &Values<'_>) -> Result<Checked, Fault> {
    // In dumps from before November 2023 the column `id` is the one that was called `provider_id` later.
    let is_old = !values.has("provider_id");
    let id = if is_old { Uuid::new_v4() } else { values.id("id")? };
    let user = values.id("user_id")?;
    let values = json!({
        "id": id,
        "user_id": user,
        "provider_id": values.needed(if is_old { "id" } else { "provider_id" })?,
        "provider": values.needed("provider")?,
        "identity_data": values.object("identity_data")?.ok_or(Fault::Missing("identity_data"))?,
        "last_sign_in_at": values.time("last_sign_in_at")?,
        "created_at": values.time("created_at")?,
        "updated_at": values.time("updated_at")?,
    });
    Ok(Checked::Fit { id, user, values })
}

fn factor(values: &Values<'_>) -> Result<Checked, Fault> {
    let (id, user) = (values.id("id")?, values.id("user_id")?);
    let unfit = match (values.needed("factor_type")?, values.needed("status")?, values.text("secret")) {
        ("totp", "verified", Some(secret)) => {
            TotpSecret::read(secret).is_err().then_some("its secret is encrypted or broken")
        }
        ("totp", "verified", None) => Some("it has no secret"),
        ("totp", _, _) => Some("it was never verified"),
        _ => Some("it is of a kind that this host does not have"),
    };
    let fields = json!({
        "id": id,
        "user_id": user,
        "friendly_name": values.text("friendly_name"),
        "secret": values.text("secret"),
        "created_at": values.time("created_at")?,
        "updated_at": values.time("updated_at")?,
    });
    Ok(match unfit {
        Some(why) => Checked::Unfit { id, why },
        None => Checked::Fit { id, user, values: fields },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "11111111-1111-4111-8111-111111111111";

    fn checked(table: Wanted, fields: &[(&str, Option<&str>)]) -> Result<Checked, Fault> {
        let block = Block { table, columns: fields.iter().map(|(name, _)| (*name).to_owned()).collect() };
        let values = fields.iter().map(|(_, value)| value.map(str::to_owned)).collect();
        check(&block, &Row { line: 1, values })
    }

    fn user(fields: &[(&str, Option<&str>)]) -> Result<Checked, Fault> {
        checked(Wanted::Users, &[&[("id", Some(ID))], fields].concat())
    }

    #[test]
    fn what_cannot_be_read_is_an_error_that_names_the_column() {
        for (name, value) in [
            ("raw_app_meta_data", "[1]"),
            ("raw_app_meta_data", "{\"a\": \"\\u0000\"}"),
            ("created_at", "yesterday"),
            ("is_anonymous", "maybe"),
        ] {
            let fault = user(&[(name, Some(value))]).expect_err(value).to_string();
            assert!(fault.contains(name), "{fault}");
        }
        assert!(checked(Wanted::Users, &[("id", Some("1"))]).is_err());
        assert!(checked(Wanted::Users, &[("email", Some("a@b.example"))]).is_err());
    }

    #[test]
    fn a_user_with_another_role_or_a_hash_of_another_kind_is_left_out() {
        for (name, value) in [
            ("role", "service_role"),
            ("role", "supabase_admin"),
            ("encrypted_password", "$fbscrypt$v=1,n=14$x"),
            ("encrypted_password", "plain text"),
        ] {
            assert!(matches!(user(&[(name, Some(value))]), Ok(Checked::Unfit { .. })), "{value}");
        }
        let long = "a".repeat(256);
        assert!(matches!(user(&[("email", Some(&long))]), Ok(Checked::Unfit { .. })));
        assert!(matches!(user(&[("role", Some("")), ("encrypted_password", Some(""))]), Ok(Checked::Fit { .. })));
    }

    #[test]
    fn long_numbers_in_metadata_stay_exact() {
        let Ok(Checked::Fit { values, .. }) = user(&[("raw_user_meta_data", Some("{\"n\": 12345678901234567890.10}"))])
        else {
            panic!("it fits");
        };
        assert_eq!(values["raw_user_meta_data"], json!("{\"n\": 12345678901234567890.10}"));
    }

    #[test]
    fn only_second_factors_that_work_here_are_taken() {
        let factor = |kind, status, secret| {
            let fields = [
                ("id", Some(ID)),
                ("user_id", Some(ID)),
                ("factor_type", Some(kind)),
                ("status", Some(status)),
                ("secret", secret),
            ];
            checked(Wanted::Factors, &fields)
        };
        let secret = Some("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert!(matches!(factor("totp", "verified", secret), Ok(Checked::Fit { .. })));
        assert!(matches!(factor("totp", "unverified", secret), Ok(Checked::Unfit { .. })));
        assert!(matches!(factor("phone", "verified", None), Ok(Checked::Unfit { .. })));
        assert!(matches!(factor("totp", "verified", Some("{\"key_id\":\"a\"}")), Ok(Checked::Unfit { .. })));
    }
}
