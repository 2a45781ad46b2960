#[tokio::main]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::events(export::handle).await
}
