//! One class: the callers of one policy with one share, beside the service role, in turns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use behalf_contracts::{RetrievalQuery, SearchMethod};
use behalf_identity::Principal;
use behalf_knowledge::MeasuredSearch;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::corpus::{Question, chunk_number};
use super::exact::{Answer, Method, WANTED};
use super::load::BASE;

/// Searches before those that are measured.
const WARM_UP: usize = 3;

/// What is searched, and as whom.
pub(super) struct Class<'a> {
    pub(super) search: &'a MeasuredSearch,
    pub(super) caller: Arc<Principal>,
    pub(super) service: Arc<Principal>,
    pub(super) questions: &'a [Question],
    /// The right answers for the caller and for whoever sees all.
    pub(super) right: &'a [[(Method, Answer); 3]],
    pub(super) right_of_all: &'a [[(Method, Answer); 3]],
}

/// Times and recalls of one kind of caller.
#[derive(Default)]
struct Runs {
    times: Vec<Duration>,
    recalls: Vec<f64>,
    paths: Vec<&'static str>,
}

impl Runs {
    fn recall(&self) -> f64 {
        self.recalls.iter().sum::<f64>() / self.recalls.len().max(1) as f64
    }

    fn at(&self, percent: usize) -> f64 {
        let mut times = self.times.clone();
        times.sort_unstable();
        let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }

    fn path(&self) -> Option<&'static str> {
        let mut paths = self.paths.clone();
        paths.sort_unstable();
        paths.get(paths.len() / 2).copied()
    }
}

impl Class<'_> {
    /// Measures one method. `plain` is a connection for the plain search by the index under the same policies.
    pub(super) async fn measure(&self, method: Method, plain: &mut PgConnection) -> anyhow::Result<Value> {
        let (mut filtered, mut all) = (Runs::default(), Runs::default());
        for (number, question) in self.questions.iter().enumerate() {
            if number < WARM_UP {
                self.once(method, question, &self.caller, None, &mut Runs::default()).await?;
                self.once(method, question, &self.service, None, &mut Runs::default()).await?;
            }
            self.once(method, question, &self.caller, self.right.get(number), &mut filtered).await?;
            self.once(method, question, &self.service, self.right_of_all.get(number), &mut all).await?;
        }
        let plain = if method == Method::Vector { Some(self.plain(plain).await?) } else { None };
        Ok(json!({
            "method": method.name(),
            "recall_at_10": filtered.recall(), "p50_ms": filtered.at(50), "p99_ms": filtered.at(99),
            "p99_ratio_to_unfiltered": filtered.at(99) / all.at(99), "p50_ratio_to_unfiltered": filtered.at(50) / all.at(50),
            "p90_ms": filtered.at(90), "p90_ratio_to_unfiltered": filtered.at(90) / all.at(90),
            "unfiltered_recall_at_10": all.recall(), "unfiltered_p50_ms": all.at(50), "unfiltered_p99_ms": all.at(99),
            "path": filtered.path(),
            "plain_recall_at_10": plain.as_ref().map(Runs::recall),
            "plain_p50_ms": plain.as_ref().map(|runs| runs.at(50)), "plain_p99_ms": plain.as_ref().map(|runs| runs.at(99)),
        }))
    }

    async fn once(
        &self,
        method: Method,
        question: &Question,
        principal: &Arc<Principal>,
        right: Option<&[(Method, Answer); 3]>,
        to: &mut Runs,
    ) -> anyhow::Result<()> {
        let query = RetrievalQuery {
            text: question.text(),
            knowledge_bases: vec![BASE],
            top_k: Some(WANTED as u32),
            method: Some(match method {
                Method::Vector => SearchMethod::Vector,
                Method::Text => SearchMethod::FullText,
                Method::Hybrid => SearchMethod::Hybrid,
            }),
            ..RetrievalQuery::default()
        };
        let begin = Instant::now();
        let (found, path) = self.search.search(principal, &query, &question.vector).await?;
        to.times.push(begin.elapsed());
        to.paths.push(path);
        let found: Vec<u32> = found.iter().map(|chunk| chunk_number(chunk.chunk_id)).collect();
        to.recalls.extend(recall(right, method, &found));
        Ok(())
    }

    /// The plain statement under the caller's policies, with the settings that Postgres and pgvector have by themselves.
    async fn plain(&self, conn: &mut PgConnection) -> anyhow::Result<Runs> {
        let mut runs = Runs::default();
        let mut tx = conn.begin().await?;
        // Callers may not call this function, so the role comes after it.
        sqlx::query("select set_config('request.jwt.claims', $1, true)")
            .bind(&**self.caller.claims())
            .execute(&mut *tx)
            .await?;
        sqlx::query("set local role authenticated").execute(&mut *tx).await?;
        for (number, question) in self.questions.iter().enumerate() {
            let vector: Vec<String> = question.vector.iter().map(f32::to_string).collect();
            let vector = format!("[{}]", vector.join(","));
            let begin = Instant::now();
            let found: Vec<Uuid> =
                sqlx::query_scalar("select public.plain_search($1)").bind(vector).fetch_all(&mut *tx).await?;
            runs.times.push(begin.elapsed());
            let found: Vec<u32> = found.into_iter().map(chunk_number).collect();
            runs.recalls.extend(recall(self.right.get(number), Method::Vector, &found));
        }
        tx.rollback().await?;
        Ok(runs)
    }
}

fn recall(right: Option<&[(Method, Answer); 3]>, method: Method, found: &[u32]) -> Option<f64> {
    let (_, answer) = right?.iter().find(|(of, _)| *of == method)?;
    Some(answer.recall(found))
}
