//! Supabase's own clients sign users up, in and out. `./dev test` fetches them; `tests/clients` says which.

use behalf_tests::app::service_key;
use behalf_tests::{App, Options};
use tempfile::TempDir;

use crate::protocols::supabase::Client;

/// A host that writes its letters to this folder, and lets a test ask for many of them.
async fn app(mailbox: &TempDir) -> App {
    let settings = [
        ("auth_mail_folder", mailbox.path().display().to_string()),
        ("auth_site_url", "http://localhost:3000".to_owned()),
        ("auth_redirect_urls", "http://localhost:3000/**".to_owned()),
        ("auth_anonymous", "true".to_owned()),
        ("auth_letter_pause_seconds", "0".to_owned()),
        ("auth_letters_per_hour", "1000".to_owned()),
        ("auth_tries_per_5_minutes", "0".to_owned()),
    ];
    App::with(Options { settings: settings.to_vec() }).await
}

/// Users sign up, in and out in every way.
async fn walk(client: Client) {
    let mailbox = tempfile::tempdir().unwrap();
    let app = app(&mailbox).await;
    let variables = [("SERVICE_KEY", service_key()), ("MAILBOX", mailbox.path().display().to_string())];
    client.walks("auth", &app, &variables).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_js_on_node_20_signs_users_up_in_and_out() {
    walk(Client::Node20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_supabase_js_signs_users_up_in_and_out() {
    walk(Client::Node22).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_py_signs_users_up_in_and_out() {
    walk(Client::Python).await;
}
