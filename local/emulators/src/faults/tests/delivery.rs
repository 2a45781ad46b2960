//! Queues under faults.

use super::*;
use crate::listen;
use crate::sqs::{NewMessage, QueueSpec, Sqs};

fn layer(rates: Rates) -> FaultLayer {
    FaultLayer::with_rates(Faults { profile: Profile::Redelivery, seed: 1 }, rates)
}

#[tokio::test]
async fn nobody_waits_for_a_back_off_of_minutes() {
    let dir = tempfile::tempdir().unwrap();
    let minutes = Duration::from_secs(600);
    let queue = |name: &str, redrive| QueueSpec {
        name: name.to_owned(),
        delay: Duration::ZERO,
        visibility_timeout: minutes,
        redrive,
    };
    let queues = vec![queue("Jobs", Some(("Dead".to_owned(), 5))), queue("Dead", None)];
    let post = layer(NONE).messages();
    let sqs = Sqs::start_under(Some(post), listen().unwrap(), dir.path(), Durability::Fast, queues).await.unwrap();
    sqs.send("Jobs", vec![NewMessage { body: "job".into(), delay: minutes, ..NewMessage::default() }]).await.unwrap();
    for _ in 0..2 {
        let message = in_time(async {
            loop {
                let changed = sqs.changed("Jobs");
                if let Some(message) = sqs.receive("Jobs", 1).await.unwrap().pop() {
                    return message;
                }
                changed.await;
            }
        });
        let message = message.await;
        sqs.make_visible("Jobs", &message.receipt_handle, minutes).await.unwrap();
    }
}
