//! Numbers in the arguments of calls.

use super::*;

#[tokio::test]
async fn a_number_that_would_be_rounded_is_not_read() {
    let stop = r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#;
    for number in ["12345678901234567.89", "18446744073709551616", "1e309"] {
        let arguments = format!(r#"{{"amount": {number}}}"#);
        let (answer, _) = answer_to(vec![events(&[&call_piece(0, "a", "pay", &arguments), stop, "[DONE]"])]).await;
        assert_eq!(calls(&answer)[0].arguments, json!(arguments), "as text, which is told to the model");
    }
    let (answer, _) =
        answer_to(vec![events(&[&call_piece(0, "a", "pay", r#"{"amount": 18446744073709551615}"#), stop, "[DONE]"])])
            .await;
    assert_eq!(calls(&answer)[0].arguments, json!({"amount": u64::MAX}));
}
