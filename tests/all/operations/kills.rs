//! `behalf bench kills`, for a short while: hosts and the database are killed while clients let tools write, and nothing is done twice or
//! missing.

use behalf_tests::projects::behalf;

#[tokio::test(flavor = "multi_thread")]
async fn a_short_round_of_kills_does_nothing_twice_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["bench", "kills", "--kills", "2", "--postgres-kills", "1", "--clients", "1"];
    let printed = behalf(folder.path(), &arguments).await;
    assert!(printed.ok, "{}{}", printed.out, printed.err);
    let report = printed.json();
    assert_eq!((&report["doubles"], &report["lost"]), (&0.into(), &0.into()), "{report:#}");
    assert_eq!((&report["kills"], &report["postgres_kills"]), (&2.into(), &1.into()));
    // Every kind of client came to do something meanwhile.
    for kind in ["direct", "run", "openai", "openai_with_key"] {
        let done = report["clients"][kind]["done"].as_u64();
        assert!(done.is_some_and(|done| done > 0), "{kind}: {report:#}");
    }
}
