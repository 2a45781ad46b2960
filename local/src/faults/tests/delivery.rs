//! Triggers under faults.

use super::*;
use crate::services::listen;
use crate::services::sqs::{NewMessage, QueueSpec, Sqs};
use crate::triggers::tests::{TEMPLATE, all_done, host_under};

fn layer(rates: Rates) -> FaultLayer {
    FaultLayer::with_rates(Faults { profile: Profile::Redelivery, seed: 1 }, rates)
}

#[tokio::test]
async fn the_stream_comes_in_shards_and_again_but_each_item_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let layer = layer(Rates { again: 0.3, kill: 0.9, shards: 4, ..NONE });
    let host = host_under(Some(&layer), TEMPLATE, &dir, all_done).await;
    for version in 0..20 {
        for item in 0..8 {
            let put = host.client.put_item().table_name("Table").item("PK", AttributeValue::S(format!("a{item}")));
            put.item("n", AttributeValue::N(version.to_string())).send().await.unwrap();
        }
    }
    let batches = host.run().await;
    let sizes: BTreeSet<_> = batches.iter().map(Vec::len).collect();
    assert!(sizes.len() > 5 && sizes.last() <= Some(&10), "{sizes:?}");
    let seen: Vec<_> = batches.concat();
    assert!(seen.len() > 160, "{}", seen.len());
    let (mut versions, mut behind) = (HashMap::new(), false);
    for record in &seen {
        let (item, version) = record.split_once(' ').unwrap();
        let (version, next): (u32, _) = (version.parse().unwrap(), versions.entry(item).or_insert(0));
        assert!(version <= *next, "{item}: {version} came before {next}");
        *next = (*next).max(version + 1);
        behind |= versions.values().any(|other| other.abs_diff(version) > 5);
    }
    assert!(versions.len() == 8 && versions.values().all(|next| *next == 20), "{versions:?}");
    assert!(behind, "the shards do not wait for each other");
    // The template gives a record up at the second failure: the killed are none.
    assert_eq!(host.sqs.counts("Dead").await.unwrap(), Default::default());
    assert!(layer.counts()[&Fault::Again] > 5 && layer.counts()[&Fault::Kill] > 5, "{:?}", layer.counts());
}

#[tokio::test]
async fn messages_come_again_in_any_order_and_none_is_buried_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let layer = layer(Rates { copy: 0.4, again: 0.3, kill: 0.5, ..NONE });
    let template = TEMPLATE.replace("maxReceiveCount: 2", "maxReceiveCount: 3");
    let host = host_under(Some(&layer), &template, &dir, all_done).await;
    let sent: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    let ids = host.sqs.send("Jobs", sent.iter().map(|body| body.clone().into()).collect()).await.unwrap();
    assert_eq!(ids.len(), 40, "the sender knows nothing of copies");
    let seen = host.run().await.concat();
    let mut firsts = Vec::new();
    for body in &seen {
        if !firsts.contains(body) {
            firsts.push(body.clone());
        }
    }
    assert_ne!(firsts, sent);
    firsts.sort_by_key(|body| body.parse::<u32>().unwrap());
    assert_eq!(firsts, sent);
    let counts = layer.counts();
    let copies = usize::try_from(counts[&Fault::Copy]).unwrap();
    assert!(copies > 10 && seen.len() > 40 + copies, "{} deliveries, {counts:?}", seen.len());
    assert!(counts[&Fault::Again] > 0 && counts[&Fault::Kill] > 0, "{counts:?}");
    assert_eq!(host.sqs.counts("Dead").await.unwrap(), Default::default());
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
