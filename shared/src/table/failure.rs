//! What a failed call of the SDK means.

use super::{Item, Refused, TableError};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::CancellationReason;

pub(super) enum Outcome {
    Again(TableError),
    Failed(TableError),
}

pub(super) fn classify<E>(error: SdkError<E>) -> Outcome
where
    E: ProvideErrorMetadata + Failure + std::error::Error + Send + Sync + 'static,
{
    if let Some(refused) = error.as_service_error().and_then(Failure::refused) {
        return Outcome::Failed(TableError::Refused(refused));
    }
    let again = error.as_service_error().is_some_and(Failure::is_passing)
        || matches!(
            error.code(),
            Some("TransactionConflictException" | "TransactionInProgressException" | "ThrottlingException")
                | Some("ProvisionedThroughputExceededException" | "RequestLimitExceeded" | "InternalServerError")
        );
    let ours =
        matches!(error.code(), Some("ValidationException" | "ResourceNotFoundException" | "AccessDeniedException"));
    let source = Box::new(error);
    match (again, ours) {
        (true, _) => Outcome::Again(TableError::Unavailable(source)),
        (_, true) => Outcome::Failed(TableError::Broken(source)),
        _ => Outcome::Failed(TableError::Unavailable(source)),
    }
}

/// What an operation's own error says beyond its code.
pub(super) trait Failure {
    /// The conditions that did not hold.
    fn refused(&self) -> Option<Refused> {
        None
    }

    /// A transaction that another one stood in the way of.
    fn is_passing(&self) -> bool {
        false
    }
}

mod failures {
    use super::{CancellationReason, Failure, Item, Refused};
    use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemError;
    use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemError;
    use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
    use aws_sdk_dynamodb::operation::get_item::GetItemError;
    use aws_sdk_dynamodb::operation::put_item::PutItemError;
    use aws_sdk_dynamodb::operation::query::QueryError;
    use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
    use aws_sdk_dynamodb::operation::update_item::UpdateItemError;

    impl Failure for GetItemError {}
    impl Failure for QueryError {}
    impl Failure for BatchGetItemError {}
    impl Failure for BatchWriteItemError {}

    macro_rules! conditional {
        ($($error:ident),*) => {$(
            impl Failure for $error {
                fn refused(&self) -> Option<Refused> {
                    match self {
                        Self::ConditionalCheckFailedException(failed) => {
                            Some(Refused { ops: vec![(0, failed.item().cloned().map(Item))] })
                        }
                        _ => None,
                    }
                }
            }
        )*};
    }
    conditional!(PutItemError, UpdateItemError, DeleteItemError);

    fn reasons(error: &TransactWriteItemsError) -> &[CancellationReason] {
        match error {
            TransactWriteItemsError::TransactionCanceledException(cancelled) => cancelled.cancellation_reasons(),
            _ => &[],
        }
    }

    impl Failure for TransactWriteItemsError {
        fn refused(&self) -> Option<Refused> {
            let failed = reasons(self).iter().enumerate();
            let failed = failed.filter(|(_, reason)| reason.code() == Some("ConditionalCheckFailed"));
            let ops: Vec<_> = failed.map(|(index, reason)| (index, reason.item().cloned().map(Item))).collect();
            (!ops.is_empty()).then_some(Refused { ops })
        }

        fn is_passing(&self) -> bool {
            let passing = ["TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"];
            reasons(self).iter().filter_map(|reason| reason.code()).any(|code| passing.contains(&code))
        }
    }
}
