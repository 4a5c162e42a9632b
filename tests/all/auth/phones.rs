//! Phones: numbers that an administrator writes down, and no codes.

use behalf_tests::User;
use serde_json::json;

use super::people::{assert_refused, host};

#[tokio::test(flavor = "multi_thread")]
async fn no_code_of_a_phone_is_right_and_clients_read_why() {
    let app = host(&[]).await;
    let verify = async |kind: &str, phone: &str| {
        let body = json!({ "type": kind, "phone": phone, "token": "123456" });
        app.post(&User::Anon, "/auth/v1/verify", body).await
    };
    for kind in ["sms", "phone_change"] {
        let refused = verify(kind, "+49 170 1234567").await;
        assert_refused(&refused, 403, "otp_expired");
        assert_eq!(refused.json["msg"], "Token has expired or is invalid");
        for bad in ["", "no number", "+49 170 1234567-invalid"] {
            let refused = verify(kind, bad).await;
            assert_refused(&refused, 400, "validation_failed");
            assert_eq!(refused.json["msg"], "Invalid phone number format (E.164 required)", "{bad}");
        }
    }
}
