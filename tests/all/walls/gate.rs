//! Wall 2, the gate, alone: PUBLIC has every right that wall 3 revokes, so only the gate's reading of the statement protects
//! another user's rows.

use behalf_tests::{ALICE, App, BOB, LOGIN_PASSWORD, Options, User, guests, write_grants};
use serde_json::json;
use sqlx::Connection;
use uuid::Uuid;

use super::attacked_database::AttackedDatabase;
use super::attacks::{Control, Gate};
use super::connection::{Protocol, begin_as, send};
use super::host_call::through_host;
use super::watch::audit_rows;

#[tokio::test(flavor = "multi_thread")]
async fn without_any_wall_every_attack_works() {
    let attacked = AttackedDatabase::with_all_rights().await;
    // The usual pattern: one login for everybody.
    let login = format!("walls_{}", Uuid::new_v4().simple());
    let make = format!(
        "create role {login} login noinherit password '{LOGIN_PASSWORD}'; grant anon, authenticated, service_role to {login}"
    );
    attacked.database.execute(&make).await;
    let bystander = attacked.bystander(&login).await;
    let mut owner = attacked.database.owner().await;
    let before = attacked.sum_of_bobs_rows(&mut owner).await;
    let mut harmless = Vec::new();
    for attack in attacked.attacks() {
        let as_owner = matches!(attack.control, Control::OwnerReads | Control::OwnerWrites | Control::OwnerRuns);
        let mut conn = if as_owner { attacked.database.owner().await } else { attacked.database.login(&login).await };
        if as_owner {
            behalf_tests::database::run(&mut conn, "begin").await;
        } else {
            begin_as(&mut conn, ALICE).await;
        }
        let seen = send(&mut conn, &attack.steps, Protocol::Simple).await;
        let works = match attack.control {
            Control::Reads | Control::OwnerReads => attacked.is_stolen(&seen.bytes),
            Control::Runs | Control::OwnerRuns => seen.sqlstate.is_none(),
            Control::OwnerWrites => seen.sqlstate.is_none() && attacked.sum_of_bobs_rows(&mut conn).await != before,
        };
        if !works {
            harmless.push(format!("{attack:?}\n{}", String::from_utf8_lossy(&seen.bytes)));
        }
        // Nothing is committed: the next attack finds the same rows.
        conn.close().await.unwrap();
    }
    assert_eq!(attacked.sum_of_bobs_rows(&mut owner).await, before);
    // The login stays with its server: databases that are migrated meanwhile grant it what PUBLIC had.
    bystander.close().await.unwrap();
    assert!(harmless.is_empty(), "{}", harmless.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gate_alone_stops_every_attack() {
    let attacked = AttackedDatabase::with_all_rights().await;
    let app = App::on(attacked.database.clone(), Options::default()).await;
    app.install(guests::PROBE, &write_grants()).await;
    let _bystander = attacked.bystander("behalf_tool_authenticated").await;
    let mut owner = attacked.database.owner().await;
    let before = attacked.sum_of_bobs_rows(&mut owner).await;
    let mut expected = Vec::new();
    for attack in attacked.attacks() {
        let reply = through_host(&app, &User::Is(ALICE), &attack.steps).await;
        let text = String::from_utf8_lossy(&reply.bytes);
        assert!(!attacked.is_stolen(&reply.bytes), "{attack:?}\n{text}");
        if let Gate::Refuses(rule) = attack.gate {
            assert_eq!(reply.status, 200, "{attack:?}\n{text}");
            assert!(reply.codes().iter().any(|code| ["refused", "not_granted"].contains(code)), "{attack:?}\n{text}");
            expected.push((reply.call_id(), rule, attack.clone()));
        } else {
            assert!(!reply.codes().iter().any(|code| ["refused", "not_granted"].contains(code)), "{attack:?}\n{text}");
        }
        assert_eq!(attacked.sum_of_bobs_rows(&mut owner).await, before, "{attack:?}");
    }
    let rows = audit_rows(&mut owner, expected.len()).await;
    for (call, rule, attack) in expected {
        let row =
            rows.iter().find(|row| row["call_id"] == json!(call)).unwrap_or_else(|| panic!("no audit row: {attack:?}"));
        let verdicts: Vec<_> = row["statements"].as_array().unwrap().iter().map(|one| one["verdict"].clone()).collect();
        assert!(verdicts.contains(&json!(rule)), "{attack:?}\n{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_403_where_a_tool_passes_it_on() {
    let attacked = AttackedDatabase::with_all_rights().await;
    let app = App::on(attacked.database.clone(), Options::default()).await;
    let attack = attacked.fill("{steal}");
    let answer = app.call(&User::Is(ALICE), "database_query", json!({ "query": attack })).await;
    assert_eq!(answer.status, 403, "{}", answer.text);
    assert_eq!(answer.json["type"], "urn:behalf:problem:refused");
    let harmless = app.call(&User::Is(BOB), "database_query", json!({ "query": "select body from notes" })).await;
    assert!(attacked.is_stolen(harmless.text.as_bytes()), "Bob reads his own: {}", harmless.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_runs_as_its_owner_is_reached_only_where_the_grant_names_it() {
    let attacked = AttackedDatabase::new().await;
    let app = App::on(attacked.database.clone(), Options::default()).await;
    let tables = json!({ "database": { "access": "read", "schemas": ["public"], "tables": ["notes", "own_note"] } });
    app.install(guests::PROBE, &tables).await;
    let narrow = through_host(&app, &User::Is(ALICE), &["select * from every_note".to_owned()]).await;
    assert_eq!(narrow.codes(), ["not_granted"]);
    assert!(!attacked.is_stolen(&narrow.bytes));
    // The same view, asked for without a host: it shows everybody everything, which is what its owner made it for.
    let mut conn = attacked.database.login("behalf_tool_authenticated").await;
    begin_as(&mut conn, ALICE).await;
    let seen = send(&mut conn, &["select * from every_note".to_owned()], Protocol::Extended).await;
    assert!(attacked.is_stolen(&seen.bytes));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_is_refused_for_what_its_check_runs_and_for_nothing_else() {
    let attacked = AttackedDatabase::with_all_rights().await;
    let app = App::on(attacked.database.clone(), Options::default()).await;
    app.install(guests::PROBE, &write_grants()).await;
    let ask = async |sql: &str| through_host(&app, &User::Is(ALICE), &[sql.to_owned()]).await;
    let reply = ask("select 'short'::short_text").await;
    assert_eq!(reply.json["result"][0]["rows"], json!([["short"]]), "{}", reply.json);
    for sql in ["select 'x'::claims_text", "select '{x}'::claims_text[]", "select cast('x' as public.claims_text)"] {
        assert_eq!(ask(sql).await.codes(), ["refused"], "{sql}");
    }
}
