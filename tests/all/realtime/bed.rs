//! What the tests of channels share: a host, and who may use which private channel.

use behalf_tests::{App, Options, TestDatabase};
use serde_json::{Value, json};
use uuid::Uuid;

/// Members hear the channels of a table of the app's, and speak there if it says so.
const POLICIES: &str = "
create table public.members (user_id uuid not null, topic text not null, may_write boolean not null default true);
alter table public.members enable row level security;
create policy own on public.members for select to authenticated using (user_id = (select auth.uid()));
grant select on public.members to authenticated;
create policy hear on realtime.messages for select to authenticated using (exists (
    select from public.members m where m.user_id = (select auth.uid()) and m.topic = (select realtime.topic())));
create policy speak on realtime.messages for insert to authenticated with check (exists (
    select from public.members m where m.user_id = (select auth.uid()) and m.topic = (select realtime.topic()) and m.may_write));";

/// A host with these settings, whose private channels are for their members.
pub(super) async fn start(settings: &[(&'static str, &str)]) -> App {
    let database = TestDatabase::create().await;
    database.execute(POLICIES).await;
    let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    App::on(database, Options { settings }).await
}

/// Makes a member.
pub(super) async fn admit(app: &App, user: Uuid, topic: &str, may_write: bool) {
    let row = format!("insert into public.members values ('{user}', '{topic}', {may_write})");
    app.database.execute(&row).await;
}

/// Takes all memberships of a topic away.
pub(super) async fn expel(app: &App, topic: &str) {
    app.database.execute(&format!("delete from public.members where topic = '{topic}'")).await;
}

/// The configuration of a private channel whose broadcasts are answered.
pub(super) fn private() -> Value {
    json!({"private": true, "broadcast": {"ack": true, "self": false}, "presence": {"enabled": false}})
}

/// The same of a public one.
pub(super) fn public() -> Value {
    json!({"broadcast": {"ack": true, "self": false}, "presence": {"enabled": false}})
}
