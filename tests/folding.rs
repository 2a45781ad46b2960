//! Search folds what people fold, in posts, names and hashtags; what was indexed before is indexed anew by a command.

use crate::support::bulk::app_of;
use crate::support::lists::page_ids;
use crate::support::{Client, TestApp};
use emulators::data::Data;
use serde_json::json;
use shared::ids::{PostId, UserId};
use shared::models::names::NamesIndexed;
use shared::models::search::{Indexed, Term};
use shared::table::design::key;
use shared::table::{Op, Read};
use tools::audit::Target;
use tools::reindex;

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn found(user: &Client, parameter: &str, text: &str) -> usize {
    page_ids(user, &format!("/posts/search?{parameter}={}", encoded(text))).await.len()
}

async fn people(user: &Client, text: &str) -> usize {
    user.get(&format!("/users/search?query={}", encoded(text))).await.expect(200).items().len()
}

#[tokio::test]
async fn posts_people_and_tags_are_found_however_they_are_typed() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let cases = [
        ("I don’t know", &["don't", "dont", "don’t"][..]),
        ("O'Reilly’s book", &["oreilly's", "reilly", "o’reilly"]),
        ("Vive l'équipe de dell’arte", &["équipe", "equipe", "arte", "l’equipe"]),
        ("Søren Łukasz Đặng", &["soren lukasz dang", "SØREN"]),
        ("Æsir œuvre þing", &["aesir", "oeuvre", "thing"]),
        ("한글은 좋다", &["한글", "한글은"]),
        ("東京都の天気", &["東京", "天気"]),
        ("ＷＩＤＥ words", &["wide"]),
    ];
    for (text, _) in cases {
        ann.post_text(text).await;
    }
    for text in ["#İstanbul", "#istanbul", "＃ＦＵＬＬ", "#full"] {
        ann.post_text(text).await;
    }
    app.settle().await;
    for (text, questions) in cases {
        for question in questions {
            assert_eq!(found(&bob, "q", question).await, 1, "{text} by {question}");
        }
    }
    for tag in ["İstanbul", "istanbul", "ISTANBUL", "#full", "＃ＦＵＬＬ"] {
        assert_eq!(found(&bob, "hashtag", tag).await, 2, "{tag}");
    }
    for (name, questions) in [
        ("Søren O’Reilly", &["soren", "oreilly", "reilly", "O'Reilly"][..]),
        ("김민준", &["민준", "김민준", "김"]),
        ("Łucja Þorn", &["lucja thorn"]),
    ] {
        ann.patch("/users", json!({"full_name": name})).await.expect(200);
        app.settle().await;
        for question in questions {
            assert_eq!(people(&bob, question).await, 1, "{name} by {question}");
        }
    }
    app.audit().await;
}

#[tokio::test]
async fn what_an_earlier_version_indexed_is_indexed_anew_by_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::with(|options| options.data = Data::Dir(folder.path().to_owned())).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    ann.patch("/users", json!({"full_name": "Søren"})).await.expect(200);
    let post = ann.post_text("Søren").await;
    app.settle().await;
    let table = app_of(&app, "index").table().clone();
    // As it lay there before: with its stroke, and no word of how it was folded.
    let (id, user): (PostId, UserId) = (post.parse().unwrap(), ann.id.parse().unwrap());
    let indexed: Indexed = table.get(&key::indexed(id), Read::Strong).await.unwrap().unwrap();
    let [plain, stroke] = ["soren", "søren"].map(|word| Term::from_key(word).unwrap());
    let mut terms = indexed.terms.clone();
    assert!(terms.remove(&plain) && terms.insert(stroke.clone()));
    let old = Indexed { terms, folding: 0, ..indexed };
    let names: NamesIndexed = table.get(&key::names_indexed(user), Read::Strong).await.unwrap().unwrap();
    let names = NamesIndexed { folding: 0, rows: Default::default(), ..names };
    let ops = vec![
        Op::put(key::indexed(id), &old).unwrap(),
        Op::put(key::posting(&stroke, id), &json!({})).unwrap(),
        Op::delete(key::posting(&plain, id)),
        Op::put(key::names_indexed(user), &names).unwrap(),
    ];
    table.batch_write(ops).await.unwrap();
    assert_eq!(found(&bob, "q", "soren").await, 0);
    for _ in 0..2 {
        let done = reindex::reindex(&Target::Folder(folder.path().to_owned())).await.unwrap();
        assert_eq!((done.posts, done.people), (1, 2));
        assert_eq!(
            (found(&bob, "q", "soren").await, found(&bob, "q", "Søren").await, people(&bob, "soren").await),
            (1, 1, 1)
        );
    }
    app.settle().await;
    app.audit().await;
}
