use aws_lambda_events::event::dynamodb::Event;
use aws_lambda_events::event::streams::DynamoDbEventResponse;
use shared::App;

pub async fn handle(_app: &App, _event: Event) -> DynamoDbEventResponse {
    DynamoDbEventResponse::default()
}
