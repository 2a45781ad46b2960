//! Responses stored by idempotency key.

use crate::App;
use crate::error::Result;
use crate::ids::UserId;
use crate::table::design::key;
use crate::table::{Condition, Op, Read};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Responses are stored this long.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredResponse {
    /// HMAC of the request's body.
    pub body: String,
    pub answer: String,
    pub location: String,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    response: StoredResponse,
    ttl: u64,
}

/// Access pattern 19.
pub async fn find(app: &App, user: Option<UserId>, hash: &str, read: Read) -> Result<Option<StoredResponse>> {
    Ok(app.table().get(&key::idempotency(user, hash), read).await?)
}

/// The write that stores a response, where none is stored yet.
///
/// # Errors
/// 500 when it can't be written.
pub fn store(app: &App, user: Option<UserId>, hash: &str, response: StoredResponse) -> Result<Op> {
    let row = Row { response, ttl: (app.now() + LIFETIME).seconds() };
    // Expired ones may lie there for days yet: TTL deletes when it finds time.
    let expired = Condition::less("ttl", app.now().seconds());
    let free = Condition::Any(vec![Condition::Missing, expired]);
    Ok(Op::put(key::idempotency(user, hash), &row)?.when(free))
}
