//! Every command of docs/knowledge.md works, and prints what the page says.

use super::bed::Bed;
use crate::sources::docs::follow;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_holds() {
    let bed = Bed::local().await;
    let (commands, compared) = follow(&bed, "docs/knowledge.md").await;
    assert!(commands >= 6 && compared >= 5, "{commands} commands, {compared} compared");
}
