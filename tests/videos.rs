//! Videos as they are served: what they tell beside pictures and sound is gone, however they came.

use crate::support::film::media_of;
use crate::support::{Client, TestApp, alone, files, until};
use emulators::faults::{Death, Faults, Profile};
use emulators::lambda::InvokeError;
use serde_json::{Value, json};

/// What the fixtures tell: places, makers, names and times.
const PRIVATE: [&[u8]; 12] = [
    b"50.37",
    b"Perch",
    b"Fixture",
    b"Ana",
    b"GoPro",
    b"DJI",
    b"GPS",
    b"2026",
    b"loci",
    b"\xa9xyz",
    b"LOCATION",
    b"Lavf",
];

const TOLD: [(&str, &str); 6] = [
    ("iphone.mp4", "video/mp4"),
    ("android.mp4", "video/mp4"),
    ("flying.mp4", "video/mp4"),
    ("told.mp4", "video/mp4"),
    ("told.webm", "video/webm"),
    ("told-live.webm", "video/webm"),
];

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[track_caller]
fn is_clean(name: &str, served: &[u8]) {
    for part in PRIVATE {
        assert!(!holds(served, part), "{name} holds {}", part.escape_ascii());
    }
}

/// Sends a film straight to storage, and answers its id.
async fn send(app: &TestApp, user: &Client, kind: &str, film: Vec<u8>) -> (Value, String) {
    let declared = json!({"content_type": kind, "size": film.len()});
    let started = user.post("/media/uploads", declared).await.expect(201).json();
    assert_eq!(files::send(app, &started["upload"], film).await, 200);
    let id = started["id"].as_str().expect("an id").to_owned();
    (started, id)
}

async fn served(app: &TestApp, media: &Value) -> Vec<u8> {
    files::read(app, media["url"].as_str().expect("an address")).await.body.to_vec()
}

#[tokio::test]
async fn a_video_tells_nothing_of_where_and_with_what_it_was_taken() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for (name, kind) in TOLD {
        let film = files::fixture(name);
        assert!(PRIVATE.iter().any(|part| holds(&film, part)), "{name}");
        let direct = ann.post("/media", None).body(kind, film.clone()).await.expect(201).json();
        let (_, id) = send(&app, &ann, kind, film.clone()).await;
        let stored = ann.post(&format!("/media/{id}/complete"), None).await.expect(200).json();
        assert_eq!(direct["duration"], stored["duration"], "{name}");
        assert!(direct["duration"].as_f64().is_some_and(|seconds| (0.9..1.4).contains(&seconds)), "{name}: {direct}");
        let served = [served(&app, &direct).await, served(&app, &stored).await];
        assert!(served[0] == served[1] && served[0].len() == film.len(), "{name}");
        is_clean(name, &served[0]);
        // The one with positions among its pictures loses these, too; `formats` compares the rest.
        if kind == "video/mp4" && name != "flying.mp4" {
            assert!(media_of(&served[0]) == media_of(&film), "{name}");
        }
        // What was served can be sent again, and stays as it is.
        let again = ann.post("/media", None).body(kind, served[0].clone()).await.expect(201).json();
        assert_eq!((&again["width"], &again["duration"]), (&direct["width"], &direct["duration"]), "{name}");
        assert!(self::served(&app, &again).await == served[0], "{name}");
    }
    app.settle().await;
    app.audit().await;
}

/// A film in fragments of a size, whose beginning and end tell where it was taken.
fn large(size: usize) -> Vec<u8> {
    let mut film = files::fixture("told.mp4");
    let behind = b"\0\0\0\x2eudta\0\0\0\x26\xa9xyz\0\x1a\x15\xc7+50.3755-004.1427+010.000/";
    assert_eq!(behind.len(), 0x2e);
    let length = size - film.len() - behind.len();
    film.extend(u32::try_from(length).unwrap().to_be_bytes());
    film.extend(b"mdat");
    film.extend((0..length - 8).map(|n| (n / 4099).to_le_bytes()[0]));
    film.extend(behind);
    film
}

#[tokio::test]
async fn a_large_video_is_written_in_parts() {
    const SIZE: usize = 30_000_000;
    let app = TestApp::with(|options| options.record_wire = true).await;
    let ann = app.user("ann").await;
    let film = large(SIZE);
    let (_, id) = send(&app, &ann, "video/mp4", film.clone()).await;
    let ready = ann.post(&format!("/media/{id}/complete"), None).await.expect(200).json();
    let served = served(&app, &ready).await;
    assert_eq!(served.len(), SIZE);
    is_clean("large", &served);
    assert!(media_of(&served) == media_of(&film), "pictures and sound stay as they are");
    let requests = app.bucket_requests();
    let parts: Vec<_> = requests.iter().filter(|one| one.method == "PUT" && one.path.contains("/media/")).collect();
    assert_eq!(parts.len(), 3, "the middle is one part, copied: {parts:?}");
    assert_eq!(app.bucket().await.len(), 1, "nothing else is left");
    app.settle().await;
    app.audit().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_death_serves_a_video_that_tells_more() {
    let _alone = alone().await;
    let app = TestApp::with(|options| options.faults = Some(Faults::new(Profile::Stale))).await;
    let ann = app.user("ann").await;
    let (small, large) = (files::fixture("iphone.mp4"), large(20_000_000));
    let mut deaths = 0;
    let each = (0..6).map(|after_calls| (&small, after_calls)).chain([(&large, 2), (&large, 3)]);
    for (film, after_calls, done) in
        each.flat_map(|(film, after_calls)| [(film, after_calls, false), (film, after_calls, true)])
    {
        let (started, id) = send(&app, &ann, "video/mp4", film.clone()).await;
        let path = format!("/media/{id}/complete");
        let mut event: Value = serde_json::from_str(include_str!("../events/http-media-upload.json")).unwrap();
        event["rawPath"] = path.as_str().into();
        event["requestContext"]["http"]["path"] = path.as_str().into();
        event["headers"] = json!({"authorization": format!("Bearer {}", ann.token()), "host": "localhost"});
        event["body"] = Value::Null;
        event["isBase64Encoded"] = false.into();
        let death = app.invoke_killed("media", &event, Death { after_calls, done }).await;
        match death {
            Err(InvokeError::Killed) => deaths += 1,
            Ok(()) => {}
            Err(other) => panic!("{after_calls}: {other}"),
        }
        let replay = || files::send(&app, &started["upload"], vec![0; film.len()]);
        if film.len() == small.len() {
            // What comes in its place meanwhile is none of it.
            let (replayed, seen) = (replay().await, ann.get(&format!("/media/{id}")).await.expect(200).json());
            assert!(replayed == 412 || seen["status"] == "ready", "{replayed}, {seen}");
        }
        let ready = ann.post(&path, None).await.expect(200).json();
        if film.len() == small.len() {
            // Nor what comes afterwards; a death may have left what was sent.
            assert!([200, 412].contains(&replay().await));
        }
        let again = ann.post(&path, None).await.expect(200).json();
        let served = [served(&app, &ready).await, served(&app, &again).await];
        assert!(served[0] == served[1] && media_of(&served[0]) == media_of(film), "{after_calls}");
        is_clean("a film", &served[0]);
    }
    assert!(deaths > 6, "{deaths}");
}

#[tokio::test]
async fn a_worker_cleans_what_takes_longer() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let film = large(70_000_000);
    let (_, id) = send(&app, &ann, "video/mp4", film.clone()).await;
    let path = format!("/media/{id}");
    let taken = ann.post(&format!("{path}/complete"), None).await.expect(202).json();
    assert_eq!((&taken["status"], &taken["url"]), (&json!("processing"), &Value::Null));
    let ready =
        until(|| async { Some(ann.get(&path).await.expect(200).json()).filter(|one| one["status"] == "ready") });
    let served = served(&app, &ready.await).await;
    is_clean("large", &served);
    assert!(media_of(&served) == media_of(&film));
    app.settle().await;
    app.audit().await;
}

#[tokio::test]
async fn what_browsers_do_not_all_play_is_refused_with_its_reason() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for (name, kind, told) in [
        ("avc-yuv422p.mp4", "video/mp4", "H.264 in 4:2:2 with 8 bits"),
        ("avc-yuv444p.mp4", "video/mp4", "H.264 in 4:4:4 with 8 bits"),
        ("avc-yuv420p10le.mp4", "video/mp4", "H.264 in 4:2:0 with 10 bits"),
        ("vp9-yuv444p.webm", "video/webm", "VP9 of profile 1"),
        ("vp9-yuv420p10le.webm", "video/webm", "VP9 of profile 2"),
        ("av1-yuv444p.webm", "video/webm", "AV1 of profile 1"),
        ("flying-fragments.mp4", "video/mp4", "It has a track of sbtl"),
    ] {
        let refused = ann.post("/media", None).body(kind, files::fixture(name)).await.expect(422);
        assert_eq!(refused.fields(), [("file".to_owned(), "unsupported_codec".to_owned())], "{name}");
        assert!(refused.text().contains(told), "{name}: {}", refused.text());
    }
    ann.post("/media", None).body("video/webm", files::fixture("av1-yuv420p10le.webm")).await.expect(201);
}

#[tokio::test]
async fn videos_are_taken_as_they_come() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    // Recorded piece by piece: no index says how long these last.
    for (name, kind, least, most) in [("fragments.mp4", "video/mp4", 6.0, 6.2), ("live.webm", "video/webm", 1.9, 2.1)] {
        let media = ann.post("/media", None).body(kind, files::fixture(name)).await.expect(201).json();
        assert!(media["duration"].as_f64().is_some_and(|seconds| (least..most).contains(&seconds)), "{name}: {media}");
    }
    // What follows the film is not served.
    let clean = ann.post("/media", None).body("video/mp4", files::film()).await.expect(201).json();
    for behind in [b"x".as_slice(), b"SEFT of a telephone", &[0; 3], &[1; 5_000]] {
        let film = [files::film().as_slice(), behind].concat();
        let media = ann.post("/media", None).body("video/mp4", film.clone()).await.expect(201).json();
        assert!(served(&app, &media).await == served(&app, &clean).await);
        let (_, id) = send(&app, &ann, "video/mp4", film).await;
        let media = ann.post(&format!("/media/{id}/complete"), None).await.expect(200).json();
        assert!(served(&app, &media).await == served(&app, &clean).await);
    }
}
