//! Pictures that other services show: taken by what their bytes are, upright, in their colours, and no larger than before.

use crate::support::files::{self, form};
use crate::support::{Client, TestApp};
use image::{GenericImageView, Rgba};
use serde_json::{Value, json};

async fn served(app: &TestApp, media: &Value) -> (String, Vec<u8>) {
    let answer = files::read(app, media["url"].as_str().expect("an address")).await;
    (answer.header("content-type").to_owned(), answer.body.to_vec())
}

async fn stored(app: &TestApp, user: &Client, kind: &str, bytes: Vec<u8>) -> Value {
    let declared = json!({"content_type": kind, "size": bytes.len()});
    let started = user.post("/media/uploads", declared).await.expect(201).json();
    assert_eq!(files::send(app, &started["upload"], bytes).await, 200);
    let path = format!("/media/{}/complete", started["id"].as_str().expect("an id"));
    user.post(&path, None).await.expect(200).json()
}

#[tokio::test]
async fn the_bytes_decide_whatever_a_picture_is_called() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let (png, jpeg) = (files::fixture("drawing.png"), files::fixture("photo.jpg"));
    for (said, bytes, kind) in [
        ("image/jpeg", &png, "image/png"),
        ("image/jpg", &jpeg, "image/jpeg"),
        ("image/pjpeg", &png, "image/png"),
        ("image/webp", &jpeg, "image/jpeg"),
    ] {
        let direct = ann.post("/media", None).body(said, bytes.clone()).await.expect(201).json();
        let (form, body) = form(&[], &[("photo.jpg", said, bytes.clone())]);
        let body = String::from_utf8_lossy(&body).contains("photo.jpg").then_some(body).expect("a form");
        let body = replaced(&body, b"name=\"photo.jpg\";", b"name=\"file\";");
        let in_form = ann.post("/media", None).body(&form, body).await.expect(201).json();
        let stored = stored(&app, &ann, said, bytes.clone()).await;
        for media in [direct, in_form, stored] {
            assert_eq!(media["content_type"], kind, "{said}");
            assert_eq!(served(&app, &media).await.0, kind, "{said}");
            let post = ann.post("/posts", json!({"media_ids": [media["id"]]})).await.expect(201).json();
            assert_eq!(post["media"][0]["content_type"], kind, "{said}");
        }
    }
    // A picture is no video, nor the other way round.
    for (said, bytes) in [("video/mp4", png), ("image/png", files::film())] {
        let refused = ann.post("/media", None).body(said, bytes).await.expect(422);
        assert_eq!(refused.fields(), [("file".to_owned(), "wrong_type".to_owned())], "{said}");
    }
    app.settle().await;
    app.audit().await;
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).expect("it is there");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[tokio::test]
async fn a_jpeg_that_lacks_its_end_alone_is_taken() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for sent in [files::photo(), files::fixture("photo.jpg")] {
        let whole = ann.post("/media", None).body("image/jpeg", sent.clone()).await.expect(201).json();
        let media = ann.post("/media", None).body("image/jpeg", sent[..sent.len() - 2].to_vec()).await;
        let media = media.expect(201).json();
        assert!(served(&app, &media).await == served(&app, &whole).await);
        for half in [sent.len() / 2, sent.len() * 9 / 10] {
            let refused = ann.post("/media", None).body("image/jpeg", sent[..half].to_vec()).await.expect(422);
            assert_eq!(refused.fields(), [("file".to_owned(), "truncated".to_owned())], "{half} of {}", sent.len());
        }
    }
}

#[track_caller]
fn is_near(name: &str, found: Rgba<u8>, wanted: [u8; 3]) {
    let far = found.0.iter().zip(wanted).any(|(found, wanted)| found.abs_diff(wanted) > 40);
    assert!(!far, "{name}: {found:?} is not {wanted:?}");
}

#[tokio::test]
async fn pictures_are_upright_and_in_their_colours() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    // White above left, red above, blue below.
    for (name, said, kind) in [
        ("photo.jpg", "image/jpeg", "image/jpeg"),
        ("turned.webp", "image/webp", "image/jpeg"),
        ("turned-lossless.webp", "image/webp", "image/webp"),
    ] {
        let media = ann.post("/media", None).body(said, files::fixture(name)).await.expect(201).json();
        assert_eq!((&media["width"], &media["height"]), (&json!(240), &json!(320)), "{name}");
        let (served, bytes) = served(&app, &media).await;
        assert!(served == kind && media["content_type"] == kind, "{name}: {media}");
        let image = image::load_from_memory(&bytes).expect("a picture");
        for (place, colour) in [((35, 35), [255; 3]), ((200, 40), [255, 0, 0]), ((120, 280), [0, 0, 255])] {
            is_near(name, image.get_pixel(place.0, place.1), colour);
        }
    }
    // Cyan and black of dull inks, by their profile: without it the first would be 0, 255, 255.
    let media = ann.post("/media", None).body("image/jpeg", files::fixture("press.jpg")).await.expect(201).json();
    let image = image::load_from_memory(&served(&app, &media).await.1).expect("a picture");
    for (place, colour) in
        [((20, 20), [3, 118, 149]), ((60, 20), [255; 3]), ((20, 60), [30; 3]), ((60, 60), [1, 18, 57])]
    {
        is_near("press.jpg", image.get_pixel(place.0, place.1), colour);
    }
}

#[tokio::test]
async fn no_picture_grows_by_more_than_a_tenth() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let names = [
        "photo.jpg",
        "progressive.jpg",
        "press.jpg",
        "drawing.png",
        "palette.png",
        "grey16.png",
        "moving.gif",
        "moving.webp",
        "still.webp",
        "turned.webp",
    ];
    for name in names {
        let sent = files::fixture(name);
        let kind = match name.rsplit('.').next() {
            Some("jpg") => "image/jpeg",
            Some("png") => "image/png",
            Some("gif") => "image/gif",
            _ => "image/webp",
        };
        let media = ann.post("/media", None).body(kind, sent.clone()).await.expect(201).json();
        let length = served(&app, &media).await.1.len();
        assert!(length * 10 <= sent.len() * 11, "{name}: {length} of {}", sent.len());
    }
    // The one that is large enough to have smaller forms.
    let media = ann.post("/media", None).body("image/jpeg", files::photo()).await.expect(201).json();
    let length = served(&app, &media).await.1.len();
    assert!(length * 10 <= files::photo().len() * 11, "{length} of {}", files::photo().len());
    for variant in media["variants"].as_array().expect("variants") {
        assert!(served(&app, variant).await.1.len() <= length, "{variant}");
    }
}
