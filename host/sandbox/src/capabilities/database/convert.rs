//! Converts between the values of `behalf:tool/database` and those of the caller's database.

use behalf_caller_db as db;

use crate::bindings::behalf::tool::database::{Column, Error, RowSet, Value};

/// Parameters of one statement; the protocol counts them in 16 bits.
const MAX_PARAMS: usize = 65_535;
/// Bytes of the text of a float, if it is neither very large nor very small.
const USUAL_FLOAT: usize = 24;
/// Bytes of the text of any float.
const LONGEST_FLOAT: usize = 330;
/// Bytes of the text of a vector's element, with its comma, if it is neither very large nor very small.
const USUAL_ELEMENT: usize = 16;
/// Bytes of the text of any element, with its comma.
const LONGEST_ELEMENT: usize = 50;

pub(super) fn parameters(params: Vec<Value>) -> Result<Vec<db::Value>, Error> {
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

/// Bytes of a parameter's text, or a few more.
pub(super) fn value_bytes(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Null | Value::Boolean(_) | Value::Integer(_) => 0,
            Value::Float(value) => {
                if is_usual(*value) {
                    USUAL_FLOAT
                } else {
                    LONGEST_FLOAT
                }
            }
            Value::Text(value) => value.len(),
            // Two digits for each.
            Value::Bytes(value) => value.len().saturating_mul(2),
            Value::Vector(value) => value
                .iter()
                .map(|number| if is_usual(f64::from(*number)) { USUAL_ELEMENT } else { LONGEST_ELEMENT })
                .sum::<usize>(),
        }
}

/// Whether a number's text is short: it has no exponent, so those of very large and very small numbers are long.
fn is_usual(number: f64) -> bool {
    number == 0.0 || (1e-4..1e9).contains(&number.abs())
}

pub(super) fn row_set(rows: db::RowSet) -> RowSet {
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

pub(super) fn convert_error(error: db::StatementError) -> Error {
    let message = error.message.for_caller().to_owned();
    Error { code: error.code.to_owned(), sqlstate: error.sqlstate, message, retryable: error.retryable }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_counts_no_less_than_its_text() {
        let all = (0..u32::MAX).step_by(999_983).map(f32::from_bits);
        let small =
            [0.0, -0.0, 1e-4, -1e-4, 1e9, f32::MIN, -f32::MIN_POSITIVE, f32::from_bits(1), f32::from_bits(0x007f_ffff)];
        for number in all.chain(small) {
            let counted = value_bytes(&Value::Vector(vec![number; 100]));
            assert!(counted >= 100 * (number.to_string().len() + 1), "{number} counts {counted}");
        }
        let all = (0..u64::MAX).step_by(9_999_999_999_999_937).map(f64::from_bits);
        for number in all.chain([0.0, -1e-4, 1e9, f64::MIN, -f64::MIN_POSITIVE, -f64::from_bits(1)]) {
            let counted = value_bytes(&Value::Float(number)) - size_of::<Value>();
            assert!(counted >= number.to_string().len(), "{number} counts {counted}");
        }
        assert!(value_bytes(&Value::Integer(i64::MIN)) >= i64::MIN.to_string().len());
        assert!(value_bytes(&Value::Bytes(vec![7; 1_000])) >= 2_002);
    }

    #[test]
    fn usual_vectors_count_little() {
        let embedding: Vec<f32> = (0..1_536_u16).map(|index| f32::from(index) / 1_536.0 - 0.5).collect();
        let counted = value_bytes(&Value::Vector(embedding));
        assert!(counted < 32 * 1024, "{counted}");
    }
}
