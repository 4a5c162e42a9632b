//! The host and the real `PostgREST` on one database: each request goes to both, and the answers are compared.
//!
//! `tests/rest/README.md` says what the requests are, how to read the report, and where the two differ on purpose.

mod case;
mod compare;
mod exchange;
mod generate;
mod known;
mod peer;
mod random;
mod report;
mod tables;

use std::path::{Path, PathBuf};

use behalf_config::environment;
use behalf_host_db::MigrateOptions;
use behalf_local_postgres::{LocalOptions, LocalPostgres};
use behalf_tests::database::run;
use behalf_tests::{App, LOGIN_PASSWORD, Options, TestDatabase};
use sqlx::PgConnection;

use case::{Case, Profile};
use exchange::Server;
use generate::Generator;
use known::Known;
use peer::Peer;
use report::Report;

/// The login of the peer.
const LOGIN: &str = "authenticator";

/// Numbers that a sequence has given out stay given out after a rollback; both servers begin with the same.
const RESTART_SEQUENCES: &str = "select setval(c.oid::regclass, 1000, false) from pg_class c where c.relkind = 'S' and c.relnamespace = 'api'::regnamespace";

/// What a test fails for at the least; the issue asks for 800 requests.
const LEAST_CASES: usize = 800;

fn suite() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rest")
}

/// A Postgres with the fixture. It is a server of its own, because every `migrate` of a server sees the login of the peer.
struct Fixture {
    database: TestDatabase,
    local: LocalPostgres,
    // The folder of the server; it goes away with the fixture.
    _folder: tempfile::TempDir,
}

impl Fixture {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = [("fsync", "off"), ("full_page_writes", "off"), ("autovacuum", "off")];
        let options = LocalOptions {
            dir: folder.path().join("postgres"),
            bin_dir: environment("BEHALF_POSTGRES_BIN").map(PathBuf::from),
            port: None,
            settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        };
        let local = LocalPostgres::start(&options).await.unwrap();
        let database = TestDatabase::create_on(&local.owner_url()).await;
        database.execute(&std::fs::read_to_string(suite().join("schema.sql")).unwrap()).await;
        database
            .execute(&format!(
                "create role {LOGIN} login noinherit password '{LOGIN_PASSWORD}';
                 grant anon, authenticated, service_role to {LOGIN};
                 grant connect on database {} to {LOGIN};
                 do $$ declare f regprocedure; begin
                     for f in select behalf.dangerous_functions() loop
                         execute format('grant execute on function %s to {LOGIN}', f);
                     end loop;
                 end $$",
                database.name
            ))
            .await;
        // The functions of the fixture call what the first `migrate` revoked.
        let options = MigrateOptions { take_over_logins: true, ..MigrateOptions::default() };
        database.migrate(&options).await.unwrap();
        Self { database, local, _folder: folder }
    }

    fn peer_url(&self) -> String {
        let mut url: reqwest::Url = self.database.owner_url().parse().unwrap();
        url.set_username(LOGIN).unwrap();
        url.set_password(Some(LOGIN_PASSWORD)).unwrap();
        url.into()
    }
}

/// The settings of the host that mean what `peer::settings` sets.
fn host_settings(profile: Profile) -> Vec<(&'static str, String)> {
    let settings: &[(&str, &str)] = match profile {
        Profile::Full => &[
            ("exposed_schemas", "api,second,public"),
            ("rest_tx_end", "commit-allow-override"),
            ("rest_plan", "true"),
            ("rest_aggregates", "true"),
        ],
        Profile::Limited => &[
            ("exposed_schemas", "api,public"),
            ("rest_tx_end", "rollback"),
            ("rest_max_rows", "2"),
            ("rest_pre_request", "api.check_request"),
            ("rest_openapi", "disabled"),
        ],
    };
    settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

/// Both servers.
struct Pair {
    peer: Server,
    host: Server,
    owner: PgConnection,
    // They run as long as these live.
    _running: (Peer, App),
}

impl Pair {
    async fn start(fixture: &Fixture, profile: Profile) -> Self {
        let peer = Peer::start(&fixture.peer_url(), profile).await;
        let app = App::on(fixture.database.clone(), Options { settings: host_settings(profile) }).await;
        Self {
            peer: Server::at(peer.url.clone()),
            host: Server::at(format!("{}/rest/v1", app.url)),
            owner: fixture.database.owner().await,
            _running: (peer, app),
        }
    }

    async fn run(&mut self, known: &Known, report: &mut Report, cases: &[Case]) {
        for case in cases {
            let mut answers = Vec::new();
            for server in [&self.peer, &self.host] {
                if case.writes() {
                    run(&mut self.owner, RESTART_SEQUENCES).await;
                }
                answers.push(server.send(case).await);
            }
            report.add(known, case, &answers[0], &answers[1]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_answered_as_postgrest_answers_it() {
    let cases = case::read_folder(&suite().join("cases"));
    assert!(cases.len() >= LEAST_CASES, "{} cases", cases.len());
    let known = Known::read(&suite().join("README.md"));
    let fixture = Fixture::start().await;
    let mut report = Report::default();
    let (full, limited): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.profile == Profile::Full);
    for (profile, cases) in [(Profile::Full, full), (Profile::Limited, limited)] {
        let mut pair = Pair::start(&fixture, profile).await;
        pair.run(&known, &mut report, &cases).await;
    }
    for id in known.unused() {
        report.fault(format!("the row `{id}` of the README explains nothing and can be removed"));
    }
    fixture.local.discard().await.unwrap();
    report.finish("differential");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_the_grammar_are_answered_as_postgrest_answers_them() {
    let number = |name: &str, default: u64| environment(name).map_or(default, |text| text.parse().unwrap());
    // The same requests in each run, so that a run fails because of what was changed.
    let seed = number("REST_TEST_SEED", 1);
    let count = usize::try_from(number("REST_TEST_COUNT", 400)).unwrap();
    eprintln!("REST_TEST_SEED={seed}");
    let mut generator = Generator::new(seed);
    let cases: Vec<_> = (0..count).map(|number| generator.request(number)).collect();
    let known = Known::read(&suite().join("README.md"));
    let fixture = Fixture::start().await;
    let mut report = Report::default();
    Pair::start(&fixture, Profile::Full).await.run(&known, &mut report, &cases).await;
    fixture.local.discard().await.unwrap();
    report.finish(&format!("differential seed {seed}"));
}
