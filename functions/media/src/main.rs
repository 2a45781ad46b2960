#[tokio::main]
async fn main() -> Result<(), shared::lambda::Error> {
    shared::lambda::http(media::router()).await
}
