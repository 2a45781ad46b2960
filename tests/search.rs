//! Search: by words, hashtags and authors.

use crate::support::bulk::people;
use crate::support::import::{Import, put};
use crate::support::lists::{ids, walk};
use crate::support::{Client, TestApp, alone};
use emulators::data::Data;
use serde_json::json;
use shared::clock::{Clock, Timestamp};
use shared::ids::{PostId, UserId};
use shared::models::fields::FieldValue;
use shared::models::post::{Content, Draft, Post};
use shared::models::search::{Posting, terms};
use shared::table::design::key;
use std::collections::BTreeSet;
use std::time::Instant;
use ulid::Ulid;

/// The ids of all that is found.
async fn found(user: &Client, query: &str) -> Vec<String> {
    ids(&walk(user, &format!("/posts/search?{query}")).await)
}

#[tokio::test]
async fn posts_are_found_by_words_hashtags_and_author() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let tide = ann.post_text("Low TIDE at the Café. #Mudflats #größe").await;
    let high = bob.post_text("High tide, and no cafe.").await;
    let other = bob.post_text("Ёлка, 漢字 और हिन्दी #größe").await;
    ann.comment(&high, "A tide of comments.").await;
    app.settle().await;
    for (query, expected) in [
        ("q=tide", vec![&high, &tide]),
        ("q=TIDE%20caf%C3%A9", vec![&high, &tide]),
        ("q=tide,%20low!", vec![&tide]),
        ("q=mudflats", vec![&tide]),
        ("q=low%20high", vec![]),
        ("q=tid", vec![]),
        ("q=%D0%B5%D0%BB%D0%BA%D0%B0", vec![&other]),
        ("q=%E5%AD%97%20%E6%BC%A2", vec![&other]),
        ("q=%E0%A4%B9%E0%A4%BF%E0%A4%A8%E0%A5%8D%E0%A4%A6%E0%A5%80", vec![&other]),
        ("hashtag=mudflats", vec![&tide]),
        ("hashtag=%23MUDFLATS", vec![&tide]),
        ("hashtag=gr%C3%B6%C3%9Fe", vec![&other, &tide]),
        ("hashtag=tide", vec![]),
        ("author=bob", vec![&other, &high]),
        ("author=me&q=tide", vec![&tide]),
        (&format!("author={}&q=tide", bob.id), vec![&high]),
        ("author=%40Bob&hashtag=gr%C3%B6%C3%9Fe&q=%E6%BC%A2", vec![&other]),
    ] {
        assert_eq!(found(&ann, query).await.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    let seen = ann.get("/posts/search?q=low").await.expect(200).items();
    assert_eq!(seen[0], ann.get(&format!("/posts/{tide}")).await.expect(200).json());
    assert_eq!(ids(&walk(&ann, "/posts/search?q=tide&limit=1").await), [high, tide]);
    app.audit().await;
}

#[tokio::test]
async fn what_a_post_says_now_decides() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let (edited, deleted) = (ann.post_text("Low tide.").await, ann.post_text("Spring tide.").await);
    app.settle().await;
    app.pause_workers().await;
    ann.patch(&format!("/posts/{edited}"), json!({"content": "High water."})).await.expect(200);
    ann.delete(&format!("/posts/{deleted}")).await.expect(204);
    assert_eq!(found(&ann, "q=tide").await, [""; 0]);
    app.resume_workers().await;
    app.settle().await;
    assert_eq!((found(&ann, "q=tide").await, found(&ann, "q=water").await), (vec![], vec![edited.clone()]));
    let postings = app.table().await.into_keys().filter(|(pk, _)| pk.starts_with("W#"));
    let left: BTreeSet<String> = postings.map(|(pk, _)| pk).collect();
    let author = format!("W#@{}", ann.id.trim_start_matches("usr_"));
    assert_eq!(left, ["W#high".to_owned(), "W#water".to_owned(), author].into());
    ann.delete(&format!("/posts/{edited}")).await.expect(204);
    app.settle().await;
    let left = app.table().await.into_keys().filter(|(pk, _)| pk.starts_with("W#") || pk.starts_with("IX#")).count();
    assert_eq!(left, 0);
    app.audit().await;
}

#[tokio::test]
async fn a_search_must_be_for_something() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for (query, field, code) in [
        ("", "q", "required"),
        ("q=", "q", "required"),
        ("q=%20!%20", "q", "no_words"),
        ("q=a%20b%20c%20d%20e%20f%20g%20h%20i", "q", "too_many"),
        ("q=a%20b%20c%20d%20e%20f%20g&hashtag=h&author=ann", "q", "too_many"),
        ("author=a", "author", "invalid"),
    ] {
        let refused = ann.get(&format!("/posts/search?{query}")).await.expect(422);
        assert_eq!(refused.fields(), [(field.into(), code.into())], "{query}");
    }
    ann.get("/posts/search?author=nobody").await.expect(404);
    let tide = ann.get("/posts/search?q=tide").await.expect(200);
    assert_eq!((tide.items().len(), tide.next()), (0, None));
}

#[tokio::test]
async fn pages_neither_repeat_nor_skip_while_posts_come_and_go() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut posts = Vec::new();
    for n in 0..12 {
        posts.push(ann.post_text(&format!("Tide number {n}")).await);
    }
    app.settle().await;
    posts.reverse();
    let (mut seen, mut next) = (Vec::new(), Some("/posts/search?q=tide&limit=3".to_owned()));
    while let Some(path) = next {
        let page = ann.get(&path).await.expect(200);
        seen.extend(ids(&page.items()));
        next = page.next();
        // One that was seen, and one that was not.
        if seen.len() == 3 {
            ann.delete(&format!("/posts/{}", posts[1])).await.expect(204);
            ann.delete(&format!("/posts/{}", posts[7])).await.expect(204);
        }
        ann.post_text("A new tide").await;
        app.settle().await;
    }
    posts.remove(7);
    assert_eq!(seen, posts);
}

const WORDS: usize = 3_000;
const AUTHORS: usize = 20;
const TAGS: [&str; 6] = ["größe", "干潮", "прилив", "mudflats", "हिन्दी", "λίμνη"];

/// Numbers that look like chance, the same ones each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }

    /// The first number half as often again as the second, and so on (Zipf's law, near enough).
    fn zipf(&mut self, n: usize) -> usize {
        let spread = self.below(1_000_000) as f64 / 1_000_000.0;
        ((n as f64).powf(spread) - 1.0) as usize
    }
}

/// A word in one of its forms: case and accents differ, and it is the same.
fn form(word: usize, dice: &mut Dice) -> String {
    let forms = match word % 6 {
        0 => [format!("cafe{word}"), format!("Café{word}"), format!("CAFE\u{301}{word}")],
        1 => [format!("елка{word}"), format!("Ёлка{word}"), format!("ЁЛКА{word}")],
        2 => [format!("θαλασσα{word}"), format!("Θάλασσα{word}"), format!("ΘΑΛΑΣΣΑ{word}")],
        3 => [format!("ים{word}"), format!("יָם{word}"), format!("יָ֖ם{word}")],
        4 => [format!("바다{word}"), format!("바다{word}"), format!("바다{word}")],
        _ => [format!("समुद्र{word}"), format!("समुद्र{word}"), format!("समुद्र{word}")],
    };
    forms[dice.below(3)].clone()
}

/// A post as the test knows it.
struct Made {
    id: PostId,
    words: BTreeSet<usize>,
    tag: usize,
}

/// Of these two words each post has one, so they never meet.
const EBB: [&str; 2] = ["ebb", "flow"];

fn make(count: usize, authors: &[UserId], start: Timestamp) -> (Vec<Made>, Vec<Post>) {
    let mut dice = Dice(7);
    let one = |n: usize| {
        let author = authors[dice.below(AUTHORS)];
        let words: BTreeSet<usize> = (0..3 + dice.below(8)).map(|_| dice.zipf(WORDS)).collect();
        let tag = dice.zipf(TAGS.len());
        let mut text: Vec<String> = words.iter().map(|word| form(*word, &mut dice)).collect();
        text.extend([EBB[n % 2].to_owned(), format!("#{}", TAGS[tag])]);
        let id = PostId::of(Ulid::from_parts(start.millis() + n as u64, n as u128), author);
        let content = Content::parse(&json!(text.join(" "))).unwrap();
        (Made { id, words, tag }, Post::new(id, Draft::text(&content, Vec::new())))
    };
    (0..count).map(one).unzip()
}

/// What is asked for, and which posts that is.
fn question(made: &[Made], dice: &mut Dice) -> (String, Vec<String>) {
    let sample = &made[dice.below(made.len())];
    let (words, tag, author) = match dice.below(8) {
        0 => (0, true, false),
        1 => (0, false, true),
        2 => (1, true, true),
        n => (n - 2, n % 4 == 3, n % 3 == 0),
    };
    let wanted: BTreeSet<usize> = sample.words.iter().copied().rev().take(words).collect();
    let words: Vec<String> = wanted.iter().map(|word| form(*word, dice)).collect();
    let mut query = if words.is_empty() { String::new() } else { format!("q={}", percent(&words.join(" "))) };
    if tag {
        query += &format!("&hashtag={}", percent(TAGS[sample.tag]));
    }
    if author {
        query += &format!("&author={}", sample.id.author);
    }
    let is_it = |post: &&Made| {
        wanted.is_subset(&post.words)
            && (!tag || post.tag == sample.tag)
            && (!author || post.id.author == sample.id.author)
    };
    (query, made.iter().rev().filter(is_it).map(|post| post.id.to_string()).collect())
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// An hour ago.
fn earlier() -> Timestamp {
    Timestamp::from_millis(Clock::default().now().millis() - 3_600_000)
}

/// Reads all pages, and answers the ids and the most that a page cost before the posts themselves.
async fn pages(app: &TestApp, user: &Client, query: &str) -> (Vec<String>, f64, usize) {
    let wire = app.wire().expect("the wire is recorded");
    let (mut seen, mut worst, mut count) = (Vec::new(), 0.0_f64, 0);
    let mut next = Some(format!("/posts/search?limit=100&{query}"));
    while let Some(path) = next {
        wire.take();
        let page = user.get(&path).await.expect(200);
        let is_before = |pk: &str, sk: &str| pk.starts_with("W#") || sk.starts_with("H#");
        let calls = wire.take();
        let before = calls.iter().filter(|call| {
            let value = |name: &str| call.request["ExpressionAttributeValues"][name]["S"].as_str().unwrap_or_default();
            call.operation == "Query" && is_before(value(":pk"), value(":from"))
        });
        worst = worst.max(before.map(|call| call.read_units).sum());
        seen.extend(ids(&page.items()));
        next = page.next();
        count += 1;
    }
    (seen, worst, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_posts_every_answer_is_that_of_a_linear_scan() {
    answers_are_those_of_a_linear_scan(1_000).await;
}

#[ignore = "campaign: 20,000 posts"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_thousand_posts_every_answer_is_that_of_a_linear_scan() {
    answers_are_those_of_a_linear_scan(20_000).await;
}

async fn answers_are_those_of_a_linear_scan(count: usize) {
    let _alone = alone().await;
    let folder = tempfile::tempdir().unwrap();
    let start = |record: bool| {
        let data = Data::Dir(folder.path().to_owned());
        TestApp::with(move |options| (options.data, options.record_wire) = (data, record))
    };
    let app = start(false).await;
    let authors = people(&app, "author", AUTHORS).await;
    let token = crate::support::bulk::session(&app, authors[0].id).await;
    app.settle().await;
    let table = app.table_name().to_owned();
    app.stop().await;
    let ids_of: Vec<UserId> = authors.iter().map(|author| author.id).collect();
    let (made, posts) = make(count, &ids_of, earlier());
    let import = Import::into(folder.path(), &table);
    for chunk in posts.chunks(1_000) {
        let mut items = Vec::new();
        for post in chunk {
            let terms = terms(post);
            let posting = Posting::new(&terms);
            put(&mut items, key::post(post.id), post);
            terms.iter().for_each(|term| put(&mut items, key::posting(term, post.id), &posting));
        }
        import.write(items);
    }
    drop(import);
    let app = start(true).await;
    let user = app.anon().with_token(&token);
    let (mut dice, mut worst, started) = (Dice(11), (0.0_f64, String::new()), Instant::now());
    let mut questions: Vec<_> = (0..60).map(|_| question(&made, &mut dice)).collect();
    questions.push(("q=ebb%20flow".into(), Vec::new()));
    let mut answers = 0;
    for (query, expected) in questions {
        let (seen, cost, pages) = pages(&app, &user, &query).await;
        assert!(seen == expected, "{query}: {} found, {} expected", seen.len(), expected.len());
        assert!(cost <= 10.0, "{query}: a page cost {cost} units before the posts");
        if cost > worst.0 {
            worst = (cost, format!("{query}, {} posts on {pages} pages", seen.len()));
        }
        answers += 1;
    }
    println!(
        "{answers} answers in {:?}; the worst page cost {} read units before the posts: {}",
        started.elapsed(),
        worst.0,
        worst.1
    );
    let (seen, cost, pages) = pages(&app, &user, "q=ebb%20flow").await;
    println!("two words that never meet: {} posts, {pages} pages, {cost} read units at most", seen.len());
    app.stop().await;
}
