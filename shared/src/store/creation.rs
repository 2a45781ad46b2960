//! What creations that take an idempotency key have in common.

use crate::Error;
use crate::table::{Op, TableError, Transaction};

/// Why something was not created.
#[derive(Debug)]
pub enum CreateError {
    /// Its idempotency key was used already: the operation that stores the response was refused.
    IdempotencyKeyUsed,
    Error(Error),
}

impl From<Error> for CreateError {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<TableError> for CreateError {
    fn from(error: TableError) -> Self {
        Self::Error(error.into())
    }
}

/// A transaction that creates something, with the operation that stores the response, if there is a key for it.
pub(super) fn creation(idempotency_op: Option<Op>) -> Transaction<CreateError> {
    Transaction::new().ops_or(idempotency_op, || CreateError::IdempotencyKeyUsed)
}
