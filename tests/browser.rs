//! A page of another origin and the bucket, in a real browser.

use crate::support::TestApp;
use crate::support::browser::Page;
use aws_sdk_s3::presigning::PresigningConfig;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_puts_and_gets_what_it_has_a_url_for() {
    let app = TestApp::with(|options| options.record_wire = true).await;
    let (s3, bucket) = (app.s3(), app.bucket_name());
    let minute = || PresigningConfig::expires_in(Duration::from_secs(60)).unwrap();
    let put = s3.put_object().bucket(&bucket).key("uploads/a").content_type("video/mp4").content_length(10);
    let put = put.presigned(minute()).await.unwrap();
    let get = s3.get_object().bucket(&bucket).key("uploads/a").presigned(minute()).await.unwrap();
    let headers: Value = put.headers().collect::<std::collections::BTreeMap<_, _>>().into_iter().collect();
    let input = json!({"put": {"url": put.uri(), "method": put.method(), "headers": headers}, "get": get.uri()});
    let report = Page::new(include_str!("pages/bucket.js"), &input).open().await;

    let found = |what: &str| report.found[what].clone();
    assert_eq!(found("put")["status"], 200, "{report:?}");
    assert_eq!(found("put")["headers"]["etag"], "\"781e5e245d69b566979b86e28d23f2c7\"", "it may be read");
    assert_eq!((&found("longer")["status"], &found("other")["status"]), (&json!(403), &json!(403)), "{report:?}");
    let part = found("part");
    assert_eq!((&part["status"], &part["body"]), (&json!(206), &json!("456")), "{report:?}");
    assert_eq!(part["headers"]["content-range"], "bytes 4-6/10", "it may be read");
    // Without leave the browser itself refuses.
    assert_eq!(found("unasked"), "TypeError");
    assert!(report.errors.is_empty(), "{report:?}");

    let objects = app.bucket().await;
    assert_eq!(objects.keys().collect::<Vec<_>>(), ["uploads/a"]);
    assert_eq!(objects["uploads/a"].size, 10);
    let asked = app.bucket_requests();
    let asked: Vec<_> = asked.iter().filter(|one| one.origin == report.origin).collect();
    let by = |method: &str| -> Vec<u16> {
        asked.iter().filter(|one| one.method == method).map(|one| one.status.as_u16()).collect()
    };
    assert_eq!(by("OPTIONS").iter().filter(|status| **status == 403).count(), 1, "{asked:?}");
    assert_eq!(by("PUT"), [200, 403, 403]);
    assert_eq!(by("GET"), [206]);
}
