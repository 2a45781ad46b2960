//! Work that fails: it delays nobody, ends in the dead letters with its reason, and comes through once the cause is
//! mended, as `docs/operations.md` says.

use crate::support::lists::page_ids;
use crate::support::{TestApp, User, alone, set, until};
use local::DeadLetter;
use serde_json::{Value, json};
use shared::config::OWN_QUEUE;
use shared::ids::UserId;
use std::time::Instant;
use ulid::Ulid;

/// The bare id, as keys have it.
fn bare(user: &User) -> String {
    user.id.parse::<UserId>().unwrap().ulid().to_string()
}

fn s(text: impl Into<String>) -> Value {
    json!({"S": text.into()})
}

impl TestApp {
    /// Gives an attribute of an item a value that nobody can read; the item as it was.
    async fn spoil(&self, pk: &str, sk: &str, attribute: &str) -> Value {
        let item = self.table().await[&(pk.to_owned(), sk.to_owned())].clone();
        let mut spoilt = item.clone();
        spoilt[attribute] = s("spoilt");
        self.put_item(&spoilt).await;
        item
    }

    /// The dead letters of a queue, once there are `count`.
    async fn buried(&self, dlq: &str, count: u64) -> Vec<DeadLetter> {
        until(|| async { (self.queue(dlq).await.unwrap().visible >= count).then_some(()) }).await;
        self.dead_letters(dlq).await.unwrap()
    }

    /// `aws sqs start-message-move-task --source-arn … --destination-arn …`
    async fn replay(&self, dlq: &str, queue: &str) {
        let task = json!({"SourceArn": self.queue_arn(dlq).await, "DestinationArn": self.queue_arn(queue).await});
        self.aws(&self.endpoints().sqs, "AmazonSQS.StartMessageMoveTask", task).await;
    }
}

/// A function's name where it runs.
fn named(app: &TestApp, function: &str) -> String {
    app.environment(function).remove("AWS_LAMBDA_FUNCTION_NAME").unwrap()
}

/// A follow written past the service, by somebody who has no account.
fn nobodys_follow(of: &User) -> Value {
    let at = Ulid::generate().to_string();
    json!({"PK": s(format!("U#{}", Ulid::generate())), "SK": s(format!("F#{}", bare(of))), "at": s(at)})
}

#[tokio::test]
async fn poison_delays_nobody_and_ends_with_its_reason() {
    let _alone = alone().await;
    let app = TestApp::start().await;
    let (author, fan) = (app.user("author").await, app.user("fan").await);
    fan.follow(&author).await;
    app.settle().await;

    for n in 0..3 {
        app.put_item(&nobodys_follow(&author)).await;
        let (fan, anybody) = (format!("U#{}", bare(&fan)), format!("F#{}", Ulid::generate()));
        app.put_item(&json!({"PK": s(fan), "SK": s(anybody), "at": s("?")})).await;
        app.put_item(&json!({"PK": s(format!("A#{}", bare(&author))), "SK": s(format!("T#?{n}"))})).await;
    }
    for variable in ["FANOUT_QUEUE_URL", "NOTIFY_QUEUE_URL", "OWN_QUEUE_URL"] {
        app.send_messages(variable, &["no job".to_owned()]).await;
    }
    let started = Instant::now();
    let post = author.post_text("While all that fails.").await;
    until(|| async { page_ids(&fan, "/feed").await.contains(&post).then_some(()) }).await;
    let in_feed = started.elapsed();
    fan.post(&format!("/posts/{post}/like"), None).await.expect(200);
    let likes = || async { author.get(&format!("/posts/{post}")).await.expect(200).json()["likes_count"].as_u64() };
    until(|| async { (likes().await == Some(1)).then_some(()) }).await;
    let liked = started.elapsed() - in_feed;
    println!("among poison: in the feed after {in_feed:?}, the like counted after {liked:?}");

    for (dlq, function) in [("FanoutDlq", "fanout"), ("NotifyDlq", "notify")] {
        let letters = app.buried(dlq, 1).await;
        assert_eq!(letters[0].body, "no job");
        assert!(letters[0].attributes["reason"].contains("not a job"), "{:?}", letters[0]);
        assert_eq!(
            (&letters[0].attributes["function"], &*letters[0].attributes["receives"]),
            (&named(&app, function), "1")
        );
        assert!(letters[0].attributes["message_id"].parse::<Ulid>().is_ok());
    }
    let letters = app.buried("DispatchDlq", 10).await;
    let reasons = |reason: &str| letters.iter().filter(|one| one.attributes["reason"].contains(reason)).count();
    assert_eq!(reasons("not a job"), 1, "{letters:?}");
    assert_eq!(reasons("an actor has no account"), 3, "{letters:?}");
    assert_eq!(reasons("the table's data or our request is wrong"), 3, "{letters:?}");
    assert_eq!(reasons("what the stream is not read for"), 3, "{letters:?}");
    app.settle().await;
}

#[tokio::test]
async fn a_post_or_profile_that_cannot_be_read_takes_no_other_with_it() {
    for limit in ["1", "10000"] {
        let app = TestApp::with(|options| set(options, "FanoutLimit", limit)).await;
        let (author, other) = (app.user("author").await, app.user("other").await);
        let (fan, late) = (app.user("fan").await, app.user("late").await);
        for followed in [&author, &other] {
            fan.follow(followed).await;
            followed.follow(&fan).await;
            late.follow(followed).await;
        }
        app.settle().await;
        let mut posts = Vec::new();
        for n in 0..3 {
            posts.insert(0, author.post_text(&n.to_string()).await);
        }
        app.settle().await;
        let (ulid, _) = posts[1].trim_start_matches("pst_").split_once('.').unwrap();
        app.spoil(&format!("A#{}", bare(&author)), &format!("T#{ulid}"), "ver").await;
        app.spoil(&format!("U#{}", bare(&other)), "P", "ver").await;
        let left = [posts[0].clone(), posts[2].clone()];
        assert_eq!(page_ids(&fan, "/feed").await, left, "{limit}");
        assert_eq!(page_ids(&fan, &format!("/users/{}/posts", author.id)).await, left);
        assert_eq!(fan.get("/users/me/followers").await.expect(200).items().len(), 1);
        let newest = app.user("newest").await;
        newest.follow(&author).await;
        app.settle().await;
        assert_eq!(page_ids(&newest, "/feed").await, left);
    }
}

#[tokio::test]
async fn what_is_replayed_once_its_cause_is_mended_comes_through() {
    let app = TestApp::start().await;
    let (author, fan) = (app.user("author").await, app.user("fan").await);
    fan.follow(&author).await;
    app.settle().await;
    let old = author.post_text("Before.").await;
    app.settle().await;

    // A follower whose account is gone: the stream's consumer can't count.
    let ghost = app.user("ghost").await;
    app.settle().await;
    let (pk, sk) = (format!("U#{}", bare(&ghost)), "P#n");
    let account = app.table().await[&(pk.clone(), sk.to_owned())].clone();
    let delete = json!({"TableName": app.table_name(), "Key": {"PK": s(&pk), "SK": s(sk)}});
    app.aws(&app.endpoints().dynamodb, "DynamoDB_20120810.DeleteItem", delete).await;
    ghost.follow(&author).await;
    let letters = app.buried("DispatchDlq", 1).await;
    assert!(letters[0].attributes["reason"].contains("an actor has no account"), "{letters:?}");
    app.put_item(&account).await;
    app.replay("DispatchDlq", "DispatchQueue").await;
    app.settle().await;
    assert_eq!(page_ids(&ghost, "/feed").await, std::slice::from_ref(&old));

    // Notify: where the author's notifications stand can't be read.
    let mark = app.spoil(&format!("U#{}", bare(&author)), "NM", "last").await;
    fan.post(&format!("/posts/{old}/like"), None).await.expect(200);
    assert_eq!(app.buried("NotifyDlq", 1).await[0].attributes["function"], named(&app, "notify"));
    app.put_item(&mark).await;
    app.replay("NotifyDlq", "NotifyQueue").await;
    app.settle().await;
    let told = author.get("/notifications").await.expect(200).items();
    assert!(told.iter().any(|one| one["kind"] == "like"), "{told:?}");

    // Fan-out: how the author's posts are delivered can't be read.
    let followers = app.spoil(&format!("U#{}", bare(&author)), "P#f", "mode").await;
    let new = author.post_text("After.").await;
    assert_eq!(app.buried("FanoutDlq", 1).await[0].attributes["function"], named(&app, "fanout"));
    app.put_item(&followers).await;
    app.replay("FanoutDlq", "FanoutQueue").await;
    app.settle().await;
    assert_eq!(page_ids(&ghost, "/feed").await, [new, old]);
    app.audit().await;
}

/// Lambda itself names a batch of the stream that could not even be set aside; the records are still in the stream.
#[tokio::test]
async fn what_lambda_gave_up_is_read_from_the_stream_and_replayed() {
    let app = TestApp::with(|options| {
        // Every function gets both, but the stream's consumer alone has a use for them here.
        for variable in OWN_QUEUE {
            options.environment.insert(variable.into(), "http://127.0.0.1:1/000000000000/Nowhere".into());
        }
    })
    .await;
    let (author, fan) = (app.user("author").await, app.user("fan").await);
    app.settle().await;
    let followers = app.spoil(&format!("U#{}", bare(&author)), "P#f", "n").await;
    fan.follow(&author).await;
    let letters = app.buried("DispatchDlq", 1).await;
    let letter: Value = serde_json::from_str(&letters[0].body).unwrap();
    let batch = &letter["DDBStreamBatchInfo"];
    app.put_item(&followers).await;

    let endpoint = &app.endpoints().dynamodb;
    let streams =
        app.aws(endpoint, "DynamoDBStreams_20120810.ListStreams", json!({"TableName": app.table_name()})).await;
    let arn = &streams["Streams"][0]["StreamArn"];
    let stream = app.aws(endpoint, "DynamoDBStreams_20120810.DescribeStream", json!({"StreamArn": arn})).await;
    // The message has a shard of AWS's; here there is the one.
    let shard = &stream["StreamDescription"]["Shards"][0]["ShardId"];
    let from = json!({"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "AT_SEQUENCE_NUMBER",
        "SequenceNumber": batch["startSequenceNumber"]});
    let iterator = app.aws(endpoint, "DynamoDBStreams_20120810.GetShardIterator", from).await;
    let get = json!({"ShardIterator": iterator["ShardIterator"], "Limit": batch["batchSize"]});
    let records = app.aws(endpoint, "DynamoDBStreams_20120810.GetRecords", get).await;
    let bodies: Vec<String> = records["Records"].as_array().unwrap().iter().map(Value::to_string).collect();
    let queue = app.environment("docs").remove("FANOUT_QUEUE_URL").unwrap().replace("FanoutQueue", "DispatchQueue");
    for body in bodies {
        let send = json!({"QueueUrl": queue, "MessageBody": body});
        app.aws(&app.endpoints().sqs, "AmazonSQS.SendMessage", send).await;
    }
    app.settle().await;
    app.audit().await;
    let page = fan.get(&format!("/users/{}", author.id)).await.expect(200).json();
    assert_eq!(page["followers_count"], 1, "{page}");
}

#[tokio::test]
async fn what_fails_for_now_comes_again_soon_and_not_for_ever() {
    let app = TestApp::with(|options| {
        options.environment.insert("AWS_ENDPOINT_URL_SESV2".into(), "http://127.0.0.1:1".into());
    })
    .await;
    app.pause_workers().await;
    app.user("gull").await;
    app.dispatch(&app.stream().await, 100).await;
    let (sqs, url) = (app.endpoints().sqs.clone(), app.queue_url("NOTIFY_QUEUE_URL"));
    let receive = || async {
        let receive = json!({"QueueUrl": url, "MessageSystemAttributeNames": ["All"]});
        app.aws(&sqs, "AmazonSQS.ReceiveMessage", receive).await["Messages"][0].clone()
    };
    let handle = async |message: &Value, receives: &str| {
        let record = json!({"messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"], "attributes": {"ApproximateReceiveCount": receives}});
        app.invoke("notify", &json!({"Records": [record]})).await.unwrap()["batchItemFailures"].take()
    };

    let message = receive().await;
    let id = &message["MessageId"];
    assert_eq!(handle(&message, "1").await, json!([{"itemIdentifier": id}]));
    let failed = Instant::now();
    // Its queue would hide it for six minutes, longer than is waited for.
    let again = until(|| async { Some(receive().await).filter(|message| !message.is_null()) }).await;
    let waited = failed.elapsed();
    println!("a message that failed once came again after {waited:?}");
    assert_eq!((&again["MessageId"], again["Attributes"]["ApproximateReceiveCount"].as_str()), (id, Some("2")));

    assert_eq!(handle(&again, "12").await, json!([]), "buried, so done");
    let letter = &app.buried("NotifyDlq", 1).await[0];
    assert_eq!(letter.body, again["Body"].as_str().unwrap());
    assert_eq!(letter.attributes["receives"], "12");
    assert_eq!(letter.attributes["message_id"], id.as_str().unwrap());
    assert!(letter.attributes["reason"].contains("unavailable"), "{letter:?}");
    assert_eq!(app.mails().await.len(), 0);
}
