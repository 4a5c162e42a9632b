//! Lists of a large bucket, in both ways of Supabase Storage.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use behalf_host_db::run_script;
use serde_json::{Value, json};

use super::super::load::Load;
use super::super::test_bed::{TestBed, owner_id};
use super::super::turns::{Turns, TurnsArgs};
use super::files::request;

const BUCKET: &str = "many";
/// Files of each folder.
const FOLDER: u32 = 1_000;
/// What every list with entries holds.
const ENTRY: &[u8] = b"\"name\"";
/// Whose half of the bucket the caller does not see.
const OTHER: u32 = 8;

/// Fills a bucket, and lists it as a user who sees half of it.
pub(super) async fn measure(bed: &TestBed, host: SocketAddr, objects: u32, args: &TurnsArgs) -> anyhow::Result<Value> {
    let user = bed.callers.first().context("nobody calls")?.user.to_string();
    // Rows alone: no request asks for their bytes. Triggers would only find that there are none.
    let fill = format!(
        "set session_replication_role = replica;
         insert into storage.buckets (id, name) values ('{BUCKET}', '{BUCKET}');
         insert into storage.objects (bucket_id, name, owner_id, metadata)
             select '{BUCKET}', owner || '/folder-' || lpad((n / {FOLDER})::text, 5, '0') || '/file-' ||
                 lpad((n % {FOLDER})::text, 4, '0') || '.txt', owner, '{{\"size\": 1024, \"mimetype\": \"text/plain\"}}'::jsonb
             from generate_series(0, {half} - 1) n, unnest(array['{user}', '{other}']) owner;
         set session_replication_role = origin;
         analyze storage.objects;",
        half = objects / 2,
        other = owner_id(OTHER),
    );
    run_script(&bed.postgres().owner_url(), &fill).await?;
    let load = Load { connections: args.connections, time: Duration::from_secs(u64::from(args.seconds)) };
    let folder = format!("{user}/folder-{:05}", objects / 4 / FOLDER);
    let ask = |path: &str, body: Value| {
        let path = format!("/storage/v1/object/{path}/{BUCKET}");
        vec![request(&bed.anon_key, &bed.token, "POST", &path, "", body.to_string().as_bytes())]
    };
    let by_name = json!({ "column": "name", "order": "asc" });
    let by_time = json!({ "column": "created_at", "order": "desc" });
    let lists = [
        ("folders", ask("list", json!({ "prefix": user, "limit": 100, "sortBy": by_name }))),
        ("files", ask("list", json!({ "prefix": folder, "limit": 100, "sortBy": by_name }))),
        ("files_by_time", ask("list", json!({ "prefix": folder, "limit": 100, "sortBy": by_time }))),
        ("v2_folders", ask("list-v2", json!({ "prefix": below(&user), "limit": 100, "with_delimiter": true }))),
        ("v2_files", ask("list-v2", json!({ "prefix": below(&folder), "limit": 100 }))),
    ];
    let mut turns = Turns::default();
    for _ in 0..args.rounds {
        for (key, requests) in &lists {
            let measured = load.run(host, requests.clone(), ENTRY).await;
            turns.add(key, measured.with_context(|| (*key).to_owned())?);
        }
    }
    let mut report = json!({ "objects": objects });
    for key in turns.keys() {
        report[key] = turns.summary(key);
    }
    Ok(report)
}

/// The prefix of what is in a folder.
fn below(folder: &str) -> String {
    format!("{folder}/")
}
