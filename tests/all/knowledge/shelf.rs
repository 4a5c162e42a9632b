//! A base with some thousand chunks of several owners, and searches in it with given vectors.

use std::ops::Deref;
use std::sync::Arc;

use behalf_caller_db::{AppLimits, Reach, ReachRequest};
use behalf_contracts::{RetrievalError, RetrievalQuery, RetrievedChunk, SearchMethod};
use behalf_identity::{CallerKey, Principal};
use behalf_knowledge::MeasuredSearch;
use behalf_tests::app::{service_key, token};
use behalf_tests::{ALICE, App, BOB};
use sqlx::{Connection as _, PgConnection};
use std::time::Duration;
use uuid::Uuid;

/// The base.
pub(super) const BASE: Uuid = Uuid::from_u128(0xba5e);
/// Numbers of a vector.
const DIMS: u16 = 24;

/// A host with the base.
pub(super) struct Shelf {
    app: App,
    search: MeasuredSearch,
}

impl Deref for Shelf {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl Shelf {
    /// An empty base.
    pub(super) async fn start() -> Self {
        let app = App::start().await;
        app.database.execute(&format!("insert into ai.knowledge_bases (id, name) values ('{BASE}', 'shelf')")).await;
        let model: i16 = app.database.value(&format!("select behalf.add_embedding_model('shelf', {DIMS})")).await;
        let search = MeasuredSearch::new(app.state.caller_db.clone(), BASE, model, DIMS);
        Self { app, search }
    }

    /// A base with 400 sources of ten chunks: four are Alice's, 200 are Bob's, the others a stranger's.
    pub(super) async fn filled() -> Self {
        let shelf = Self::start().await;
        shelf
            .database
            .execute(&format!(
                "select setseed(0.25);
                 insert into ai.sources (id, owner_id, name, extraction_status, metadata)
                     select md5('source' || n)::uuid, o.id, 'source ' || n, 'extracted', jsonb_build_object('tenant', o.id)
                     from generate_series(0, 399) n
                     cross join lateral (select case when n < 4 then '{ALICE}'::uuid when n < 204 then '{BOB}'::uuid
                         else md5('stranger')::uuid end as id) o;
                 insert into ai.chunks (knowledge_base_id, source_id, text, chunk_index, embedding_model, embedding)
                     select '{BASE}', s.id, 'word' || (random() * 50)::integer || ' word' || (random() * 50)::integer || ' of ' || s.name,
                         k, (select id from ai.embedding_models where name = 'shelf'),
                         l2_normalize((select array_agg(random() - 0.5 + 0 * (g + k))::vector from generate_series(1, {DIMS}) g))
                     from ai.sources s, generate_series(0, 9) k;
                 insert into ai.indexed_sources (knowledge_base_id, source_id, index_status, chunk_count)
                     select '{BASE}', s.id, 'indexed', 10 from ai.sources s;
                 analyze ai.chunks; analyze ai.chunk_words; analyze ai.sources;"
            ))
            .await;
        shelf
    }

    /// Adds a source of one chunk with this text. Returns the id of the chunk.
    pub(super) async fn add(&self, owner: Uuid, text: &str, meta: &str) -> Uuid {
        let mut conn = self.database.owner().await;
        let source = Uuid::new_v4();
        sqlx::query(
            "insert into ai.sources (id, owner_id, name, extraction_status) values ($1, $2, 'a source', 'extracted')",
        )
        .bind(source)
        .bind(owner)
        .execute(&mut conn)
        .await
        .unwrap();
        let id = sqlx::query_scalar(
            "insert into ai.chunks (knowledge_base_id, source_id, text, meta, embedding_model, embedding)
             select $1, $2, $3, $4::jsonb, m.id, array_fill(0.5::float4, array[m.dims])::vector from ai.embedding_models m
             where m.name = 'shelf' returning id",
        )
        .bind(BASE)
        .bind(source)
        .bind(text)
        .bind(meta)
        .fetch_one(&mut conn)
        .await
        .unwrap();
        conn.close().await.unwrap();
        id
    }

    /// Puts this in the place of the policies on sources and chunks. Empty: there is none.
    pub(super) async fn policies(&self, sources: &str, chunks: &str) {
        let create = |table: &str, condition: &str| match condition {
            "" => String::new(),
            _ => format!(
                "create policy auth_read_{table} on ai.{table} for select to authenticated using ({condition});"
            ),
        };
        self.database
            .execute(&format!(
                "drop policy if exists auth_read_sources on ai.sources; drop policy if exists auth_read_chunks on ai.chunks; {} {}",
                create("sources", sources),
                create("chunks", chunks)
            ))
            .await;
    }

    pub(super) async fn user(&self, id: Uuid) -> Arc<Principal> {
        self.state.web.verifier.verify(&token(id)).await.unwrap()
    }

    pub(super) async fn service(&self) -> Arc<Principal> {
        self.state.web.verifier.verify(&service_key()).await.unwrap()
    }

    /// Searches, and tells the way that the search took.
    pub(super) async fn find(
        &self,
        principal: &Arc<Principal>,
        query: &RetrievalQuery,
        vector: &[f32],
    ) -> Result<(Vec<RetrievedChunk>, &'static str), RetrievalError> {
        self.search.search(principal, query, vector).await
    }

    /// The ids that a user finds by words.
    pub(super) async fn words(&self, user: Uuid, text: &str) -> Vec<RetrievedChunk> {
        let query =
            RetrievalQuery { text: text.to_owned(), method: Some(SearchMethod::FullText), ..RetrievalQuery::default() };
        self.find(&self.user(user).await, &query, &[]).await.unwrap().0
    }

    /// Where a caller can have chunks.
    pub(super) async fn reach(&self, principal: &Arc<Principal>) -> Reach {
        let request = ReachRequest {
            principal,
            key: CallerKey::new(principal, None),
            knowledge_bases: &[BASE],
            most_chunks: 100_000,
            most_of_all: 100_000,
            counted_sources: 10,
            limits: AppLimits { max_bytes: 1 << 20, deadline: Duration::from_secs(10) },
        };
        self.state.caller_db.reach(request).await.unwrap().reach
    }

    /// A connection on the login of tools, in a transaction with this user's claims: what statements of a search have.
    pub(super) async fn session(&self, user: Uuid) -> PgConnection {
        let mut conn = self.database.login("behalf_tool_authenticated").await;
        let claims = format!("{{\"sub\": \"{user}\", \"role\": \"authenticated\"}}");
        let begin = format!("begin; set local role authenticated; set local request.jwt.claims = '{claims}'");
        sqlx::raw_sql(sqlx::AssertSqlSafe(begin)).execute(&mut conn).await.unwrap();
        conn
    }

    /// Questions: vectors that chunks have, whosesoever they are.
    pub(super) async fn questions(&self, number: u32) -> Vec<Vec<f32>> {
        let mut conn = self.database.owner().await;
        let texts: Vec<String> =
            sqlx::query_scalar("select embedding::text from ai.chunks order by md5(text || id) limit $1")
                .bind(i64::from(number))
                .fetch_all(&mut conn)
                .await
                .unwrap();
        conn.close().await.unwrap();
        texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    /// The right answer for whoever sees the sources of this owner.
    pub(super) async fn nearest(&self, owner: Option<Uuid>, vector: &[f32]) -> Vec<Uuid> {
        let mut conn = self.database.owner().await;
        let found = sqlx::query_scalar(
            "select c.id from ai.chunks c join ai.sources s on s.id = c.source_id
             where $1::uuid is null or s.owner_id = $1 order by (c.embedding <=> $2::text::vector) + 0 limit 10",
        )
        .bind(owner)
        .bind(serde_json::to_string(vector).unwrap())
        .fetch_all(&mut conn)
        .await
        .unwrap();
        conn.close().await.unwrap();
        found
    }

    /// The mean recall of these questions, and the ways that the searches took.
    pub(super) async fn recall(
        &self,
        user: Uuid,
        sees: Option<Uuid>,
        questions: &[Vec<f32>],
    ) -> (f64, Vec<&'static str>) {
        let principal = self.user(user).await;
        let (mut found, mut wanted, mut paths) = (0, 0, Vec::new());
        for vector in questions {
            let right = self.nearest(sees, vector).await;
            let query = RetrievalQuery {
                text: "x".to_owned(),
                method: Some(SearchMethod::Vector),
                ..RetrievalQuery::default()
            };
            let (chunks, path) = self.find(&principal, &query, vector).await.unwrap();
            wanted += right.len();
            found += chunks.iter().filter(|chunk| right.contains(&chunk.chunk_id)).count();
            paths.push(path);
        }
        paths.dedup();
        (f64::from(u32::try_from(found).unwrap()) / f64::from(u32::try_from(wanted).unwrap()), paths)
    }
}
