//! Table `auth.one_time_tokens`, and the columns of tokens in `auth.users`.
//!
//! A letter has a code, which a person types, and a link. A code has few digits, so it is worth something only together with the
//! address that it was sent to, and few tries of it are allowed. A link names no account, so its token is a long random one of its
//! own. The column in `auth.users` has the code's hash, as GoTrue keeps it; the row in `auth.one_time_tokens` has the link's.

use std::time::Duration;

use behalf_host_db::AuthTx;
use chrono::{DateTime, Utc};
use rand::rngs::OsRng;
use rand::{Rng as _, TryRngCore as _};
use sha2::{Digest as _, Sha224};
use sqlx::FromRow;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::error::AuthError;

/// The start of tokens that end in a code for the app (PKCE), not in a session.
pub(crate) const PKCE: &str = "pkce_";

/// Digits in hexadecimal of a link's token.
const LINK_DIGITS: usize = 56;
/// Digits in hexadecimal of a flow's id.
const FLOW_DIGITS: usize = 32;

/// What a token proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The address of a new or invited user.
    Confirmation,
    /// That the user is there, before a sensitive change.
    Reauthentication,
    /// The address, to sign in.
    Recovery,
    /// The new address.
    EmailChangeNew,
    /// The address that is to be replaced.
    EmailChangeCurrent,
}

impl Kind {
    /// The name in `token_type`.
    fn as_str(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation_token",
            Self::Reauthentication => "reauthentication_token",
            Self::Recovery => "recovery_token",
            Self::EmailChangeNew => "email_change_token_new",
            Self::EmailChangeCurrent => "email_change_token_current",
        }
    }

    /// The kind of this name.
    fn parse(name: &str) -> Option<Self> {
        [Self::Confirmation, Self::Reauthentication, Self::Recovery, Self::EmailChangeNew, Self::EmailChangeCurrent]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }

    /// Writes the hash of the code and the time.
    fn write(self) -> &'static str {
        match self {
            Self::Confirmation => {
                "update auth.users set confirmation_token = $2, confirmation_sent_at = now(), updated_at = now() where id = $1"
            }
            Self::Reauthentication => {
                "update auth.users set reauthentication_token = $2, reauthentication_sent_at = now(), updated_at = now() \
                 where id = $1"
            }
            Self::Recovery => {
                "update auth.users set recovery_token = $2, recovery_sent_at = now(), updated_at = now() where id = $1"
            }
            Self::EmailChangeNew => {
                "update auth.users set email_change_token_new = $2, email_change_sent_at = now(), updated_at = now() \
                 where id = $1"
            }
            Self::EmailChangeCurrent => {
                "update auth.users set email_change_token_current = $2, email_change_sent_at = now(), updated_at = now() \
                 where id = $1"
            }
        }
    }
}

/// A code and a link's token that were just made. Only their hashes are stored.
#[derive(Clone)]
pub(crate) struct Fresh {
    /// The code of digits.
    pub(crate) code: String,
    /// The link's token.
    pub(crate) link: String,
}

/// The hash of a code for an address, as GoTrue makes it. An app's own SQL may have stored the address in another case.
pub(crate) fn code_hash(address: &str, code: &str) -> String {
    hex::encode(Sha224::new().chain_update(address.to_lowercase()).chain_update(code).finalize())
}

fn link_hash(token: &str) -> String {
    hex::encode(Sha224::digest(token))
}

/// Makes a code and a link's token. `flow` is the flow (PKCE) that the letter was asked for in.
fn fresh(digits: usize, flow: Option<Uuid>) -> Result<Fresh, AuthError> {
    let mut bytes = [0_u8; LINK_DIGITS / 2];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| AuthError::internal(&error))?;
    let random = hex::encode(bytes);
    let mut source = OsRng.unwrap_err();
    let code = (0..digits).map(|_| char::from(b'0' + source.random_range(0..10_u8))).collect();
    let link = match flow {
        // The flow's id is a part of the token, so that it cannot be taken for another's.
        Some(flow) => format!("{PKCE}{}{}", flow.simple(), &random[FLOW_DIGITS..]),
        None => random,
    };
    Ok(Fresh { code, link })
}

/// The flow that a link's token was made in.
pub(crate) fn flow_of(token: &str) -> Option<Uuid> {
    let flow = token.strip_prefix(PKCE)?.get(..FLOW_DIGITS)?;
    Uuid::try_parse(flow).ok()
}

/// Makes a code and a link, and stores their hashes in place of earlier ones of the kind.
pub(crate) async fn issue(
    tx: &mut AuthTx,
    user: Uuid,
    kind: Kind,
    address: &str,
    digits: usize,
    flow: Option<Uuid>,
) -> Result<Fresh, AuthError> {
    let fresh = fresh(digits, flow)?;
    let code = code_hash(address, &fresh.code);
    let code = if flow.is_some() { format!("{PKCE}{code}") } else { code };
    sqlx::query(kind.write()).bind(user).bind(code).execute(&mut **tx).await?;
    sqlx::query(
        "insert into auth.one_time_tokens (id, user_id, token_type, token_hash, relates_to, created_at, updated_at) \
         values ($1, $2, $3::auth.one_time_token_type, $4, $5, timezone('utc', now()), timezone('utc', now())) \
         on conflict (user_id, token_type) do update set id = excluded.id, token_hash = excluded.token_hash, \
         relates_to = excluded.relates_to, created_at = excluded.created_at, updated_at = excluded.updated_at",
    )
    .bind(Uuid::new_v4())
    .bind(user)
    .bind(kind.as_str())
    .bind(link_hash(&fresh.link))
    .bind(address)
    .execute(&mut **tx)
    .await?;
    Ok(fresh)
}

/// A link's token that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) user: Uuid,
    pub(crate) kind: Kind,
}

/// The user and kind of a link's token, without using it up.
pub(crate) async fn by_link(tx: &mut AuthTx, token: &str, kinds: &[Kind]) -> Result<Option<Found>, AuthError> {
    let rows: Vec<(Uuid, String)> =
        sqlx::query_as("select user_id, token_type::text from auth.one_time_tokens where token_hash = $1")
            .bind(link_hash(token))
            .fetch_all(&mut **tx)
            .await?;
    let found = rows.into_iter().filter_map(|(user, kind)| Some(Found { user, kind: Kind::parse(&kind)? }));
    Ok(found.into_iter().find(|found| kinds.contains(&found.kind)))
}

/// Uses a link's token up. Whether it was there: of two requests with one link, one gets `false`.
pub(crate) async fn use_link(tx: &mut AuthTx, token: &str, found: Found) -> Result<bool, AuthError> {
    let deleted = sqlx::query(
        "delete from auth.one_time_tokens where user_id = $1 and token_type = $2::auth.one_time_token_type and token_hash = $3",
    )
    .bind(found.user)
    .bind(found.kind.as_str())
    .bind(link_hash(token))
    .execute(&mut **tx)
    .await?;
    Ok(deleted.rows_affected() == 1)
}

/// The hashes of a user's codes.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Codes {
    confirmation_token: Option<String>,
    reauthentication_token: Option<String>,
    recovery_token: Option<String>,
    email_change_token_new: Option<String>,
    email_change_token_current: Option<String>,
}

/// The hashes of a user's codes; `None` where there is no such user.
pub(crate) async fn codes(tx: &mut AuthTx, user: Uuid) -> Result<Option<Codes>, AuthError> {
    let codes = sqlx::query_as(
        "select confirmation_token, reauthentication_token, recovery_token, email_change_token_new, \
         email_change_token_current from auth.users where id = $1",
    )
    .bind(user)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(codes)
}

impl Codes {
    /// Whether this is the hash of the code of the kind.
    pub(crate) fn is(&self, kind: Kind, hash: &str) -> bool {
        let stored = match kind {
            Kind::Confirmation => &self.confirmation_token,
            Kind::Reauthentication => &self.reauthentication_token,
            Kind::Recovery => &self.recovery_token,
            Kind::EmailChangeNew => &self.email_change_token_new,
            Kind::EmailChangeCurrent => &self.email_change_token_current,
        };
        let stored = stored.as_deref().unwrap_or_default();
        let stored = stored.strip_prefix(PKCE).unwrap_or(stored);
        !stored.is_empty() && bool::from(stored.as_bytes().ct_eq(hash.as_bytes()))
    }
}

/// The user who is to confirm a change of address with the code of this hash.
pub(crate) async fn by_change_code(tx: &mut AuthTx, hash: &str) -> Result<Option<Uuid>, AuthError> {
    // The last conditions are those of the indexes, which are not used without them.
    let found = sqlx::query_scalar(
        "select id from auth.users where email_change_token_new in ($1, $2) and email_change_token_new !~ '^[0-9 ]*$' \
         union all \
         select id from auth.users where email_change_token_current in ($1, $2) and email_change_token_current !~ '^[0-9 ]*$' \
         limit 1",
    );
    Ok(found.bind(hash).bind(format!("{PKCE}{hash}")).fetch_optional(&mut **tx).await?)
}

/// Whether a token that was sent then is valid no more.
pub(crate) fn is_over(sent: Option<DateTime<Utc>>, lifetime: Duration) -> bool {
    // A clock that was set back does not make a token older.
    sent.is_none_or(|sent| (Utc::now() - sent).to_std().is_ok_and(|age| age >= lifetime))
}

/// Forgets the codes and links that sign the user in.
pub(crate) async fn clear_sign_in(tx: &mut AuthTx, user: Uuid) -> Result<(), AuthError> {
    sqlx::query("update auth.users set confirmation_token = '', recovery_token = '' where id = $1")
        .bind(user)
        .execute(&mut **tx)
        .await?;
    sqlx::query(
        "delete from auth.one_time_tokens where user_id = $1 and token_type in ('confirmation_token', 'recovery_token')",
    )
    .bind(user)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Forgets the code and link of one address of a change.
pub(crate) async fn clear_change(tx: &mut AuthTx, user: Uuid, kind: Kind) -> Result<(), AuthError> {
    let sql = match kind {
        Kind::EmailChangeCurrent => {
            "update auth.users set email_change_token_current = '', email_change_confirm_status = 1 where id = $1"
        }
        _ => "update auth.users set email_change_token_new = '', email_change_confirm_status = 1 where id = $1",
    };
    sqlx::query(sql).bind(user).execute(&mut **tx).await?;
    sqlx::query("delete from auth.one_time_tokens where user_id = $1 and token_type = $2::auth.one_time_token_type")
        .bind(user)
        .bind(kind.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Forgets the code by which a user showed to be there.
pub(crate) async fn clear_reauthentication(tx: &mut AuthTx, user: Uuid) -> Result<(), AuthError> {
    sqlx::query("update auth.users set reauthentication_token = '' where id = $1")
        .bind(user)
        .execute(&mut **tx)
        .await?;
    sqlx::query("delete from auth.one_time_tokens where user_id = $1 and token_type = 'reauthentication_token'")
        .bind(user)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Forgets all codes and links of a user, as after a change of the password or the address.
pub(crate) async fn clear(tx: &mut AuthTx, user: Uuid) -> Result<(), AuthError> {
    sqlx::query(
        "update auth.users set confirmation_token = '', recovery_token = '', email_change_token_new = '', \
         email_change_token_current = '', reauthentication_token = '', email_change = '', email_change_confirm_status = 0 \
         where id = $1",
    )
    .bind(user)
    .execute(&mut **tx)
    .await?;
    sqlx::query("delete from auth.one_time_tokens where user_id = $1").bind(user).execute(&mut **tx).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_digits_and_a_link_is_long() {
        let made = fresh(6, None).expect("random bytes");
        assert!(made.code.len() == 6 && made.code.bytes().all(|byte| byte.is_ascii_digit()), "{}", made.code);
        assert_eq!(made.link.len(), LINK_DIGITS);
        assert_ne!(made.link, fresh(6, None).expect("random bytes").link);
    }

    #[test]
    fn a_link_of_a_flow_names_it() {
        let flow = Uuid::new_v4();
        let made = fresh(6, Some(flow)).expect("random bytes");
        assert_eq!(flow_of(&made.link), Some(flow));
        assert_eq!(made.link.len(), PKCE.len() + LINK_DIGITS);
        assert_eq!(flow_of(&fresh(6, None).expect("random bytes").link), None);
        assert_eq!(flow_of("pkce_"), None);
        assert_eq!(flow_of("pkce_ä"), None);
    }

    #[test]
    fn a_hash_is_the_one_that_gotrue_stores() {
        let hash = "dd26641906a75decb81cb2f9abd334d019733dc52b6fd7aee655a577";
        assert_eq!(code_hash("a@b.example", "123456"), hash);
        assert_eq!(code_hash("A@b.Example", "123456"), hash);
    }

    #[test]
    fn an_empty_column_is_no_code() {
        let codes = Codes {
            confirmation_token: Some(String::new()),
            reauthentication_token: None,
            recovery_token: Some(format!("{PKCE}ab")),
            email_change_token_new: None,
            email_change_token_current: None,
        };
        assert!(!codes.is(Kind::Confirmation, "") && !codes.is(Kind::Reauthentication, ""));
        assert!(codes.is(Kind::Recovery, "ab") && !codes.is(Kind::Recovery, "abc"));
    }
}
