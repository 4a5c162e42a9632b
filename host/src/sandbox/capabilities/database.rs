use std::time::Duration;

use crate::db;
use crate::sandbox::bindings::behalf::tool::database::{Column, Error, Host, RowSet, Value};
use crate::sandbox::execute::timed;
use crate::sandbox::state::CallState;

/// Parameters of one statement; the protocol counts them in 16 bits.
const MAX_PARAMS: usize = 65_535;

impl CallState {
    /// Runs one piece of database work.
    async fn with_database<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut db::GuestDb) -> Result<T, db::StatementError>,
    ) -> wasmtime::Result<Result<T, Error>> {
        self.host_calls.count()?;
        let database = self.granted()?.database.clone();
        let database = database.ok_or_else(|| wasmtime::format_err!("the database was not granted"))?;
        let mut spent = Duration::ZERO;
        let result = timed(async { work(&mut *database.lock().await).await }, &mut spent).await;
        self.database_time += spent;
        Ok(result.map_err(convert_error))
    }
}

impl Host for CallState {
    async fn query(&mut self, sql: String, params: Vec<Value>) -> wasmtime::Result<Result<RowSet, Error>> {
        let params = match parameters(params) {
            Ok(params) => params,
            Err(error) => return Ok(Err(error)),
        };
        let rows = self.with_database(async |database| database.query(&sql, &params).await).await?;
        Ok(rows.map(row_set))
    }

    async fn execute(&mut self, sql: String, params: Vec<Value>) -> wasmtime::Result<Result<u64, Error>> {
        let params = match parameters(params) {
            Ok(params) => params,
            Err(error) => return Ok(Err(error)),
        };
        self.with_database(async |database| database.execute(&sql, &params).await).await
    }

    async fn commit(&mut self) -> wasmtime::Result<Result<(), Error>> {
        self.with_database(async |database| database.commit().await).await
    }

    async fn describe(&mut self, schema: Option<String>) -> wasmtime::Result<Result<String, Error>> {
        self.with_database(async |database| database.describe(schema.as_deref()).await).await
    }
}

fn parameters(params: Vec<Value>) -> Result<Vec<db::Value>, Error> {
    if params.len() > MAX_PARAMS {
        return Err(Error {
            code: "limit".to_owned(),
            sqlstate: None,
            message: format!("a statement takes {MAX_PARAMS} parameters; pass lists as one array"),
            retryable: false,
        });
    }
    Ok(params
        .into_iter()
        .map(|value| match value {
            Value::Null => db::Value::Null,
            Value::Boolean(value) => db::Value::Bool(value),
            Value::Integer(value) => db::Value::Int(value),
            Value::Float(value) => db::Value::Float(value),
            Value::Text(value) => db::Value::Text(value),
            Value::Bytes(value) => db::Value::Bytes(value),
            Value::Vector(value) => db::Value::Vector(value),
        })
        .collect())
}

fn row_set(rows: db::RowSet) -> RowSet {
    let value = |value| match value {
        db::Value::Null => Value::Null,
        db::Value::Bool(value) => Value::Boolean(value),
        db::Value::Int(value) => Value::Integer(value),
        db::Value::Float(value) => Value::Float(value),
        db::Value::Text(value) => Value::Text(value),
        db::Value::Bytes(value) => Value::Bytes(value),
        db::Value::Vector(value) => Value::Vector(value),
    };
    RowSet {
        columns: rows.columns.into_iter().map(|(name, type_name)| Column { name, type_name }).collect(),
        rows: rows.rows.into_iter().map(|row| row.into_iter().map(value).collect()).collect(),
        truncated: rows.truncated,
    }
}

fn convert_error(error: db::StatementError) -> Error {
    Error { code: error.code.to_owned(), sqlstate: error.sqlstate, message: error.message, retryable: error.retryable }
}
