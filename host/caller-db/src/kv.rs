//! The store of a call's plugin: constant statements in the call's own transaction, as its caller. What they reach is decided by the
//! claims and by `behalf.kv`, which is set before each of them and names the plugin (`migrations/0042_kv.sql`).

use std::borrow::Cow;

use behalf_pgwire::Answer;
use futures::future::BoxFuture;
use uuid::Uuid;

use super::caller_tx::Allowed;
use super::guest::GuestDb;
use super::statement_error::StatementError;
use super::tool_pool::text_row;

/// The store of one plugin, as one call reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvScope {
    /// The plugin.
    pub plugin: Uuid,
    /// Whether all callers share one store; otherwise each user has one.
    pub shared: bool,
    /// Whether the call may write.
    pub writes: bool,
    /// Entries that the store may have.
    pub max_entries: u32,
    /// Bytes that its keys and values may have together.
    pub max_bytes: u64,
}

impl KvScope {
    /// A UUID, a word and two numbers: nothing that could end a literal.
    fn setting(&self) -> String {
        let Self { plugin, shared, max_entries, max_bytes, .. } = self;
        format!(
            r#"SET LOCAL behalf.kv = '{{"plugin":"{plugin}","shared":{shared},"entries":{max_entries},"bytes":{max_bytes}}}'"#
        )
    }
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvWritten {
    /// It was made.
    Done,
    /// The present value is another one, so nothing was written.
    Differs,
    /// The store has as many entries as it may have.
    ManyEntries,
    /// The store would have more bytes than it may have.
    ManyBytes,
}

/// One constant statement.
struct Fixed {
    text: &'static str,
    /// How the audit row calls it.
    name: &'static str,
    writes: bool,
}

macro_rules! mine {
    () => {
        "e.plugin_id = (select behalf_kv.plugin()) and e.store = (select behalf_kv.store())"
    };
}

/// `$1` is the key, `$2` the value: whether the rest of the store leaves room for both. Its parameters after these are the bounds.
macro_rules! room {
    ($entries:literal, $bytes:literal) => {
        concat!(
            "with room as (
                 select count(*) < ",
            $entries,
            "::text::bigint as has_place,
                     coalesce(sum(e.bytes), 0) + octet_length($1::text) + octet_length($2::text) <= ",
            $bytes,
            "::text::bigint as has_bytes
                 from behalf_kv.entries e where ",
            mine!(),
            " and e.key <> $1::text
             ), "
        )
    };
}

const GET: Fixed = Fixed {
    text: concat!("select e.value from behalf_kv.entries e where ", mine!(), " and e.key = $1::text"),
    name: "kv.get",
    writes: false,
};

const KEYS: Fixed = Fixed {
    text: concat!(
        "select e.key from behalf_kv.entries e where ",
        mine!(),
        " and e.key >= $1::text and starts_with(e.key, $1::text) and ($2::text is null or e.key > $2::text)
         order by e.key limit $3::text::bigint"
    ),
    name: "kv.keys",
    writes: false,
};

const SET: Fixed = Fixed {
    text: concat!(
        room!("$3", "$4"),
        "written as (
             insert into behalf_kv.entries (key, value)
             select $1::text, $2::text from room r where r.has_place and r.has_bytes
             on conflict (plugin_id, store, key) do update set value = excluded.value, updated_at = now()
             returning 1)
         select case when exists (select from written) then 'done' when r.has_place then 'bytes' else 'entries' end from room r"
    ),
    name: "kv.set",
    writes: true,
};

const ADD: Fixed = Fixed {
    text: concat!(
        room!("$3", "$4"),
        "written as (
             insert into behalf_kv.entries (key, value)
             select $1::text, $2::text from room r where r.has_place and r.has_bytes
             on conflict (plugin_id, store, key) do nothing
             returning 1)
         select case when exists (select from written) then 'done'
                     when r.has_place and r.has_bytes or exists (
                         select from behalf_kv.entries e where ",
        mine!(),
        " and e.key = $1::text) then 'differs'
                     when r.has_place then 'bytes' else 'entries' end from room r"
    ),
    name: "kv.replace",
    writes: true,
};

const REPLACE: Fixed = Fixed {
    text: concat!(
        room!("$3", "$4"),
        "written as (
             update behalf_kv.entries e set value = $2::text, updated_at = now() from room r
             where ",
        mine!(),
        " and e.key = $1::text and e.value = $5::text and r.has_bytes
             returning 1)
         select case when exists (select from written) then 'done'
                     when not r.has_bytes and exists (
                         select from behalf_kv.entries e where ",
        mine!(),
        " and e.key = $1::text and e.value = $5::text) then 'bytes'
                     else 'differs' end from room r"
    ),
    name: "kv.replace",
    writes: true,
};

const REMOVE: Fixed = Fixed {
    text: concat!("delete from behalf_kv.entries e where ", mine!(), " and e.key = $1::text returning e.key"),
    name: "kv.remove",
    writes: true,
};

/// The most rows that one of these statements returns.
const MAX_ROWS: u32 = 1_000;
/// Bytes of an answer: a value and what is around it, or that many keys.
const MAX_BYTES: usize = 1024 * 1024;

impl GuestDb {
    /// Gives the call the store of its plugin. Where the call may write there, it is one transaction from its first statement on. To
    /// be called before the first statement.
    #[must_use]
    pub fn with_kv(mut self, kv: KvScope) -> Self {
        if kv.writes {
            self.tx.let_write();
        }
        self.kv = Some(kv);
        self
    }

    /// The value of a key.
    pub fn kv_get<'a>(&'a mut self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, StatementError>> {
        Box::pin(async move { Ok(self.kv_run(&GET, &[Some(key)]).await?.into_iter().next()) })
    }

    /// The keys that begin with `prefix`, those after `after`, `limit` at most.
    pub fn kv_keys<'a>(
        &'a mut self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<String>, StatementError>> {
        Box::pin(async move {
            let limit = limit.min(MAX_ROWS).to_string();
            self.kv_run(&KEYS, &[Some(prefix), after, Some(&limit)]).await
        })
    }

    /// Writes a value.
    pub fn kv_set<'a>(&'a mut self, key: &'a str, value: &'a str) -> BoxFuture<'a, Result<KvWritten, StatementError>> {
        Box::pin(async move { self.kv_write(&SET, key, value, None).await })
    }

    /// Writes a value where the present one is `old`, or where there is none and `old` is none.
    pub fn kv_replace<'a>(
        &'a mut self,
        key: &'a str,
        old: Option<&'a str>,
        value: &'a str,
    ) -> BoxFuture<'a, Result<KvWritten, StatementError>> {
        Box::pin(async move {
            match old {
                Some(old) => self.kv_write(&REPLACE, key, value, Some(old)).await,
                None => self.kv_write(&ADD, key, value, None).await,
            }
        })
    }

    /// Removes a key, and says whether it was there.
    pub fn kv_remove<'a>(&'a mut self, key: &'a str) -> BoxFuture<'a, Result<bool, StatementError>> {
        Box::pin(async move { Ok(!self.kv_run(&REMOVE, &[Some(key)]).await?.is_empty()) })
    }

    async fn kv_write(
        &mut self,
        statement: &Fixed,
        key: &str,
        value: &str,
        old: Option<&str>,
    ) -> Result<KvWritten, StatementError> {
        let KvScope { max_entries, max_bytes, .. } = self.kv.ok_or_else(no_store)?;
        let (entries, bytes) = (max_entries.to_string(), max_bytes.to_string());
        let all = [Some(key), Some(value), Some(entries.as_str()), Some(bytes.as_str()), old];
        let params = if old.is_some() { &all[..] } else { &all[..4] };
        let answer = self.kv_run(statement, params).await?;
        let written = match answer.first().map(String::as_str) {
            Some("done") => KvWritten::Done,
            Some("entries") => KvWritten::ManyEntries,
            Some("bytes") => KvWritten::ManyBytes,
            _ => KvWritten::Differs,
        };
        if matches!(written, KvWritten::ManyEntries | KvWritten::ManyBytes) {
            // The statement ran, and wrote nothing.
            self.note((statement.text, Some(statement.name)), "store_full", 0, None);
        }
        Ok(written)
    }

    /// Runs a statement in the call's transaction, and returns the text of each row.
    async fn kv_run(&mut self, statement: &Fixed, params: &[Option<&str>]) -> Result<Vec<String>, StatementError> {
        let kv = self.kv.ok_or_else(no_store)?;
        if statement.writes && !kv.writes {
            self.note((statement.text, Some(statement.name)), "not_granted", 0, None);
            return Err(StatementError::new(
                "not_granted",
                "this tool may read its store but not write there; an operator decides that with the plugin's grants",
            ));
        }
        self.count_statement()?;
        self.refuse_after_failure()?;
        let values: Vec<Option<Cow<'_, [u8]>>> =
            params.iter().map(|param| param.map(|text| Cow::Borrowed(text.as_bytes()))).collect();
        let setting = kv.setting();
        self.wrote |= statement.writes;
        let allowed = Allowed {
            text: statement.text,
            params: &values,
            documents: &[],
            max_rows: MAX_ROWS,
            max_bytes: MAX_BYTES,
            before: Some(&setting),
            read_only: false,
        };
        let answer = self.send((statement.text, Some(statement.name)), allowed).await?;
        Ok(texts(&answer))
    }
}

fn no_store() -> StatementError {
    StatementError::new("not_granted", "this call has no store of its plugin")
}

fn texts(answer: &Answer) -> Vec<String> {
    answer.rows.iter().filter_map(text_row).map(|[text]| text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_is_a_literal_of_constants_and_numbers() {
        let scope = KvScope { plugin: Uuid::nil(), shared: true, writes: true, max_entries: 5, max_bytes: 7 };
        let setting = scope.setting();
        let json = setting.strip_prefix("SET LOCAL behalf.kv = '").and_then(|rest| rest.strip_suffix('\''));
        let json: serde_json::Value = serde_json::from_str(json.expect("a literal")).expect("JSON");
        assert_eq!(json["plugin"], "00000000-0000-0000-0000-000000000000");
        assert_eq!((&json["shared"], &json["entries"], &json["bytes"]), (&true.into(), &5.into(), &7.into()));
    }
}
