//! The host's functions as `bindings` has them, answered by the mock.

pub(crate) mod caller {
    use alloc::string::String;

    use crate::bindings::behalf::tool::caller::Identity;
    use crate::mock::state::ask;

    pub(crate) fn get_identity() -> Identity {
        ask("The caller's identity", |host| host.identity.clone())
    }

    pub(crate) fn get_call() -> String {
        ask("The call's ids", |_| r#"{"call_id":"00000000-0000-4000-8000-000000000000"}"#.into())
    }

    pub(crate) fn remaining_ms() -> u64 {
        ask("The time left", |host| u64::try_from(host.remaining.as_millis()).unwrap_or(u64::MAX))
    }
}

pub(crate) mod database {
    use alloc::string::String;

    use crate::bindings::behalf::tool::database::{Error, RowSet, Value};
    use crate::mock::Answer;
    use crate::mock::state::{ask, fail};

    pub(crate) fn query(sql: &str, params: &[Value]) -> Result<RowSet, Error> {
        noted(answer(sql, params)?.into_rows(sql))
    }

    pub(crate) fn execute(sql: &str, params: &[Value]) -> Result<u64, Error> {
        noted(answer(sql, params)?.into_count(sql))
    }

    fn answer(sql: &str, params: &[Value]) -> Result<Answer, Error> {
        ask("The database", |host| {
            host.scopes.check()?;
            Ok(host.answer(sql, params))
        })
    }

    /// The same result, after its scope has learned of an error.
    fn noted<T>(result: Result<T, Error>) -> Result<T, Error> {
        result.inspect_err(|error| ask("The database", |host| host.scopes.note(error)))
    }

    pub(crate) fn commit() -> Result<(), Error> {
        ask("The database", |host| {
            host.scopes.check_commit()?;
            host.stores.commit();
            host.commits += 1;
            Ok(())
        })
    }

    pub(crate) fn begin_scope() -> Result<(), Error> {
        ask("The database", |host| {
            host.scopes.begin()?;
            host.stores.begin_scope();
            Ok(())
        })
    }

    pub(crate) fn end_scope(keep: bool) -> Result<(), Error> {
        ask("The database", |host| {
            let ended = host.scopes.end(keep);
            host.stores.end_scope(keep && ended.is_ok());
            ended
        })
    }

    #[expect(clippy::unnecessary_wraps, reason = "the host's function may fail")]
    pub(crate) fn describe(_schema: Option<&str>) -> Result<String, Error> {
        let description = ask("The database", |host| host.description.clone());
        Ok(description.unwrap_or_else(|| {
            fail("The tool asked for a description of the database; tell one with `host.set_description(&json!([…]))`.")
        }))
    }
}

pub(crate) mod knowledge {
    use alloc::borrow::ToOwned as _;
    use alloc::vec::Vec;

    use crate::bindings::behalf::tool::knowledge::{Error, Passage};
    use crate::mock::Search;
    use crate::mock::state::{ask, fail};

    pub(crate) fn search(text: &str, options: &str) -> Result<Vec<Passage>, Error> {
        let options: serde_json::Value = serde_json::from_str(options).unwrap_or_default();
        let passages = ask("Knowledge", |host| {
            host.searches.push(Search { text: text.to_owned(), options: options.clone() });
            let found = host.documents.search(host.identity.subject.as_deref(), text, &options);
            found.map(|found| found.or_else(|| host.passages.clone()))
        });
        Ok(passages?.unwrap_or_else(|| {
            fail("The tool searched; put documents with `host.put_document(…)`, or tell what it finds with `host.set_passages(vec![…])`.")
        }))
    }
}

pub(crate) mod memory {
    use alloc::string::String;
    use alloc::vec::Vec;

    use crate::bindings::behalf::tool::memory::{Entry, Error};
    use crate::mock::state::ask;

    pub(crate) fn remember(text: &str, meta: &str) -> Result<String, Error> {
        ask("Memory", |host| host.memories.remember(host.identity.subject.clone(), text, meta))
    }

    pub(crate) fn recall(query: &str, top_k: u32) -> Result<Vec<Entry>, Error> {
        ask("Memory", |host| host.memories.recall(host.identity.subject.as_deref(), query, top_k))
    }

    pub(crate) fn forget(id: &str) -> Result<bool, Error> {
        ask("Memory", |host| host.memories.forget(host.identity.subject.as_deref(), id))
    }
}

pub(crate) mod kv {
    use alloc::string::String;
    use alloc::vec::Vec;

    use crate::bindings::behalf::tool::kv::Error;
    use crate::mock::state::{State, ask};

    /// The store is part of the call's transaction: after a failed statement it is out of reach as well.
    fn of_call<T>(work: impl FnOnce(&mut State, Option<&str>) -> Result<T, Error>) -> Result<T, Error> {
        ask("The store", |host| {
            let aborted =
                |error: crate::database::Error| Error { code: error.code, message: error.message, retryable: false };
            host.scopes.check().map_err(aborted)?;
            let user = host.identity.subject.clone();
            work(host, user.as_deref())
        })
    }

    pub(crate) fn get(key: &str) -> Result<Option<String>, Error> {
        of_call(|host, user| host.stores.get(user, key))
    }

    pub(crate) fn set(key: &str, value: &str) -> Result<(), Error> {
        of_call(|host, user| host.stores.set(user, key, value))
    }

    pub(crate) fn replace(key: &str, old: Option<&str>, value: &str) -> Result<bool, Error> {
        of_call(|host, user| host.stores.replace(user, key, old, value))
    }

    pub(crate) fn remove(key: &str) -> Result<bool, Error> {
        of_call(|host, user| host.stores.remove(user, key))
    }

    pub(crate) fn keys(prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>, Error> {
        of_call(|host, user| host.stores.keys(user, prefix, after, limit))
    }
}

pub(crate) mod storage {
    use alloc::string::String;

    use crate::bindings::behalf::tool::storage::{Content, Error, Page};
    use crate::mock::state::ask;

    pub(crate) fn list_objects(bucket: &str, prefix: &str, limit: u32, cursor: Option<&str>) -> Result<Page, Error> {
        ask("Storage", |host| host.objects.list(bucket, prefix, limit, cursor))
    }

    pub(crate) fn read(bucket: &str, name: &str, max_bytes: u64) -> Result<Content, Error> {
        ask("Storage", |host| host.objects.read(bucket, name, max_bytes))
    }

    pub(crate) fn write(bucket: &str, name: &str, bytes: &[u8], content_type: &str, upsert: bool) -> Result<(), Error> {
        ask("Storage", |host| host.objects.write((bucket, name), bytes, content_type, upsert))
    }

    pub(crate) fn remove(bucket: &str, name: &str) -> Result<(), Error> {
        ask("Storage", |host| host.objects.remove(bucket, name))
    }

    pub(crate) fn signed_url(bucket: &str, name: &str, expires_in: u32) -> Result<String, Error> {
        ask("Storage", |host| host.objects.sign(bucket, name, expires_in))
    }
}

pub(crate) mod log {
    use crate::log::Level;
    use crate::mock::state;

    pub(crate) fn write(level: Level, message: &str) {
        state::log(level, message);
    }
}

pub(crate) mod progress {
    use alloc::borrow::ToOwned as _;

    use crate::mock::Progress;
    use crate::mock::state::ask;

    pub(crate) fn report(done: u64, total: Option<u64>, message: Option<&str>) {
        let message = message.map(str::to_owned);
        ask("Progress", |host| host.progress.push(Progress { done, total, message }));
    }

    pub(crate) fn partial(part: &str) {
        let part = serde_json::from_str(part).expect("a part is JSON");
        ask("Progress", |host| host.partials.push(part));
    }
}

pub(crate) mod settings {
    use alloc::string::String;

    use crate::mock::state::ask;

    pub(crate) fn get_all() -> String {
        ask("The settings", |host| host.settings.clone())
    }
}

#[cfg(feature = "http")]
pub(crate) mod http {
    use crate::http::{Error, Response, Sent};
    use crate::mock::state::ask;

    pub(crate) fn send(sent: &Sent) -> Result<Response, Error> {
        ask("HTTP", |host| host.servers.send(sent))
    }
}
