#[tokio::main]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::schedule(reap::handle).await
}
