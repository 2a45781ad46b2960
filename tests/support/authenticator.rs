//! An authenticator app.

use super::{PASSWORD, TestApp, User};
use serde_json::{Value, json};
use shared::secrets::totp::Secret;
use std::time::Duration;

/// A telephone, whose clock shows what the service's does.
pub(crate) struct Authenticator {
    secret: Secret,
    /// What turning the factor on has shown; empty before.
    pub(crate) recovery_codes: Vec<String>,
    /// The code that has turned it on.
    pub(crate) confirmed_by: String,
}

impl Authenticator {
    /// Reads the QR code of a set-up.
    pub(crate) fn reading(set_up: &Value) -> Self {
        let (secret, uri) = (set_up["secret"].as_str().expect("a secret"), set_up["uri"].as_str().expect("a URI"));
        assert!(uri.starts_with("otpauth://totp/Perch:") && uri.contains(&format!("secret={secret}&")), "{uri}");
        let secret = Secret::from_base32(secret).expect("base32");
        Self { secret, recovery_codes: Vec::new(), confirmed_by: String::new() }
    }

    /// The code of this moment.
    pub(crate) fn code(&self, app: &TestApp) -> String {
        self.secret.code_at(app.now())
    }

    /// The code that it would show later.
    pub(crate) fn code_in(&self, app: &TestApp, seconds: u64) -> String {
        self.secret.code_at(app.now() + Duration::from_secs(seconds))
    }

    /// A code that has not been shown yet: half a minute passes.
    pub(crate) fn next_code(&self, app: &TestApp) -> String {
        app.advance(Duration::from_secs(30));
        self.code(app)
    }
}

/// Turns somebody's second factor on.
pub(crate) async fn enrol(app: &TestApp, user: &User) -> Authenticator {
    let set_up = user.post("/users/otp", json!({"password": PASSWORD})).await.expect(200).json();
    let mut phone = Authenticator::reading(&set_up);
    phone.confirmed_by = phone.code(app);
    let on = user.post("/users/otp/confirm", json!({"code": phone.confirmed_by})).await.expect(200).json();
    let codes = on["recovery_codes"].as_array().expect("a list").iter();
    phone.recovery_codes = codes.map(|code| code.as_str().expect("a code").to_owned()).collect();
    phone
}
