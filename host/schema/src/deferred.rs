//! A schema that is prepared when it is first needed.

use std::fmt::Debug;
use std::sync::OnceLock;

use serde_json::Value;
use tokio::sync::Mutex;

use crate::SchemaError;
use crate::prepared::Prepared;

/// Where a schema is kept until it is needed. Its owner keeps the text, so that no host holds it twice.
pub trait SchemaSource: Debug + Send + Sync + 'static {
    /// The schema.
    fn schema(&self) -> &Value;

    /// Called once where the schema cannot be used after all.
    fn unusable(&self, error: &SchemaError);
}

/// A schema that is prepared when it is first needed, once for all who need it.
#[derive(Debug)]
pub(crate) struct Deferred {
    source: Box<dyn SchemaSource>,
    prepared: OnceLock<Result<Prepared, SchemaError>>,
    /// Held by whoever has the schema prepared. The others wait here, and not in the few places for work on schemas.
    pub(crate) turn: Mutex<()>,
}

impl Deferred {
    pub(crate) fn new(source: impl SchemaSource) -> Self {
        Self { source: Box::new(source), prepared: OnceLock::new(), turn: Mutex::new(()) }
    }

    /// Whether it was needed before.
    pub(crate) fn is_prepared(&self) -> bool {
        self.prepared.get().is_some()
    }

    /// The schema in the form that checks values, made on this thread where it was not needed before.
    pub(crate) fn prepared(&self) -> Result<&Prepared, &SchemaError> {
        let prepare = || Prepared::new(self.source.schema()).inspect_err(|error| self.source.unusable(error));
        self.prepared.get_or_init(prepare).as_ref()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use serde_json::json;

    use super::*;
    use crate::{CheckError, Schema};

    /// A schema that counts how often it is read and refused.
    #[derive(Debug)]
    struct Counted {
        schema: Value,
        counts: Arc<(AtomicUsize, AtomicUsize)>,
    }

    impl SchemaSource for Counted {
        fn schema(&self) -> &Value {
            self.counts.0.fetch_add(1, Ordering::Relaxed);
            &self.schema
        }

        fn unusable(&self, _error: &SchemaError) {
            self.counts.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn deferred(schema: Value) -> (Schema, impl Fn() -> (usize, usize)) {
        let counts = Arc::<(AtomicUsize, AtomicUsize)>::default();
        let schema = Schema::deferred(Counted { schema, counts: Arc::clone(&counts) });
        (schema, move || (counts.0.load(Ordering::Relaxed), counts.1.load(Ordering::Relaxed)))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_schema_is_prepared_once_for_all_who_need_it_at_the_same_time() {
        let (schema, counts) = deferred(json!({"properties": {"a": {"type": "integer"}}}));
        assert_eq!(counts(), (0, 0), "nobody needed it yet");
        let checks = (0..100).map(|n| {
            let (schema, value) = (schema.clone(), if n % 2 == 0 { json!({"a": n}) } else { json!({"a": "x"}) });
            tokio::spawn(async move { schema.check(value).await })
        });
        for (n, checked) in join_all(checks).await.into_iter().enumerate() {
            let (_, faults) = checked.expect("it ended").expect("a place");
            assert_eq!(faults.len(), n % 2, "{n}: {faults:?}");
        }
        assert_eq!(counts(), (1, 0));
        assert!(schema.fits(&json!({})) && schema.size() > 0 && counts() == (1, 0));
    }

    #[tokio::test]
    async fn a_schema_that_cannot_be_used_fails_every_check_and_says_so_once() {
        let (schema, counts) = deferred(json!("nothing"));
        for _ in 0..3 {
            let error = schema.check(json!({})).await.expect_err("it is no schema");
            assert!(matches!(error, CheckError::Unusable(SchemaError::Invalid(_))), "{error:?}");
        }
        assert!(!schema.fits(&json!({})) && schema.faults(&json!({})).len() == 1);
        assert_eq!((schema.size(), counts()), (0, (1, 1)));
    }
}
