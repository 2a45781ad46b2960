//! Every limit that is set on purpose: how long, how often, how many at once, and why.
//!
//! They hang together. A call ends before its request or message does, a request and a message before their function's
//! time is up, a function before its queue hands the message out again. Where `template.yaml` must say the same, a test
//! compares the two. `docs/operations.md` has the readable table of them.

use std::time::Duration;

// ---------------------------------------------------------------- one call of a service

/// To connect. Within a region that takes a millisecond; after a second the address is dead and another is tried.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// One try of a call. DynamoDB and SQS answer in milliseconds, SES and large transactions in a few hundred; what took
/// three seconds is lost on the way.
pub const TRY_TIMEOUT: Duration = Duration::from_secs(3);
/// A call with all of its tries: two that are lost and most of a third. Shorter than a request may take, so that the
/// request can still say what did not answer.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(8);
/// Tries of what is lost on the way. The SDK besides has a budget of retries per client: when all calls fail it stops
/// repeating, and does not add to an outage.
pub const TRIES: u32 = 3;
/// The wait before the second try, doubled for the third, with full jitter: connections drop for no longer.
pub const FIRST_TRY_WAIT: Duration = Duration::from_millis(50);

/// A call of the bucket. Megabytes take longer than an answer of the table; the request or message ends it before.
pub const FILE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a video that are read to know what it is. A container's tables are a few megabytes for hours of film; one that
/// was recorded live has none, and is read once from its beginning to its end.
pub const INSPECTED: u64 = 544 * 1024 * 1024;

// ---------------------------------------------------------------- the table

/// Tries of what conflicts, is throttled or is left over. With the waits below about a second in all, two at most: a
/// transaction's conflict is over in some 10 ms, a throttled partition gives way again in the next second. These come
/// on top of lost tries, and both may not outlive the request or message, which ends them.
pub const TABLE_TRIES: u32 = 9;
/// The longest first wait, with full jitter; doubled each time …
pub const TABLE_FIRST_WAIT: Duration = Duration::from_millis(10);
/// … up to this one.
pub const TABLE_LONGEST_WAIT: Duration = Duration::from_millis(640);
/// Refusals in a row before an edge is requeued, or a block or a password's change given up: each is somebody else's write of the
/// same item in between.
pub const EDGE_REFUSALS: u32 = 8;
/// Refusals in a row before a change of who moderates a group is given up: each is another such change, so that of as
/// many at once each gets its turn.
pub const STAFF_REFUSALS: u32 = 16;
/// How often a read mark that another writer moved is read again; with waits as above about five seconds.
pub const MARK_REFUSALS: u32 = 20;
/// Batches of 25 writes of one message on their way at once: 50 rows a round trip of some 20 ms.
pub const BATCHES_AT_ONCE: usize = 2;
/// Write units a second that a new on-demand table takes at once (DynamoDB developer guide, "On-demand capacity mode").
pub const NEW_TABLE_WRITES: usize = 4_000;
/// Authors' lists that a page of the feed below the timeline reads at once: each is a small query of some 5 ms, so 300 of
/// them take 30.
pub const LISTS_AT_ONCE: usize = 50;

// ---------------------------------------------------------------- requests

/// A request; API Gateway would wait for 30 s. A client that waits longer asks again anyhow.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// What telling of a view may hold up the answer to a read. SQS takes some 10 ms, a new connection some 50; what takes
/// longer is dropped.
pub const VIEW_TIMEOUT: Duration = Duration::from_millis(250);
/// What the row of the activity log may hold up a write's answer, with its tries: the write is done. Together with a
/// request of the longest it leaves a function time to answer.
pub const ACTIVITY_TIMEOUT: Duration = Duration::from_secs(3);
/// A function behind the API: a request, and room for a cold start and the answer.
pub const API_FUNCTION_TIMEOUT: Duration = Duration::from_secs(15);

// ---------------------------------------------------------------- signing keys

/// The signing keys are read again after that. Every function then knows a key that was added, so it may begin to sign.
pub const KEYS_KEPT: Duration = Duration::from_secs(300);
/// A token that names an unknown key has them read again, but not sooner: anybody can make up a name.
pub const KEYS_RENEWED: Duration = Duration::from_secs(10);
/// Where they can't be read, those from before are used, and it is tried again after that.
pub const KEYS_RETRIED: Duration = Duration::from_secs(30);

// ---------------------------------------------------------------- sockets

/// A message to a socket. API Gateway answers in some 10 ms, a new connection to it in some 50; a socket that takes
/// longer has a slow reader, and is closed rather than waited for.
pub const PUSH_TIMEOUT: Duration = Duration::from_secs(1);

// ---------------------------------------------------------------- workers

/// A worker's function: the longest message, and room to retry later or dead-letter what failed (two calls).
pub const WORKER_TIMEOUT: Duration = Duration::from_secs(60);
/// One message. Longer than a call or two that fail; shorter than the function, so that the message fails with a
/// reason in place of taking its whole batch with it.
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(40);
/// The counters of one batch of the stream. What is not settled by then is set aside.
pub const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Messages of one event that are worked on at once: every event, so that none waits while its time runs.
pub const MESSAGES_AT_ONCE: usize = 10;
/// Posts and accounts of one batch of the stream whose counters are settled at once.
pub const GROUPS_AT_ONCE: usize = 8;
/// Followers written to by one message: 40 batches, well within a second. It then sends the next message.
pub const FANOUT_CHUNK: usize = 1_000;
/// Followers of one message looked at, or written to one by one (two items each), at once: each in a partition of its
/// own.
pub const FOLLOWERS_AT_ONCE: usize = 16;

/// A worker that claimed a mail and has not sent it by then is taken for dead: to claim it and to send it are a call
/// each. A job that finds a mail taken comes again for longer than that.
pub const MAIL_LEASE: Duration = Duration::from_secs(20);
/// A received message stays hidden so long: six times the function's timeout, as AWS advises ("Configuring a queue to
/// use with Lambda"). It is also the longest wait between two tries.
pub const VISIBILITY: Duration = Duration::from_secs(360);
/// The wait after a message's first failure; doubled with each next, up to [`VISIBILITY`].
pub const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
/// Receives after which a message that fails again is dead-lettered with its reason. Its eleven waits take 616 s at
/// least: an outage of ten minutes dead-letters nothing.
pub const RECEIVES: u32 = 12;
/// Receives after which the queue itself dead-letters a message: one that kills its worker each time, and so has no
/// reason. Higher than [`RECEIVES`], so that the worker comes first where it lives, even when it could not send now and
/// then.
pub const REDRIVE_RECEIVES: u32 = 15;

/// A run of the publisher that has said nothing for so long is dead, and the next may begin: it says so with each batch
/// of twenty, and the next minute's run is to find the way free.
pub const PUBLISH_LEASE: Duration = Duration::from_secs(30);
/// A run of the publisher begins no batch after that: with the lease it leaves the next minute's run its way.
pub const PUBLISH_TIME: Duration = Duration::from_secs(25);
const _: () = assert!(PUBLISH_TIME.as_secs() + PUBLISH_LEASE.as_secs() < 60, "runs come every minute");
/// An hour is done with only so long after its end: a request that had a post wait for its last moment has ended.
pub const PUBLISH_GRACE: Duration = Duration::from_secs(300);

/// Partitions that a hashtag's counts are spread over by author, of which each takes 1,000 units a second: 2,000
/// uses in all, and the 20 messages that `index` works on at once seldom meet at one tag's count.
pub const TREND_SLOTS: u64 = 4;

/// How one queue is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueConcurrency {
    /// Messages an invocation gets at most.
    pub batch: usize,
    /// Invocations at once.
    pub concurrency: usize,
}

/// Eight times five messages of 50 rows each: at most 2,000 rows on their way, half of what a new table takes in a
/// second. The other half is the requests', and who is throttled waits longer each time. Raise it with the table.
pub const FANOUT: QueueConcurrency = QueueConcurrency { batch: 5, concurrency: 8 };
/// One message may tell of 48 acts, and all of one owner's take turns, so few at once; a mail takes some 100 ms, and SES
/// takes 14 a second of a new account.
pub const NOTIFY: QueueConcurrency = QueueConcurrency { batch: 5, concurrency: 4 };
/// One message is one post's postings, some ten of them, some hundreds at most; a word that is in every post takes those of
/// all posts into one partition, which takes 1,000 a second.
pub const INDEX: QueueConcurrency = QueueConcurrency { batch: 5, concurrency: 4 };
/// One message is one upload or removal; three pictures of 50 megapixels at once are what the function's memory holds.
pub const FILES: QueueConcurrency = QueueConcurrency { batch: 3, concurrency: 4 };
/// The more views of a post come together, the less each costs: one write of a post's audience is up to 13 units,
/// whether it adds one viewer or thousands. Lambda takes no fewer than two invocations for a bound, and no larger batch;
/// an event of 6 MB is full at about 6,000 of them.
pub const VIEWS: QueueConcurrency = QueueConcurrency { batch: 10_000, concurrency: 2 };
/// How long a batch of views is gathered. At 200 views a second it holds some thousands then, and still 800 while five
/// pollers share them.
pub const VIEWS_WINDOW: Duration = Duration::from_secs(20);
/// Posts of one batch of views that are written to at once: by two workers, at 5 ms a write, 3,200 writes a second, which a
/// new table takes.
pub const VIEWS_AT_ONCE: usize = 8;
const _: () = assert!(VIEWS.concurrency * VIEWS_AT_ONCE * 200 < NEW_TABLE_WRITES, "5 ms each");
/// One message is a bounded part of one account's removal: some hundreds of writes, ten at once. Nobody waits for it.
pub const REAP: QueueConcurrency = QueueConcurrency { batch: 1, concurrency: 2 };
/// Pages of one message: each a read and what follows from it, within a second or two.
pub const PURGE_PAGES: usize = 20;
/// Items of a page, each of which takes a transaction or two.
pub const PURGE_PAGE: usize = 50;
/// Items of a page that are worked on at once.
pub const PURGED_AT_ONCE: usize = 8;
/// One message is somebody's whole archive, and takes a part of 8 MiB of memory, some megabytes for what it is made from, and
/// minutes at most. Nobody waits for it at a page, and two at once are Lambda's fewest.
pub const EXPORT: QueueConcurrency = QueueConcurrency { batch: 1, concurrency: 2 };
/// The `export` function's timeout, Lambda's longest: an archive is one file from its first byte to its last, so its making
/// is not cut into messages. 2 GiB of media at 20 MB/s are 110 s, 100,000 likes in pages of 30 ms another 30.
pub const EXPORT_TIMEOUT: Duration = Duration::from_secs(900);
/// An archive's making, within that, as [`MESSAGE_TIMEOUT`] is within [`WORKER_TIMEOUT`].
pub const ARCHIVE_TIMEOUT: Duration = Duration::from_secs(870);
/// As [`VISIBILITY`], of a longer timeout.
pub const EXPORT_VISIBILITY: Duration = Duration::from_secs(6 * 900);
/// Items of an archive that are read together: as many as a batch reads.
pub const ARCHIVE_PAGE: usize = 100;
/// Bytes of an archive that are sent together. S3 takes no less than 5 MiB but as the last part, and 10,000 parts: 80 GB.
pub const ARCHIVE_PART: usize = 8 * 1024 * 1024;
/// What the stream has set aside; each is a transaction of eight operations, and few at once, for many may be one hot
/// item's.
pub const SET_ASIDE: QueueConcurrency = QueueConcurrency { batch: 10, concurrency: 2 };

/// Records of one batch of the stream: one invocation settles them within a second.
pub const STREAM_BATCH: usize = 100;
/// Batches of one shard at once. A shard takes 1,000 writes a second; this and the number of shards bound the function:
/// what it writes, at most twice of what requests wrote, grows with the table.
pub const STREAM_BATCHES_PER_SHARD: usize = 2;
/// Retries of a batch that could be neither settled nor set aside, halved each time: then it is named in the
/// dead-letter queue.
pub const STREAM_RETRIES: u32 = 10;

/// A wait of up to `longest`, doubled for each attempt from `first` on: all of it by chance.
pub fn full_jitter(first: Duration, longest: Duration, attempt: u32) -> Duration {
    doubled(first, longest, attempt).mul_f64(chance())
}

/// The wait after a message was received so often: of a time that doubles, one half and as much of the other as chance
/// has it. That spreads what failed together, and yet an outage of known length is outlived for certain. Whole seconds,
/// as SQS counts.
pub fn back_off(receives: u32) -> Duration {
    let longest = doubled(FIRST_BACK_OFF, VISIBILITY, receives.saturating_sub(1)).as_secs();
    let spread = (longest / 2 + 1) as f64 * chance();
    Duration::from_secs(longest - spread as u64)
}

fn doubled(first: Duration, longest: Duration, times: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times)).min(longest)
}

/// At least 0, less than 1.
fn chance() -> f64 {
    f64::from(u32::from_be_bytes(crate::secrets::random_bytes())) / 2_f64.powi(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_outlives_an_outage_of_ten_minutes() {
        for _ in 0..200 {
            let waits: Vec<u64> = (1..RECEIVES).map(|receives| back_off(receives).as_secs()).collect();
            assert!((616..=1_231).contains(&waits.iter().sum::<u64>()), "{waits:?}");
            assert_eq!(waits[0], 1);
            assert!(waits.iter().all(|wait| *wait <= VISIBILITY.as_secs()), "{waits:?}");
        }
        assert_eq!(doubled(FIRST_BACK_OFF, VISIBILITY, u32::MAX), VISIBILITY);
    }

    #[test]
    fn each_limit_ends_before_the_one_around_it() {
        assert!(CONNECT_TIMEOUT < TRY_TIMEOUT && TRY_TIMEOUT * 2 < CALL_TIMEOUT);
        assert!(CALL_TIMEOUT < REQUEST_TIMEOUT && REQUEST_TIMEOUT < API_FUNCTION_TIMEOUT);
        assert!(API_FUNCTION_TIMEOUT < Duration::from_secs(30), "API Gateway waits no longer");
        // To retry later and to dead-letter, or to requeue: two calls at most.
        assert!(MESSAGE_TIMEOUT + CALL_TIMEOUT * 2 < WORKER_TIMEOUT);
        assert!(SETTLE_TIMEOUT + CALL_TIMEOUT * 2 < WORKER_TIMEOUT);
        assert!(CALL_TIMEOUT * 2 < MAIL_LEASE);
        assert!(ARCHIVE_TIMEOUT + CALL_TIMEOUT * 2 < EXPORT_TIMEOUT && EXPORT_TIMEOUT * 6 <= EXPORT_VISIBILITY);
        assert!(WORKER_TIMEOUT * 6 <= VISIBILITY && RECEIVES < REDRIVE_RECEIVES);
        let waits: Duration = (0..TABLE_TRIES - 1).map(|n| doubled(TABLE_FIRST_WAIT, TABLE_LONGEST_WAIT, n)).sum();
        assert!(waits < Duration::from_secs(2) && waits < CALL_TIMEOUT);
        assert!(VIEW_TIMEOUT < CONNECT_TIMEOUT, "nobody who reads waits for a dead queue");
    }

    #[test]
    fn workers_leave_the_table_to_requests() {
        for of_one in [BATCHES_AT_ONCE * 25, FOLLOWERS_AT_ONCE * 2] {
            let rows = FANOUT.concurrency * FANOUT.batch * of_one;
            assert!(rows * 2 <= NEW_TABLE_WRITES, "{rows}");
        }
        for reading in [EXPORT, FANOUT, NOTIFY, REAP, SET_ASIDE] {
            assert!(reading.batch <= MESSAGES_AT_ONCE, "{reading:?}");
            assert!((2..=1_000).contains(&reading.concurrency), "Lambda takes no other: {reading:?}");
        }
    }
}
