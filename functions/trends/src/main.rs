#[tokio::main]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::schedule(trends::handle).await
}
