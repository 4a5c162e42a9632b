//! A table whose policy reads a claim, as apps with several tenants have, and tokens that carry the claim.

use behalf_host_db::MigrateOptions;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{App, SECRET, TestDatabase, User};

const TABLE: &str = "
    create table public.projects (tenant text not null, title text not null);
    insert into public.projects values ('blue', 'Blue whale'), ('red', 'Red fox');
    alter table public.projects enable row level security;
    create policy of_tenant on public.projects for select to authenticated
        using (tenant = (select auth.jwt() -> 'app_metadata' ->> 'tenant'));
    grant select on public.projects to authenticated";

/// As the tables of Supabase and its kin, with the columns that matter.
const USERS: &str = "
    create schema auth;
    create table auth.users (id uuid primary key, email text, encrypted_password text default 'a hash', role text,
        raw_app_meta_data jsonb, raw_user_meta_data jsonb, banned_until timestamptz, deleted_at timestamptz)";

/// Reads the titles of all projects that the caller sees.
pub const TITLES: &str = "select coalesce(string_agg(title, ',' order by title), 'none') as titles from projects";

impl TestDatabase {
    /// Makes the table of projects, one of each tenant.
    pub async fn with_tenants(self) -> Self {
        self.execute(TABLE).await;
        self
    }

    /// A database with a table of users of its own, as an existing project has, which was migrated afterwards. Another service
    /// signs these users in, so a host on it needs `auth=off`.
    pub async fn with_users_of_its_own() -> Self {
        let database = Self::with_own_logins().await;
        database.execute(USERS).await;
        database.migrate(&MigrateOptions::default()).await.unwrap();
        database
    }
}

impl App {
    /// The titles of the projects that a caller sees.
    pub async fn projects(&self, user: &User) -> String {
        let answer = self.call(user, "database_query", json!({ "query": TITLES })).await;
        answer.result()[0]["titles"].as_str().unwrap_or(&answer.text).to_owned()
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap()
}

/// A user with a token of this tenant that was issued at this time.
pub fn member(user: Uuid, tenant: &str, issued_at: i64) -> User {
    let claims = json!({"app_metadata": {"tenant": tenant}, "iat": issued_at});
    with_claims(user, &claims)
}

/// A user with a token of these claims.
pub fn with_claims(user: Uuid, claims: &Value) -> User {
    let mut payload = json!({"sub": user, "aud": "authenticated", "role": "authenticated", "exp": now() + 3_600});
    payload.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    User::Token(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &payload, &key).unwrap())
}
