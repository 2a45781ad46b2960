//! DynamoDB's refusals as they come over the wire, and batches in two parts.

use super::Dice;
use crate::wire::Answer;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

const CONFLICT: &str = "Transaction is ongoing for the item";
const IN_PROGRESS: &str = "The transaction with the given request token is already in progress.";
const THROTTLED: &str = "Throughput exceeds the current capacity of your table or index.";

/// An answer of our own.
pub(super) fn answer(status: StatusCode, body: &Value) -> Answer {
    let json = HeaderValue::from_static("application/x-amz-json-1.0");
    (status, HeaderMap::from_iter([(header::CONTENT_TYPE, json)]), Bytes::from(body.to_string()))
}

fn refusal(name: &str, message: &str) -> Answer {
    let kind = format!("com.amazonaws.dynamodb.v20120810#{name}");
    answer(StatusCode::BAD_REQUEST, &json!({ "__type": kind, "message": message }))
}

/// What a write that meets another one is told; None for a call that never is.
pub(super) fn conflict(operation: &str, request: &Value, dice: &Dice) -> Option<Answer> {
    match operation {
        // One in ten is told that its own first try is still running.
        "TransactWriteItems" if dice.throw(|rng| rng.u8(..10)) == 0 => {
            Some(refusal("TransactionInProgressException", IN_PROGRESS))
        }
        "TransactWriteItems" => Some(cancelled(request, "TransactionConflict", CONFLICT, dice)),
        "PutItem" | "UpdateItem" | "DeleteItem" => Some(refusal("TransactionConflictException", CONFLICT)),
        _ => None,
    }
}

/// What a call is told that finds no capacity.
pub(super) fn throttled(operation: &str, request: &Value, dice: &Dice) -> Answer {
    let (is_cancelled, is_provisioned) = dice.throw(|rng| (rng.bool(), rng.bool()));
    match (operation, is_provisioned) {
        ("TransactWriteItems", _) if is_cancelled => cancelled(request, "ThrottlingError", THROTTLED, dice),
        (_, true) => refusal("ProvisionedThroughputExceededException", THROTTLED),
        (_, false) => refusal("ThrottlingException", THROTTLED),
    }
}

/// What somebody hears of a call that went wrong after it was done.
pub(super) fn internal() -> Answer {
    let kind = "com.amazonaws.dynamodb.v20120810#InternalServerError";
    answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "__type": kind, "message": "Internal server error" }))
}

/// A transaction cancelled for the sake of one of its operations, any.
fn cancelled(request: &Value, code: &str, message: &str, dice: &Dice) -> Answer {
    let count = request["TransactItems"].as_array().map_or(1, Vec::len).max(1);
    let mut reasons = vec![json!({ "Code": "None" }); count];
    reasons[dice.throw(|rng| rng.usize(..count))] = json!({ "Code": code, "Message": message });
    let codes: Vec<_> = reasons.iter().filter_map(|reason| reason["Code"].as_str()).collect();
    let codes = codes.join(", ");
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"),
        "CancellationReasons": reasons,
    });
    answer(StatusCode::BAD_REQUEST, &body)
}

/// A batch of which a part is done.
pub(super) struct Split {
    /// The request for that part: at least one item.
    pub(super) request: Value,
    /// The rest, by table, as `UnprocessedItems` or `UnprocessedKeys` has it.
    rest: Map<String, Value>,
    answers_in: &'static str,
}

impl Split {
    /// Takes some items out of a batch; None if it is none or has only one.
    pub(super) fn of(operation: &str, request: &Value, dice: &Dice) -> Option<Self> {
        let answers_in = match operation {
            "BatchWriteItem" => "UnprocessedItems",
            "BatchGetItem" => "UnprocessedKeys",
            _ => return None,
        };
        let (mut request, mut rest) = (request.clone(), Map::new());
        for (table, entry) in request["RequestItems"].as_object_mut()? {
            let mut left = entry.clone();
            let (done, undone) = (items(entry)?, items(&mut left)?);
            if done.len() < 2 {
                continue;
            }
            *undone = dice.throw(|rng| {
                rng.shuffle(done);
                done.split_off(rng.usize(1..done.len()))
            });
            rest.insert(table.clone(), left);
        }
        (!rest.is_empty()).then_some(Self { request, rest, answers_in })
    }

    /// The answer with what was left undone.
    pub(super) fn answer(self, (status, headers, body): Answer) -> Answer {
        match serde_json::from_slice::<Value>(&body) {
            Ok(mut done) if status == StatusCode::OK => {
                done[self.answers_in] = Value::Object(self.rest);
                answer(status, &done)
            }
            _ => (status, headers, body),
        }
    }
}

/// The writes of a table in a batch, or its keys.
fn items(entry: &mut Value) -> Option<&mut Vec<Value>> {
    if entry.is_array() { entry.as_array_mut() } else { entry["Keys"].as_array_mut() }
}
