use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use shared::App;

pub async fn handle(_app: &App, _event: SqsEvent) -> SqsBatchResponse {
    SqsBatchResponse::default()
}
