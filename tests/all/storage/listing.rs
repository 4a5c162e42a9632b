//! Lists of objects, in both versions.

use std::collections::BTreeSet;

use behalf_tests::{ALICE, App, BOB, User};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::bed::{assert_refused, bucket, names, rows, upload_of};

/// Names whose order and folders are easily confused: `/` stands between `.` and `0`, and capitals before small letters.
const NAMES: [&str; 19] = [
    "docs",
    "docs!",
    "docs.txt",
    "docs/a",
    "docs/a/b",
    "docs/a/c",
    "docs/b",
    "docs0",
    "docs//x",
    "Docs/a",
    "Z",
    "_",
    "a",
    "a-b/x",
    "a/b",
    "a/b.c/d",
    "ab/y",
    "zz/deep/er/still",
    "~",
];

async fn v1(app: &App, user: &User, bucket: &str, body: Value) -> Vec<String> {
    let answer = app.post(user, &format!("/storage/v1/object/list/{bucket}"), body.clone()).await;
    assert_eq!(answer.status, 200, "{body}: {}", answer.text);
    names(&answer.json).into_iter().map(str::to_owned).collect()
}

/// All pages, put together: objects and folders in the order in which they came.
async fn v2(app: &App, user: &User, bucket: &str, mut body: Value) -> Vec<String> {
    let mut all = Vec::new();
    let limit = usize::try_from(body["limit"].as_u64().unwrap_or(1000)).unwrap();
    for _ in 0..200 {
        let answer = app.post(user, &format!("/storage/v1/object/list-v2/{bucket}"), body.clone()).await;
        assert_eq!(answer.status, 200, "{body}: {}", answer.text);
        let page = &answer.json;
        let (folders, objects) = (names(&page["folders"]), names(&page["objects"]));
        assert!(folders.iter().all(|name| name.ends_with('/')), "{page}");
        let mut here: Vec<String> = folders.into_iter().chain(objects).map(str::to_owned).collect();
        here.sort();
        if body["sortBy"]["order"] == "desc" {
            here.reverse();
        }
        let more = page["hasNext"].as_bool().unwrap();
        assert!(here.len() <= limit && (!more || here.len() == limit), "{body}: {page}");
        assert_eq!(page["nextCursor"].is_string(), more, "{page}");
        all.extend(here);
        if !more {
            return all;
        }
        body["cursor"] = page["nextCursor"].clone();
    }
    panic!("the pages have no end: {all:?}");
}

/// What a list of these names has to be: written down in the plainest way.
fn expected(prefix: &str, folders: bool, descending: bool) -> Vec<String> {
    let below = NAMES.iter().filter(|name| name.starts_with(prefix));
    let listed: BTreeSet<String> = below
        .map(|name| match name[prefix.len()..].find('/') {
            Some(at) if folders => name[..=prefix.len() + at].to_owned(),
            _ => (*name).to_owned(),
        })
        .collect();
    let mut listed: Vec<String> = listed.into_iter().collect();
    if descending {
        listed.reverse();
    }
    listed
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_put_together_are_the_whole_list_whatever_their_size() {
    let app = App::start().await;
    bucket(&app, "files").await;
    bucket(&app, "others").await;
    rows(&app, "files", &NAMES).await;
    rows(&app, "others", &["docs/foreign", "foreign"]).await;
    for prefix in
        ["", "d", "docs", "docs/", "docs/a", "docs/a/", "a", "a/", "z", "none", "Docs/", "_", "%", "docs/a/b/c"]
    {
        for (folders, order, limit) in [
            (true, "asc", 1),
            (true, "asc", 3),
            (true, "desc", 1),
            (true, "desc", 1000),
            (false, "asc", 1),
            (false, "asc", 1000),
            (false, "desc", 2),
        ] {
            let body = json!({
                "prefix": prefix, "with_delimiter": folders, "limit": limit, "sortBy": {"column": "name", "order": order},
            });
            let listed = v2(&app, &User::Service, "files", body.clone()).await;
            assert_eq!(listed, expected(prefix, folders, order == "desc"), "{body}");
        }
        for order in ["asc", "desc"] {
            let wanted: Vec<String> = expected(&folder(prefix), true, order == "desc")
                .iter()
                .map(|name| {
                    name.trim_end_matches('/')[folder(prefix).len().min(name.trim_end_matches('/').len())..].to_owned()
                })
                .collect();
            let mut listed = Vec::new();
            loop {
                let body = json!({
                    "prefix": prefix, "limit": 2, "offset": listed.len(), "sortBy": {"column": "name", "order": order},
                });
                let page = v1(&app, &User::Service, "files", body).await;
                if page.is_empty() {
                    break;
                }
                listed.extend(page);
            }
            assert_eq!(listed, wanted, "{prefix} {order}");
        }
    }
}

/// A prefix of the first version, which is always a folder.
fn folder(prefix: &str) -> String {
    if prefix.is_empty() || prefix.ends_with('/') { prefix.to_owned() } else { format!("{prefix}/") }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_sorted_by_time_have_every_entry_once() {
    let app = App::start().await;
    bucket(&app, "files").await;
    // Three of each time, and one without any.
    for (at, name) in ["c", "x/1", "b", "x/2", "a", "y/1", "d", "z/1", "e"].iter().enumerate() {
        let row = format!(
            "insert into storage.objects (bucket_id, name, created_at) values
                 ('files', '{name}', timestamptz '2026-01-01' + {} * interval '1 microsecond')",
            at / 3
        );
        app.database.execute(&row).await;
    }
    app.database
        .execute("insert into storage.objects (bucket_id, name, created_at) values ('files', 'never', null)")
        .await;
    let ascending = ["never", "b", "c", "x/1", "a", "x/2", "y/1", "d", "e", "z/1"];
    let with_folders = ["never", "b", "c", "x/", "a", "y/", "d", "e", "z/"];
    let one_by_one = async |order: &str, folders: bool| {
        let mut body =
            json!({"limit": 1, "with_delimiter": folders, "sortBy": {"column": "created_at", "order": order}});
        let mut all = Vec::new();
        loop {
            let page = app.post(&User::Service, "/storage/v1/object/list-v2/files", body.clone()).await.json;
            let entries = names(&page["folders"]).into_iter().chain(names(&page["objects"]));
            all.extend(entries.map(str::to_owned));
            if page["hasNext"] != true {
                return all;
            }
            assert!(all.len() < 20, "{all:?}");
            body["cursor"] = page["nextCursor"].clone();
        }
    };
    for (folders, expected) in [(false, &ascending[..]), (true, &with_folders[..])] {
        let mut expected = expected.to_vec();
        assert_eq!(one_by_one("asc", folders).await, expected);
        expected.reverse();
        assert_eq!(one_by_one("desc", folders).await, expected);
    }
    // The first version has folders first, by their names.
    let body = json!({"prefix": "", "sortBy": {"column": "created_at", "order": "asc"}});
    let listed = v1(&app, &User::Service, "files", body).await;
    assert_eq!(listed, ["x", "y", "z", "b", "c", "a", "d", "e", "never"]);
    let moved = "update storage.objects set updated_at = updated_at where name = 'c'";
    app.database.execute(moved).await;
    let body = json!({"prefix": "", "limit": 1, "offset": 3, "sortBy": {"column": "updated_at", "order": "desc"}});
    assert_eq!(v1(&app, &User::Service, "files", body).await, ["c"], "a trigger keeps the time of the change");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_takes_letters_of_both_cases_and_no_patterns() {
    let app = App::start().await;
    bucket(&app, "files").await;
    rows(&app, "files", &["f/Cat.png", "f/cat2.png", "f/CAR/x", "f/dog", "f/c_t", "f/c%t", "cat"]).await;
    let search = async |text: &str| {
        let body = json!({"prefix": "f", "search": text, "sortBy": {"column": "name", "order": "asc"}});
        v1(&app, &User::Service, "files", body).await
    };
    assert_eq!(search("cAt").await, ["Cat.png", "cat2.png"]);
    assert_eq!(search("ca").await, ["CAR", "Cat.png", "cat2.png"]);
    assert_eq!(search("c_t").await, ["c_t"]);
    assert_eq!(search("c%").await, ["c%t"]);
    assert_eq!(search("car/").await, ["CAR/x"]);
    assert!(search("none").await.is_empty());
    let body = json!({"prefix": "f", "search": "CA", "sortBy": {"column": "created_at"}});
    assert_eq!(v1(&app, &User::Service, "files", body).await, ["CAR", "Cat.png", "cat2.png"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_show_what_the_callers_policies_show() {
    let app = App::start().await;
    app.database
        .execute(
            "create policy own_folder on storage.objects for select to authenticated
                 using ((storage.foldername(name))[1] = auth.uid()::text)",
        )
        .await;
    bucket(&app, "files").await;
    upload_of(&app, "files", &format!("{ALICE}/a.txt"), ALICE).await;
    upload_of(&app, "files", &format!("{ALICE}/sub/b.txt"), ALICE).await;
    upload_of(&app, "files", &format!("{BOB}/c.txt"), BOB).await;
    for (user, mine) in [(User::Is(ALICE), ALICE), (User::Is(BOB), BOB)] {
        assert_eq!(v1(&app, &user, "files", json!({"prefix": ""})).await, [mine.to_string()]);
        assert_eq!(v2(&app, &user, "files", json!({"with_delimiter": true})).await, [format!("{mine}/")]);
        let all = v2(&app, &user, "files", json!({})).await;
        assert!(!all.is_empty() && all.iter().all(|name| name.starts_with(&mine.to_string())), "{all:?}");
    }
    assert!(v1(&app, &User::Is(BOB), "files", json!({"prefix": ALICE.to_string()})).await.is_empty());
    assert!(v1(&app, &User::Anon, "files", json!({"prefix": ""})).await.is_empty());
    let body = json!({"prefix": ALICE.to_string(), "sortBy": {"column": "name", "order": "asc"}});
    let listed = app.post(&User::Is(ALICE), "/storage/v1/object/list/files", body).await.json;
    let [file, folder] = listed.as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!((&file["name"], &folder["name"], &folder["id"]), (&json!("a.txt"), &json!("sub"), &Value::Null));
    assert!(file["id"].is_string() && file["metadata"]["size"] == 5, "{file}");
    assert!(file["created_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{file}");
    let body = json!({"prefix": format!("{ALICE}/"), "with_delimiter": true});
    let page = app.post(&User::Is(ALICE), "/storage/v1/object/list-v2/files", body).await.json;
    assert_eq!((&page["objects"][0]["key"], &page["folders"][0]["key"]), (&json!("a.txt"), &json!("sub")), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_list_can_be_is_refused() {
    let app = App::start().await;
    bucket(&app, "files").await;
    rows(&app, "files", &["a", "b"]).await;
    let first = app.post(&User::Service, "/storage/v1/object/list-v2/files", json!({"limit": 1})).await.json;
    let cursor = first["nextCursor"].as_str().unwrap();
    for body in [
        json!({"limit": 0}),
        json!({"limit": -1}),
        json!({"limit": "many"}),
        json!({"sortBy": {"column": "owner"}}),
        json!({"sortBy": {"column": "name", "order": "up"}}),
        json!({"sortBy": {"order": "asc"}}),
        json!({"prefix": 1}),
        json!({"prefix": "a".repeat(5000)}),
        json!({"prefix": "a\u{0}"}),
    ] {
        for list in ["list", "list-v2"] {
            let mut body = body.clone();
            if body.get("prefix").is_none() {
                body["prefix"] = json!("");
            }
            let answer = app.post(&User::Service, &format!("/storage/v1/object/{list}/files"), body.clone()).await;
            assert_refused(&answer, 400, "400", "InvalidRequest", "");
        }
    }
    for wrong in ["x", "e30=", &cursor[..cursor.len() - 4], &"A".repeat(20_000)] {
        let answer = app.post(&User::Service, "/storage/v1/object/list-v2/files", json!({"cursor": wrong})).await;
        assert_refused(&answer, 400, "400", "InvalidParameter", "continuation token");
    }
    let no_name = app.post(&User::Service, "/storage/v1/object/list/a%2fb", json!({"prefix": ""})).await;
    assert_refused(&no_name, 400, "400", "InvalidBucketName", "");
    let platform = app.post(&User::Service, "/storage/v1/object/list/sources", json!({"prefix": ""})).await;
    assert_refused(&platform, 400, "404", "NoSuchBucket", "");
    assert_eq!(v1(&app, &User::Service, "no-such-bucket", json!({"prefix": ""})).await, Vec::<String>::new());
}

/// Blocks that a statement reads as a role with these claims.
async fn blocks(app: &App, role: &str, statement: &str) -> i64 {
    let mut conn = app.database.owner().await;
    let bind = format!("set role {role}; set request.jwt.claims = '{{\"sub\": \"{ALICE}\", \"role\": \"{role}\"}}'");
    sqlx::raw_sql(AssertSqlSafe(bind)).execute(&mut conn).await.unwrap();
    // The first calls in a session read what the functions are.
    let explain = format!("explain (analyze, buffers, format json) {statement}");
    let mut plan = Value::Null;
    for _ in 0..2 {
        plan = sqlx::query_scalar(AssertSqlSafe(explain.clone())).fetch_one(&mut conn).await.unwrap();
    }
    let read = |name: &str| plan[0]["Plan"][name].as_i64().unwrap();
    read("Shared Hit Blocks") + read("Shared Read Blocks")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_large_bucket_reads_little_of_it_under_a_policy() {
    let app = App::start().await;
    bucket(&app, "large").await;
    app.database
        .execute(
            "create policy own_folder on storage.objects for select to authenticated
                 using (bucket_id = 'large' and (storage.foldername(name))[1] <> 'f99')",
        )
        .await;
    // 100 folders with 1,000 objects each, and 1,000 objects beside them.
    app.database
        .execute(
            "insert into storage.objects (bucket_id, name)
                 select 'large', 'f' || lpad((i / 1000)::text, 2, '0') || '/' || lpad((i % 1000)::text, 4, '0')
                 from generate_series(0, 99999) i;
             insert into storage.objects (bucket_id, name) select 'large', 'top/' || i from generate_series(1, 1000) i;
             analyze storage.objects",
        )
        .await;
    let whole: i64 = app.database.value("select pg_relation_size('storage.objects') / 8192").await;
    assert!(whole > 1000, "{whole}");

    for (what, statement, most) in [
        ("folders", "select * from storage.list_objects_with_delimiter('large', '', '/', 100)", 1500),
        ("a folder", "select * from storage.list_objects_with_delimiter('large', 'f50/', '/', 100)", 200),
        (
            "a folder downwards",
            "select * from storage.list_objects_with_delimiter('large', 'f50/', '/', 100, '', '', 'desc')",
            200,
        ),
        (
            "the second page",
            "select * from storage.list_objects_with_delimiter('large', 'f50/', '/', 100, 'f50/0500')",
            200,
        ),
        ("the first version", "select * from storage.search('f50/', 'large', 100)", 200),
        ("a search", "select * from storage.search('f50/', 'large', 100, 1, 0, '00')", 200),
        ("a search for folders", "select * from storage.search('', 'large', 100, 1, 0, 'F5')", 300),
        ("a folder by time", "select * from storage.search('f50/', 'large', 100, 1, 0, '', 'created_at')", 200),
        (
            "names",
            "select o.name from storage.objects o where o.bucket_id = 'large' and o.name collate \"C\" >= 'f70/'
                 and o.name collate \"C\" < storage.behalf_behind('f70/') order by o.name collate \"C\" limit 100",
            200,
        ),
    ] {
        for role in ["authenticated", "service_role"] {
            let read = blocks(&app, role, statement).await;
            assert!(read < most, "{what} as {role}: {read} of {whole} blocks");
        }
    }
    // Nothing of a folder that the policy hides.
    let listed = v2(&app, &User::Is(ALICE), "large", json!({"with_delimiter": true})).await;
    assert_eq!(listed.len(), 100, "{listed:?}");
    assert!(!listed.contains(&"f99/".to_owned()));
}

/// The policies that most apps have. One for each bucket is the same to Postgres as one for all.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_reads_nothing_of_the_folders_and_owners_that_a_policy_hides() {
    let app = App::start().await;
    bucket(&app, "large").await;
    bucket(&app, "other").await;
    // 50,000 objects of other users stand before hers, and as many behind.
    app.database
        .execute(&format!(
            "insert into storage.objects (bucket_id, name, owner_id)
                 select 'large', u.id || '/f' || i % 10 || '/' || i, u.id
                 from (values ('00000000-0000-4000-8000-000000000000', 50000), ('{ALICE}', 100),
                              ('ffffffff-0000-4000-8000-000000000000', 50000)) u (id, count), generate_series(1, u.count) i;
             analyze storage.objects"
        ))
        .await;
    let folder = "(storage.foldername(name))[1] = (select auth.uid()::text)";
    for (what, policies) in [
        ("one policy on the folder", format!("create policy p on storage.objects for select to authenticated using ({folder})")),
        (
            "one for each bucket",
            format!(
                "create policy p on storage.objects for select to authenticated using (bucket_id = 'large' and {folder});
                 create policy q on storage.objects for select to authenticated using (bucket_id = 'other' and {folder})"
            ),
        ),
        (
            "one on the owner",
            "create policy p on storage.objects for select to authenticated using (owner_id = auth.uid()::text)".to_owned(),
        ),
    ] {
        app.database.execute(&policies).await;
        for statement in [
            "select * from storage.list_objects_with_delimiter('large', '', '/', 100)",
            "select * from storage.list_objects_with_delimiter('large', '', '/', 100, '', '', 'desc')",
            "select * from storage.search('', 'large', 100)",
            "select o.name from storage.objects o where o.bucket_id = 'large' and o.name collate \"C\" >= ''
                 and o.name collate \"C\" < storage.behalf_behind('') order by o.name collate \"C\" limit 100",
        ] {
            let read = blocks(&app, "authenticated", statement).await;
            assert!(read < 100, "{what}: {read} blocks for {statement}");
        }
        assert_eq!(v1(&app, &User::Is(ALICE), "large", json!({"prefix": ""})).await, [ALICE.to_string()], "{what}");
        assert!(v1(&app, &User::Is(BOB), "large", json!({"prefix": ""})).await.is_empty(), "{what}");
        app.database.execute("drop policy p on storage.objects; drop policy if exists q on storage.objects").await;
    }
}
