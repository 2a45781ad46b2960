//! Edits: what changes nothing, what is empty, and pictures that come and go.

use crate::support::files::{form, png, upload};
use crate::support::lists::ids;
use crate::support::{TestApp, User};
use serde_json::{Value, json};
use shared::clock::Clock;
use std::time::Duration;

async fn notifications(user: &User) -> usize {
    user.get("/notifications").await.expect(200).items().len()
}

#[tokio::test]
async fn an_edit_that_changes_nothing_is_none() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let post = format!("/posts/{}", ann.post_text("Hello @bob, #tide").await);
    let waiting =
        json!({"content": "later", "publish_at": (Clock::default().now() + Duration::from_secs(3_600)).rfc3339()});
    let waiting = ann.post("/posts", waiting.clone()).await.expect(201).json();
    let scheduled = format!("/posts/scheduled/{}", waiting["id"].as_str().unwrap());
    let group = ann.post("/groups", json!({"name": "Waders", "description": "At low tide."})).await.expect(201).json();
    let group = format!("/groups/{}", group["id"].as_str().unwrap());
    let media = format!("/media/{}", upload(&ann, "image/png", png()).await);
    ann.patch(&media, json!({"alt_text": "Nothing."})).await.expect(200);
    ann.patch("/users", json!({"bio": "Terns.", "interests": ["wind"]})).await.expect(200);
    app.settle().await;
    let told = notifications(&bob).await;
    for (path, body) in [
        (post.as_str(), json!({"content": "Hello @bob, #tide"})),
        (&post, json!({})),
        (&post, json!({"media_ids": []})),
        (&scheduled, json!({"content": "later", "publish_at": waiting["publish_at"]})),
        (&group, json!({"name": "Waders", "description": "At low tide."})),
        (&media, json!({"alt_text": "Nothing."})),
        ("/users", json!({"bio": "Terns.", "interests": ["wind"], "full_name": ""})),
        ("/users/settings", json!({"notify": {"follow": {"mail": false}}})),
    ] {
        let before = ann.get(path).await.expect(200);
        let after = ann.patch(path, body.clone()).header("if-match", before.header("etag")).await;
        if path == "/users/settings" {
            // Whatever the default was, the second time it is the same.
            let again = ann.patch(path, body).header("if-match", after.header("etag")).await.expect(200);
            assert_eq!(again.header("etag"), after.header("etag"));
            continue;
        }
        after.expect(200);
        let now = ann.get(path).await.expect(200);
        assert_eq!((now.header("etag"), now.json()), (before.header("etag"), before.json()), "{path} {body}");
    }
    app.settle().await;
    assert_eq!(notifications(&bob).await, told);
    app.audit().await;
}

#[tokio::test]
async fn what_is_empty_is_nothing_when_made_and_cleared_when_edited() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let (kind, body) =
        form(&[("content", ""), ("media_ids", ""), ("publish_at", "")], &[("image", "image/png", png())]);
    let post = ann.post("/posts", None).body(&kind, body).await.expect(201).json();
    assert_eq!((&post["content"], post["media"].as_array().unwrap().len()), (&json!(""), 1));
    let media = upload(&ann, "image/png", png()).await;
    let body = json!({"content": " \n", "media_ids": [media], "group_id": "", "publish_at": null});
    let post = ann.post("/posts", body).await.expect(201).json();
    assert_eq!(post["content"], "");
    let post = format!("/posts/{}", post["id"].as_str().unwrap());
    ann.patch(&post, json!({"content": "words"})).await.expect(200);
    assert_eq!(ann.patch(&post, json!({"content": ""})).await.expect(200).json()["content"], "");
    // Neither text nor pictures is no post.
    let code = |field: &str, code: &str| [(field.to_owned(), code.to_owned())];
    assert_eq!(ann.patch(&post, json!({"media_ids": []})).await.expect(422).fields(), code("content", "required"));
    assert_eq!(ann.post("/posts", json!({"content": " "})).await.expect(422).fields(), code("content", "required"));
    ann.patch("/users", json!({"bio": "Terns.", "website": "https://a.example", "interests": ["wind"]}))
        .await
        .expect(200);
    let (kind, body) = form(&[("bio", ""), ("website", " "), ("interests", "")], &[]);
    let me = ann.patch("/users", None).body(&kind, body).await.expect(200).json();
    assert_eq!((&me["bio"], &me["website"], &me["interests"]), (&Value::Null, &Value::Null, &json!([])));
    assert_eq!(ann.patch("/users", json!({"username": ""})).await.expect(422).fields(), code("username", "required"));
    let sign_up =
        json!({"email": "bob@example.com", "password": "wind over cold water", "username": "", "full_name": ""});
    app.anon().post("/users", sign_up).await.expect(201);
}

#[tokio::test]
async fn a_form_brings_several_pictures_and_an_edit_adds_and_removes_them() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let files = |names: &[&'static str]| names.iter().map(|name| (*name, "image/png", png())).collect::<Vec<_>>();
    for names in [&["image", "image"][..], &["images", "images", "images"], &["image[]", "images[]", "image", "images"]]
    {
        let (kind, body) = form(&[("content", "Low tide.")], &files(names));
        let post = ann.post("/posts", None).body(&kind, body).await.expect(201).json();
        assert_eq!(post["media"].as_array().unwrap().len(), names.len(), "{names:?}");
    }
    let (kind, body) = form(&[], &files(&["image"; 5]));
    assert_eq!(ann.post("/posts", None).body(&kind, body).await.expect(422).fields()[0].1, "too_many");

    let (kind, body) = form(&[("content", "Low tide.")], &files(&["image", "image"]));
    let post = ann.post("/posts", None).body(&kind, body).await.expect(201).json();
    let path = format!("/posts/{}", post["id"].as_str().unwrap());
    let first = ids(post["media"].as_array().unwrap());
    let (kind, body) = form(&[("content", "High tide.")], &files(&["image"]));
    let edited = ann.patch(&path, None).body(&kind, body).await.expect(200).json();
    let now = ids(edited["media"].as_array().unwrap());
    assert_eq!((&now[..2], now.len(), &edited["content"]), (&first[..], 3, &json!("High tide.")));
    assert_ne!(edited["edited_at"], Value::Null);
    // In another order, with one less and one more.
    let unattached = upload(&ann, "image/png", png()).await;
    let wanted = json!([now[2], unattached, now[0]]);
    let edited = ann.patch(&path, json!({ "media_ids": wanted })).await.expect(200).json();
    assert_eq!(json!(ids(edited["media"].as_array().unwrap())), wanted);
    assert_eq!(ann.get(&path).await.expect(200).json()["media"], edited["media"]);
    app.settle().await;
    ann.get(&format!("/media/{}", now[1])).await.expect(404);
    ann.get(&format!("/media/{unattached}")).await.expect(200);
    ann.delete(&format!("/media/{unattached}")).await.expect(409);
    // Another's, and one of another post.
    let bob = app.user("bob").await;
    let foreign = upload(&bob, "image/png", png()).await;
    for (id, code) in [(foreign, "not_found"), (now[1].clone(), "not_found")] {
        assert_eq!(ann.patch(&path, json!({"media_ids": [id]})).await.expect(422).fields()[0].1, code);
    }
    let (kind, body) = form(&[], &files(&["image", "image"]));
    assert_eq!(ann.patch(&path, None).body(&kind, body).await.expect(422).fields()[0].1, "too_many");
    let edited = ann.patch(&path, json!({"media_ids": null})).await.expect(200).json();
    assert_eq!(edited["media"], json!([]));
    app.settle().await;
    app.audit().await;
}
