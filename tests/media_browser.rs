//! A photograph and a film, from an app's page of another origin, in a real browser: sent to storage by a signed URL,
//! posted, shown.

use crate::support::browser::Page;
use crate::support::film::spread;
use crate::support::{TestApp, alone};
use emulators::s3::BucketRequest;
use serde_json::{Value, json};

const PHOTO: &[u8] = include_bytes!("fixtures/photo.jpg");
const FILM: &[u8] = include_bytes!("../formats/fixtures/tide.mp4");
/// Of the film, made large.
const LARGE: usize = 20 * 1024 * 1024;

/// What the photograph says about who took it, and where; and what such words are kept in.
const PRIVATE: [&[u8]; 10] = [
    b"Exif\0\0",
    b"EXIF",
    b"eXIf",
    b"MM\0*",
    b"II*\0",
    b"http://ns.adobe.com/xap/",
    b"Photoshop 3.0",
    b"A private remark",
    b"Plymouth",
    b"Perch",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_uploads_posts_and_shows_a_photo_and_a_film() {
    let _alone = alone().await;
    let app = TestApp::with(|options| options.record_wire = true).await;
    let ann = app.user("ann").await;
    let input = json!({
        "api": app.url(),
        "token": ann.token(),
        // Upright, in parts of width and height: the white square, red above, blue below.
        "photo": {"file": "/photo", "content_type": "image/jpeg", "places": [[0.15, 0.11], [0.8, 0.25], [0.5, 0.75]]},
        "film": {"file": "/film", "content_type": "video/mp4"},
    });
    let page = Page::new(include_str!("pages/media.js"), &input);
    let page = page.file("/photo", "image/jpeg", PHOTO).file("/film", "video/mp4", spread(FILM, LARGE));
    let report = page.open().await;
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    let (photo, film) = (&report.found["photo"], &report.found["film"]);
    for sent in [photo, film] {
        assert_eq!((&sent["begun"]["code"], &sent["begun"]["status"]), (&json!(201), &json!("pending")), "{sent}");
        assert!(sent["begun"]["expires_at"].is_string(), "{sent}");
        assert!(sent["completed"] == 200 || sent["completed"] == 202, "{sent}");
        let (media, posted) = (&sent["media"], &sent["post"]["media"][0]);
        assert_eq!(media["status"], "ready", "{media}");
        assert_eq!(sent["post"]["media"].as_array().map(Vec::len), Some(1));
        for field in ["id", "kind", "content_type", "width", "height"] {
            assert_eq!(media[field], posted[field], "{field}");
        }
    }
    is_upright(photo);
    plays_from_its_middle(film);

    app.settle().await;
    let requests = app.bucket_requests();
    // What a browser was sent on to from the API's origin, it asks for without telling its own.
    let by_page: Vec<_> =
        requests.iter().filter(|one| [report.origin.as_str(), "null"].contains(&&*one.origin)).collect();
    let puts: Vec<_> = by_page.iter().filter(|request| request.method == "PUT").collect();
    assert_eq!(puts.len(), 2, "straight to storage: {by_page:?}");
    let mut sought = by_page.iter().filter_map(|request| start_of_part(request));
    // A player goes back to the last whole picture.
    let middle = LARGE / 4..LARGE * 3 / 4;
    assert!(sought.any(|start| middle.contains(&start)), "{by_page:?}");

    let shown = &photo["post"]["media"][0];
    let mut urls = urls(&shown["variants"]);
    urls.push(shown["url"].as_str().expect("a URL").to_owned());
    assert!(urls.len() > 1, "it has variants: {shown}");
    assert!(PRIVATE.iter().filter(|words| holds(PHOTO, words)).count() > 5, "the fixture does hold them");
    for url in urls {
        let mut served = app.anon().get(&url).await;
        if (300..400).contains(&served.status) {
            served = app.anon().get(served.header("location")).await;
        }
        let served = served.expect(200);
        assert!(served.header("content-type").starts_with("image/"), "{url}");
        for words in PRIVATE {
            assert!(!holds(&served.body, words), "{url} holds {}", words.escape_ascii());
        }
    }
    app.audit().await;
}

/// A telephone stored it on its side.
#[track_caller]
fn is_upright(photo: &Value) {
    let (shown, posted) = (&photo["shown"], &photo["post"]["media"][0]);
    assert_eq!(posted["kind"], "image");
    assert_eq!((&shown["width"], &shown["height"]), (&json!(1440), &json!(1920)));
    assert_eq!((&posted["width"], &posted["height"]), (&json!(1440), &json!(1920)));
    let expected = [[255, 255, 255], [255, 0, 0], [0, 0, 255]];
    for (colour, expected) in colours(&shown["colours"]).iter().zip(expected) {
        assert!(distance(*colour, expected) < 60, "{}", shown["colours"]);
    }
}

#[track_caller]
fn plays_from_its_middle(film: &Value) {
    let (played, posted) = (&film["played"], &film["post"]["media"][0]);
    assert_eq!(posted["kind"], "video");
    for (field, expected) in [("width", 320), ("height", 240)] {
        assert_eq!((&played[field], &posted[field]), (&json!(expected), &json!(expected)));
    }
    let seconds = |value: &Value| value.as_f64().expect("seconds");
    for duration in [&played["duration"], &posted["duration"]] {
        assert!((5.9..6.2).contains(&seconds(duration)), "{film}");
    }
    assert!((2.9..3.2).contains(&seconds(&played["at"])), "{played}");
    assert!(seconds(&played["played_to"]) > seconds(&played["at"]) + 0.4, "{played}");
    let (first, middle) = (colours(&played["first"]), colours(&played["middle"]));
    let changed = first.iter().zip(&middle).filter(|(first, middle)| distance(**first, **middle) > 60).count();
    assert!(changed > first.len() / 4, "another picture: {changed} of {} places", first.len());
}

/// Where the part begins that was served, if it was one.
fn start_of_part(request: &BucketRequest) -> Option<usize> {
    let range = request.content_range.strip_prefix("bytes ").filter(|_| request.status == 206)?;
    range.split('-').next()?.parse().ok()
}

/// Every `url` in a value.
fn urls(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(urls).collect(),
        Value::Object(fields) => {
            let own = fields.get("url").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(fields.values().flat_map(urls)).collect()
        }
        _ => Vec::new(),
    }
}

fn colours(value: &Value) -> Vec<[i64; 3]> {
    serde_json::from_value(value.clone()).expect("colours")
}

fn distance(one: [i64; 3], other: [i64; 3]) -> i64 {
    one.iter().zip(other).map(|(one, other)| (one - other).abs()).sum()
}

fn holds(bytes: &[u8], words: &[u8]) -> bool {
    bytes.windows(words.len()).any(|window| window == words)
}
