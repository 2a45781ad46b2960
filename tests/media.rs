//! Pictures and videos: uploaded, attached, described, deleted and swept.

use crate::support::files::{self, form, upload};
use crate::support::film::media_of;
use crate::support::{Client, TestApp, User, alone, set, set_moderator, until};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use emulators::faults::{Death, Faults, Profile};
use emulators::lambda::InvokeError;
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::future::IntoFuture;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3_600);

fn id(media: &Value) -> &str {
    media["id"].as_str().expect("an id")
}

#[tokio::test]
async fn a_photo_becomes_upright_and_loses_what_it_tells_of_its_maker() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let sent = ann.post("/media", None).body("image/jpeg", files::photo()).await.expect(201);
    let media = sent.json();
    assert_eq!(sent.header("location"), format!("/media/{}", id(&media)));
    assert_eq!((&media["kind"], &media["status"]), (&json!("image"), &json!("ready")));
    let (was_wide, was_high) = files::PHOTO;
    assert_eq!((&media["width"], &media["height"]), (&json!(was_high), &json!(was_wide)), "it is turned");
    assert_eq!(media["size"], files::photo().len());
    let mut urls = vec![media["url"].clone()];
    urls.extend(media["variants"].as_array().unwrap().iter().map(|variant| variant["url"].clone()));
    assert!(urls.len() > 1, "{media}");
    for url in urls {
        let file = files::read(&app, url.as_str().unwrap()).await;
        assert_eq!(file.header("content-type"), "image/jpeg");
        assert!(!files::has_exif(&file.body), "{url}");
    }
    assert_eq!(ann.get(&format!("/media/{}", id(&media))).await.expect(200).json(), media);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn a_form_says_what_a_picture_shows() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let (kind, body) = form(&[("alt_text", "Curlews.")], &[("file", "image/jpeg", files::photo())]);
    let media = ann.post("/media", None).body(&kind, body).await.expect(201).json();
    assert_eq!(media["alt_text"], "Curlews.");
    let path = format!("/media/{}", id(&media));
    let put = ann.post("/posts", json!({"media_ids": [id(&media)]})).await.expect(201).json();
    let changed = ann.patch(&path, json!({"alt_text": "Two curlews."})).await.expect(200).json();
    assert_eq!(changed["alt_text"], "Two curlews.");
    let post = ann.get(&format!("/posts/{}", put["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!(post["media"][0]["alt_text"], "Two curlews.");
    ann.patch(&path, json!({"alt_text": null})).await.expect(200);
    let bob = app.user("bob").await;
    assert_eq!(bob.get(&path).await.expect(200).json()["alt_text"], Value::Null);
    bob.patch(&path, json!({"alt_text": "Mine."})).await.expect(404);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn a_post_takes_its_picture_in_one_call() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let send = |texts: &[(&str, &str)]| {
        let (kind, body) = form(texts, &[("image", "image/jpeg", files::photo())]);
        ann.post("/posts", None).body(&kind, body)
    };
    let post = send(&[("content", "Low tide.")]).await.expect(201).json();
    assert_eq!((&post["content"], post["media"].as_array().unwrap().len()), (&json!("Low tide."), 1));
    assert_eq!(send(&[]).await.expect(201).json()["content"], "");
    let (kind, body) = form(&[], &[("avatar", "image/jpeg", files::photo())]);
    let me = ann.patch("/users", None).body(&kind, body).await.expect(200).json();
    let avatar = me["avatar_url"].as_str().unwrap();
    assert_eq!(files::read(&app, avatar).await.header("content-type"), "image/jpeg");
    let seen = ann.get(&format!("/posts/{}", post["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!(seen["author"]["avatar_url"], avatar);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn a_key_makes_one_upload() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let send = |key: &str| ann.post("/media", None).body("image/jpeg", files::photo()).header("idempotency-key", key);
    let first = send("one").await.expect(201);
    assert_eq!(send("one").await.expect(201).json(), first.json());
    assert_ne!(send("two").await.expect(201).json()["id"], first.json()["id"]);
    let declared = json!({"content_type": "video/mp4", "size": 20_000_000});
    let start = || ann.post("/media/uploads", declared.clone()).header("idempotency-key", "three");
    let first = start().await.expect(201).json();
    assert_eq!(start().await.expect(201).json(), first);
}

/// A PNG of zeros that says to be of a size.
fn bomb() -> Vec<u8> {
    files::bomb(50_000, 50_000)
}

#[tokio::test]
async fn what_is_not_what_it_says_is_refused_and_leaves_nothing() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let used = upload(&ann, "image/jpeg", files::photo()).await;
    let theirs = upload(&bob, "image/jpeg", files::photo()).await;
    ann.post("/posts", json!({"media_ids": [used]})).await.expect(201);
    let free = upload(&ann, "image/jpeg", files::photo()).await;
    let film = upload(&ann, "video/mp4", files::film()).await;
    app.settle().await;
    let before = (app.table().await, app.bucket().await);
    let svg = br#"<svg xmlns="http://www.w3.org/2000/svg"/>"#.to_vec();
    let html = b"<!doctype html><script>alert(1)</script>".to_vec();
    let cut = files::film()[..files::film().len() / 2].to_vec();
    let large = vec![0; 4 * 1024 * 1024 + 200 * 1024];
    for (path, kind, body, status, code) in [
        ("/media", "video/mp4", files::png(), 422, "wrong_type"),
        ("/media", "image/png", bomb(), 422, "too_many_pixels"),
        ("/media", "image/svg+xml", svg.clone(), 415, ""),
        ("/media", "image/png", svg, 422, "unsupported_type"),
        ("/media", "text/html", html.clone(), 415, ""),
        ("/media", "image/png", html, 422, "unsupported_type"),
        ("/posts/videos", "video/mp4", cut.clone(), 422, "truncated"),
        ("/media", "video/mp4", files::hevc(), 422, "unsupported_codec"),
        ("/media", "image/png", large, 413, ""),
    ] {
        let refused = ann.post(path, None).body(kind, body).await.expect(status);
        let detail = refused.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(!detail.is_empty(), "{kind}: {}", refused.text());
        if status == 422 {
            assert_eq!(refused.fields(), [("file".to_owned(), code.to_owned())], "{kind}: {}", refused.text());
        }
    }
    // Beyond what the gateway takes it answers by itself.
    let refused = ann.post("/media", None).body("image/png", vec![0; 6 * 1024 * 1024]).await.expect(413);
    assert_eq!(refused.json(), json!({"message": "Request Entity Too Large"}));
    for (ids, code) in [
        (json!([theirs]), "not_found"),
        (json!(["med_1"]), "not_found"),
        (json!([used]), "in_use"),
        (json!([free, free]), "repeated"),
        (json!([free, film]), "too_many"),
        (json!([free, free, free, free, free]), "too_many"),
    ] {
        let refused = ann.post("/posts", json!({"content": "x", "media_ids": ids})).await.expect(422);
        assert_eq!(refused.fields(), [("media_ids".to_owned(), code.to_owned())], "{ids}");
    }
    for (avatar, code) in [(&theirs, "not_found"), (&used, "in_use"), (&film, "not_a_picture")] {
        let refused = ann.patch("/users", json!({"avatar_media_id": avatar})).await.expect(422);
        assert_eq!(refused.fields(), [("avatar_media_id".to_owned(), code.to_owned())]);
    }
    ann.delete(&format!("/media/{used}")).await.expect(409).problem("in-use");
    ann.delete(&format!("/media/{theirs}")).await.expect(404);
    bob.get(&format!("/media/{free}")).await.expect(404);
    app.settle().await;
    assert!(before == (app.table().await, app.bucket().await), "a refusal changed something");
    app.audit().await;
}

/// Starts an upload straight to storage, and sends these bytes there.
async fn send(app: &TestApp, user: &Client, kind: &str, size: usize, bytes: Vec<u8>) -> (String, u16) {
    let started = user.post("/media/uploads", json!({"content_type": kind, "size": size})).await.expect(201).json();
    assert_eq!((&started["status"], &started["url"]), (&json!("pending"), &Value::Null));
    let sent = files::send(app, &started["upload"], bytes).await;
    (id(&started).to_owned(), sent)
}

#[tokio::test]
async fn a_video_goes_straight_to_storage() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let film = files::film();
    let (media, sent) = send(&app, &ann, "video/mp4", film.len(), film.clone()).await;
    assert_eq!(sent, 200);
    bob.post(&format!("/media/{media}/complete"), None).await.expect(404);
    let ready = ann.post(&format!("/posts/videos/{media}/complete"), None).await.expect(200).json();
    assert_eq!((&ready["status"], &ready["kind"], &ready["width"]), (&json!("ready"), &json!("video"), &json!(320)));
    assert!(ready["duration"].as_f64().is_some_and(|seconds| seconds > 1.0), "{ready}");
    assert_eq!(ann.post(&format!("/media/{media}/complete"), None).await.expect(200).json(), ready);
    let served = files::read(&app, ready["url"].as_str().unwrap()).await.body;
    assert_eq!((served.len(), media_of(&served)), (film.len(), media_of(&film)));
    assert_eq!(app.bucket().await.len(), 1, "what was sent is gone");
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn what_was_sent_must_be_what_was_declared() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let film = files::film();
    let (_, sent) = send(&app, &ann, "video/mp4", film.len() - 1, film.clone()).await;
    assert_eq!(sent, 403, "more than declared");
    let (nothing, _) = send(&app, &ann, "video/mp4", film.len() - 1, film.clone()).await;
    let (cut, sent) = send(&app, &ann, "video/mp4", film.len() / 2, film[..film.len() / 2].to_vec()).await;
    assert_eq!(sent, 200);
    let (other, sent) = send(&app, &ann, "video/webm", film.len(), film).await;
    assert_eq!(sent, 200);
    let before = (app.table().await, app.bucket().await);
    for (media, code) in [(nothing, "not_uploaded"), (cut, "truncated"), (other, "wrong_type")] {
        let refused = ann.post(&format!("/media/{media}/complete"), None).await.expect(422);
        assert_eq!(refused.fields(), [("file".to_owned(), code.to_owned())], "{}", refused.text());
        ann.post("/posts", json!({"media_ids": [media]})).await.expect(422);
    }
    assert!(before == (app.table().await, app.bucket().await), "a refusal changed something");
    for (body, field, code) in [
        (json!({"content_type": "video/mp4", "size": 500 * 1024 * 1024 + 1}), "size", "too_large"),
        (json!({"content_type": "image/png", "size": 0}), "size", "empty"),
        (json!({"content_type": "image/tiff", "size": 1}), "content_type", "unsupported_type"),
    ] {
        let refused = ann.post("/media/uploads", body).await.expect(422);
        assert_eq!(refused.fields(), [(field.to_owned(), code.to_owned())]);
    }
}

/// A picture that is too large to be checked while one waits.
async fn large(app: &TestApp, user: &User, bytes: Vec<u8>) -> Value {
    let (media, sent) = send(app, user, "image/png", bytes.len(), bytes).await;
    assert_eq!(sent, 200);
    let taken = user.post(&format!("/media/{media}/complete"), None).await.expect(202).json();
    assert_eq!(taken["status"], "processing");
    let again = user.post(&format!("/media/{media}/complete"), None).await;
    assert!([200, 202, 422].contains(&again.status), "{again:?}");
    let path = format!("/media/{media}");
    until(|| async { Some(user.get(&path).await.expect(200).json()).filter(|media| media["status"] != "processing") })
        .await
}

#[tokio::test]
async fn what_takes_longer_is_done_by_a_worker() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let noise = files::noise(1_300, 1_300);
    assert!(noise.len() > 4 * 1024 * 1024);
    let ready = large(&app, &ann, noise.clone()).await;
    assert_eq!((&ready["status"], &ready["width"]), (&json!("ready"), &json!(1_300)));
    let failed = large(&app, &ann, noise[..noise.len() - 1_000].to_vec()).await;
    assert_eq!((&failed["status"], &failed["reason"]["code"]), (&json!("failed"), &json!("truncated")));
    app.settle().await;
    let kept = app.bucket().await;
    assert!(kept.keys().all(|key| key.starts_with("media/")), "{kept:?}");
    app.audit().await;
}

#[tokio::test]
async fn addresses_are_signed_and_end() {
    let app = TestApp::with(|options| set(options, "PublicReading", "on")).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let media = upload(&ann, "image/jpeg", files::photo()).await;
    let post = ann.post("/posts", json!({"media_ids": [media]})).await.expect(201).json();
    let seen = |user: Client| {
        let path = format!("/posts/{}", post["id"].as_str().unwrap());
        async move { user.get(&path).await.expect(200).json()["media"][0]["url"].as_str().unwrap().to_owned() }
    };
    let url = seen(ann.clone()).await;
    assert_eq!(url, seen(bob.clone()).await, "the same for everybody");
    assert_eq!(url, seen(app.anon()).await);
    let answer = app.anon().get(&url).await.expect(307);
    assert!(answer.header("cache-control").starts_with("public, max-age="), "{answer:?}");
    for wrong in [url.replace("original", "small"), url.replace("expires=", "expires=9"), url[..url.len() - 1].into()] {
        app.anon().get(&wrong).await.expect(404).problem("not-found");
    }
    assert_eq!(bob.get(&format!("/media/{media}")).await.expect(200).json()["url"], url.as_str());
    app.advance(Duration::from_secs(2 * 3_600));
    app.anon().get(&url).await.expect(404);
}

#[tokio::test]
async fn files_go_with_what_needed_them() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let photo = || upload(&ann, "image/jpeg", files::photo());
    let (posted, waiting, face, other, unattached) =
        (photo().await, photo().await, photo().await, photo().await, photo().await);
    let post = ann.post("/posts", json!({"media_ids": [posted]})).await.expect(201).json();
    let later = json!({"media_ids": [waiting], "publish_at": "2027-06-01T00:00:00Z"});
    let later = ann.post("/posts", later).await.expect(201).json();
    assert_eq!(later["media"][0]["id"], waiting);
    ann.patch("/users", json!({"avatar_media_id": face})).await.expect(200);
    app.settle().await;
    app.audit().await;
    ann.patch("/users", json!({"avatar_media_id": other})).await.expect(200);
    ann.delete(&format!("/posts/{}", post["id"].as_str().unwrap())).await.expect(204);
    ann.delete(&format!("/posts/scheduled/{}", later["id"].as_str().unwrap())).await.expect(204);
    ann.delete(&format!("/media/{unattached}")).await.expect(204);
    ann.delete(&format!("/media/{unattached}")).await.expect(404);
    app.settle().await;
    app.audit().await;
    assert_eq!(left(&app).await, std::slice::from_ref(&other));
    ann.patch("/users", json!({"avatar_media_id": null})).await.expect(200);
    app.settle().await;
    assert_eq!(left(&app).await, [""; 0]);
    app.audit().await;
}

/// Ids of what the bucket holds files of.
async fn left(app: &TestApp) -> Vec<String> {
    let keys = app.bucket().await.into_keys();
    let mut ids: Vec<String> = keys
        .map(|key| {
            let parts: Vec<&str> = key.split('/').collect();
            format!("med_{}.{}", parts[2], parts[1])
        })
        .collect();
    ids.dedup();
    ids
}

#[tokio::test]
async fn what_belongs_to_nothing_is_swept_after_a_day() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    // The first run begins with this hour.
    app.invoke("files", &json!({})).await.unwrap();
    let (kept, unattached) =
        (upload(&ann, "image/jpeg", files::photo()).await, upload(&ann, "image/jpeg", files::photo()).await);
    send(&app, &ann, "video/mp4", 10, vec![0; 10]).await;
    ann.post("/posts", json!({"media_ids": [kept]})).await.expect(201);
    app.invoke("files", &json!({})).await.unwrap();
    app.settle().await;
    ann.get(&format!("/media/{unattached}")).await.expect(200);
    app.advance(DAY + Duration::from_secs(2 * 3_600));
    app.invoke("files", &json!({})).await.unwrap();
    app.invoke("files", &json!({})).await.unwrap();
    app.settle().await;
    assert_eq!(left(&app).await, [kept]);
    app.audit().await;
}

#[tokio::test]
async fn an_account_has_a_quota() {
    let app = TestApp::with(|options| set(options, "MediaQuotaMB", "1")).await;
    let ann = app.user("ann").await;
    let declared = |size: usize| ann.post("/media/uploads", json!({"content_type": "video/mp4", "size": size}));
    let first = declared(600_000).await.expect(201).json();
    for size in [600_000, 2_000_000] {
        assert_eq!(declared(size).await.expect(422).fields(), [("size".to_owned(), "quota_exceeded".to_owned())]);
    }
    ann.delete(&format!("/media/{}", id(&first))).await.expect(204);
    app.settle().await;
    declared(600_000).await.expect(201);
    app.audit().await;
}

/// A request as the gateway hands it on.
fn event(user: &User, path: &str, kind: &str, body: &[u8]) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../events/http-media-upload.json")).unwrap();
    event["rawPath"] = path.into();
    event["requestContext"]["http"]["path"] = path.into();
    event["headers"]["authorization"] = format!("Bearer {}", user.token()).into();
    event["headers"]["content-type"] = kind.into();
    event["headers"]["content-length"] = body.len().to_string().into();
    event["body"] = BASE64_STANDARD.encode(body).into();
    event["isBase64Encoded"] = true.into();
    event
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_death_leaves_a_file_that_nothing_tells_of() {
    let _alone = alone().await;
    let app = TestApp::with(|options| options.faults = Some(Faults::new(Profile::Stale))).await;
    let ann = app.user("ann").await;
    app.invoke("files", &json!({})).await.unwrap();
    let (kind, form) = form(&[("content", "Low tide.")], &[("image", "image/png", files::png())]);
    let (mut deaths, mut posted) = (0, 0);
    for (function, path, kind, body) in
        [("media", "/media", "image/png", &files::png()), ("posts", "/posts", kind.as_str(), &form)]
    {
        for after_calls in 0..8 {
            for done in [false, true] {
                let event = event(&ann, path, kind, body);
                let death = app.invoke_killed(function, &event, Death { after_calls, done }).await;
                match death {
                    Err(InvokeError::Killed) => deaths += 1,
                    Ok(()) => posted += u32::from(function == "posts"),
                    Err(other) => panic!("{path} {after_calls} {done}: {other}"),
                }
            }
        }
    }
    assert!(deaths > 8 && posted > 0, "{deaths} deaths");
    app.settle().await;
    app.audit().await;
    // The removals die, too.
    app.advance(DAY + Duration::from_secs(2 * 3_600));
    for after_calls in 0..6 {
        let _ = app.invoke_killed("files", &json!({}), Death { after_calls, done: after_calls % 2 == 0 }).await;
    }
    app.invoke("files", &json!({})).await.unwrap();
    app.settle().await;
    app.audit().await;
    let items = app.table().await;
    let told: BTreeSet<String> = items
        .keys()
        .filter(|(pk, _)| pk.starts_with("M#"))
        .map(|(pk, sk)| format!("med_{}.{}", sk.trim_start_matches("M#"), pk.trim_start_matches("M#")))
        .collect();
    assert_eq!(left(&app).await.into_iter().collect::<BTreeSet<_>>(), told);
    assert_eq!(items.keys().filter(|(pk, _)| pk.starts_with("MX#")).count(), 0);
}

#[tokio::test]
async fn of_posts_at_once_one_takes_a_picture() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let media = upload(&ann, "image/png", files::png()).await;
    let take = |n: usize| ann.post("/posts", json!({"content": format!("Number {n}"), "media_ids": [media]}));
    let answers = join_all((0..6).map(|n| take(n).into_future())).await;
    let mut made = 0;
    for answer in answers {
        match answer.status {
            201 => made += 1,
            _ => assert_eq!(answer.expect(422).fields(), [("media_ids".to_owned(), "in_use".to_owned())]),
        }
    }
    assert_eq!(made, 1);
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn forms_are_taken_as_browsers_and_tools_send_them() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let media = upload(&ann, "image/png", files::png()).await;
    // One of a list, and a field in which no file was chosen.
    let (kind, body) = form(&[("content", "Low tide."), ("media_ids", &media)], &[("image", "image/png", Vec::new())]);
    let body = String::from_utf8(body).unwrap().replace("filename=\"image\"", "filename=\"\"").into_bytes();
    let send = |kind: &str, body: Vec<u8>| ann.post("/posts", None).body(kind, body).header("idempotency-key", "one");
    let post = send(&kind, body.clone()).await.expect(201).json();
    assert_eq!(post["media"][0]["id"], media);
    // Each sending has another boundary.
    let again = String::from_utf8(body).unwrap().replace("xYzZy", "qWeRt").into_bytes();
    assert_eq!(send(&kind.replace("xYzZy", "qWeRt"), again).await.expect(201).json(), post);
    let heic = ann.post("/media", None).body("image/heic", vec![0; 2 * 1024 * 1024]).await.expect(415);
    assert!(heic.text().contains("image/jpeg"), "{}", heic.text());
}

#[tokio::test]
async fn an_address_takes_its_bytes_once() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let film = files::film();
    let started = ann.post("/media/uploads", json!({"content_type": "video/mp4", "size": film.len()})).await;
    let started = started.expect(201).json();
    assert_eq!(files::send(&app, &started["upload"], film.clone()).await, 200);
    assert_eq!(files::send(&app, &started["upload"], vec![0; film.len()]).await, 412);
    let path = format!("/media/{}/complete", id(&started));
    let answers = join_all((0..4).map(|_| ann.post(&path, None).into_future())).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn a_refused_change_keeps_nothing_of_its_picture() {
    let app = TestApp::start().await;
    let (ann, _) = (app.user("ann").await, app.user("bob").await);
    let (kind, body) = form(&[("username", "bob")], &[("avatar", "image/png", files::png())]);
    ann.patch("/users", None).body(&kind, body).await.expect(409);
    app.settle().await;
    assert_eq!(left(&app).await, [""; 0]);
    app.audit().await;
}

#[tokio::test]
async fn of_a_suspended_account_no_picture_is_shown() {
    let app = TestApp::with(|options| set_moderator(options, "mod_one")).await;
    let (ann, bob, moderator) = (app.user("ann").await, app.user("bob").await, app.moderator("mod_one").await);
    let (shown, face) = (upload(&ann, "image/png", files::png()).await, upload(&ann, "image/png", files::png()).await);
    let post = ann.post("/posts", json!({"media_ids": [shown]})).await.expect(201).json();
    ann.patch("/users", json!({"avatar_media_id": face})).await.expect(200);
    let path = format!("/posts/{}/report", post["id"].as_str().unwrap());
    bob.post(&path, json!({"reason": "spam"})).await.expect(202);
    for media in [&shown, &face] {
        bob.get(&format!("/media/{media}")).await.expect(200);
    }
    let reports = moderator.get("/reports").await.expect(200).items();
    let decision = json!({"status": "resolved", "action": "suspend_author"});
    moderator.patch(&format!("/reports/{}", reports[0]["id"].as_str().unwrap()), decision).await.expect(200);
    for media in [&shown, &face] {
        bob.get(&format!("/media/{media}")).await.expect(404);
    }
}
