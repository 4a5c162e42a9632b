//! Watches how the database reads who a user of another issuer is.

use std::sync::Arc;
use std::time::Duration;

use behalf_host_db::HostDb;
use behalf_identity::{SubjectForm, Verifier};
use behalf_jobs::{Jobs, Next};
use behalf_problem::LogText as _;

/// How often the host looks: somebody may replace `auth.uid()` while it runs, such as an update of another platform.
const LOOK: Duration = Duration::from_secs(10);

/// Looks now and then again and again, where users of other issuers may call.
pub(super) async fn watch(verifier: &Arc<Verifier>, db: &HostDb, jobs: &Jobs) {
    if !verifier.issuers().map_subjects() {
        return;
    }
    if let Err(error) = look(verifier, db).await {
        tracing::warn!(
            error = error.log_text(),
            "cannot tell whether auth.uid() reads behalf_uid; the host looks again soon"
        );
    }
    let (verifier, db) = (Arc::clone(verifier), db.clone());
    jobs.every("mapped-users", LOOK, move || {
        let (verifier, db) = (Arc::clone(&verifier), db.clone());
        async move { look(&verifier, &db).await.map(|()| Next::Continue) }
    });
}

/// Where the database was never asked, claims are bound in the form that is safe with any `auth.uid()`.
async fn look(verifier: &Verifier, db: &HostDb) -> Result<(), sqlx::Error> {
    verifier.bind_subjects_as(subject_form(db).await?);
    Ok(())
}

/// How subjects of other issuers are bound on this database.
pub(crate) async fn subject_form(db: &HostDb) -> Result<SubjectForm, sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    let reads: bool = sqlx::query_scalar("select behalf.uid_reads_mapped()").fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(if reads { SubjectForm::Theirs } else { SubjectForm::Ours })
}
