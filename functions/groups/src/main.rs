#[tokio::main]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::http(groups::router()).await
}
