use super::*;
use crate::{listen, sdk};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::Frame;
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use std::time::{Duration, Instant};
use template::CorsRule;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MEGABYTE: usize = 1024 * 1024;
const PAGE: &str = "http://127.0.0.1:8080";

fn bucket(origins: &[&str]) -> Bucket {
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Bucket::with(
        "media",
        CorsRule {
            allowed_origins: list(origins),
            allowed_methods: list(&["GET", "HEAD", "PUT"]),
            allowed_headers: list(&["content-type", "x-amz-*"]),
            exposed_headers: list(&["ETag", "Content-Range"]),
            max_age: Some(60),
        },
    )
}

async fn start_for(dir: &Path, origins: &[&str]) -> (S3, Client) {
    let s3 = S3::start(listen().unwrap(), dir, Durability::Full, &[bucket(origins)], ("key", "secret")).await.unwrap();
    s3.record_requests();
    let config = sdk!(aws_sdk_s3, s3.endpoint())
        .force_path_style(true)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    (s3, Client::from_conf(config.build()))
}

async fn start(dir: &Path) -> Client {
    start_for(dir, &["*"]).await.1
}

fn for_a_minute() -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_secs(60)).unwrap()
}

async fn presigned_put(client: &Client, key: &str, length: usize) -> PresignedRequest {
    let put = client.put_object().bucket("media").key(key).content_type("video/mp4");
    put.content_length(i64::try_from(length).unwrap()).presigned(for_a_minute()).await.unwrap()
}

/// A request as a browser would send it.
async fn send(method: &str, url: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Bytes> {
    send_body(method, url, headers, Full::new(body.into()).map_err(|never| match never {}).boxed()).await
}

async fn send_body(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: BoxBody<Bytes, io::Error>,
) -> Response<Bytes> {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let http = Http::builder(TokioExecutor::new()).build_http();
    let (parts, body) = http.request(request.body(body).unwrap()).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

fn header<'r>(response: &'r Response<Bytes>, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn status<T, E>(result: Result<T, SdkError<E>>) -> u16 {
    result.err().and_then(|error| error.raw_response().map(|raw| raw.status().as_u16())).unwrap_or(200)
}

async fn keys(client: &Client) -> Vec<String> {
    let listed = client.list_objects_v2().bucket("media").send().await.unwrap();
    listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
}

async fn put(client: &Client, key: &str, bytes: &[u8]) -> String {
    let put = client.put_object().bucket("media").key(key).content_type("image/png");
    put.body(ByteStream::from(bytes.to_vec())).send().await.unwrap().e_tag.unwrap()
}

#[tokio::test]
async fn objects_survive_a_restart_and_come_quickly() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = vec![7; 100 * 1024];
    put(&start(dir.path()).await, "a/b.png", &bytes).await;

    let client = start(dir.path()).await;
    let mut quickest = Duration::MAX;
    for _ in 0..5 {
        let started = Instant::now();
        let got = client.get_object().bucket("media").key("a/b.png").send().await.unwrap();
        assert_eq!(got.content_type(), Some("image/png"));
        assert_eq!(got.body.collect().await.unwrap().to_vec(), bytes);
        quickest = quickest.min(started.elapsed());
    }
    // A delayed acknowledgement takes 40 ms.
    assert!(quickest < Duration::from_millis(25), "{quickest:?}");
}

#[tokio::test]
async fn twenty_megabytes_are_put_by_a_url_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let client = start(dir.path()).await;
    let bytes: Vec<u8> = (0..20 * MEGABYTE).map(|n| (n / 4099) as u8).collect();
    let url = presigned_put(&client, "uploads/film", bytes.len()).await;
    let started = Instant::now();
    let answer = send("PUT", url.uri(), &[("content-type", "video/mp4")], bytes.clone()).await;
    assert_eq!(answer.status(), 200);
    assert!(started.elapsed() < Duration::from_secs(10));

    let client = start(dir.path()).await;
    let head = client.head_object().bucket("media").key("uploads/film").send().await.unwrap();
    assert_eq!((head.content_type(), head.content_length()), (Some("video/mp4"), Some(20 * MEGABYTE as i64)));
    assert_eq!(head.e_tag(), Some(header(&answer, "etag")));
    let url = client.get_object().bucket("media").key("uploads/film").presigned(for_a_minute()).await.unwrap();
    let started = Instant::now();
    let got = send("GET", url.uri(), &[], "").await;
    assert!(*got.body() == bytes);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_put_url_takes_what_it_was_signed_for_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let client = start(dir.path()).await;
    let signed = presigned_put(&client, "uploads/a", 5).await;
    // Nothing that a browser can't send, such as the checksum of what it does not have yet.
    assert!(signed.uri().contains("X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost&"), "{}", signed.uri());
    assert!(!signed.uri().to_lowercase().contains("checksum"), "{}", signed.uri());
    let typed = [("content-type", "video/mp4")];
    for (headers, body) in [
        (&typed, &b"longer"[..]),
        (&typed, b"less"),
        (&[("content-type", "video/webm")], b"right"),
        (&[("x-other", "no type")], b"right"),
    ] {
        let refused = send("PUT", signed.uri(), headers, body).await;
        let said = String::from_utf8_lossy(refused.body());
        assert_eq!(refused.status(), 403, "{headers:?} {said}");
        assert!(said.contains("<Code>SignatureDoesNotMatch</Code>"), "{said}");
    }
    // A length that is not told beforehand, another key, another method.
    let frames = futures::stream::iter([Ok(Frame::data(Bytes::from_static(b"right")))]);
    let refused = send_body("PUT", signed.uri(), &typed, StreamBody::new(frames).boxed()).await;
    assert_eq!(refused.status(), 403);
    let other = signed.uri().replace("/uploads/a", "/uploads/b");
    assert_eq!(send("PUT", &other, &typed, &b"right"[..]).await.status(), 403);
    assert_eq!(send("GET", signed.uri(), &typed, &b""[..]).await.status(), 403);
    assert_eq!(send("DELETE", signed.uri(), &typed, &b""[..]).await.status(), 403);
    assert!(keys(&client).await.is_empty());

    let taken = send("PUT", signed.uri(), &typed, &b"right"[..]).await;
    assert_eq!(taken.status(), 200, "{:?}", taken.body());
    assert_eq!(keys(&client).await, ["uploads/a"]);
    let head = client.head_object().bucket("media").key("uploads/a").send().await.unwrap();
    assert_eq!((head.content_type(), head.content_length()), (Some("video/mp4"), Some(5)));
    // The MD5 of "right", in quotes.
    assert_eq!(head.e_tag(), Some("\"7c4f29407893c334a6cb7a87bf045c0d\""));
    assert!(head.last_modified().is_some());
}

#[tokio::test]
async fn a_put_that_breaks_off_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let client = start(dir.path()).await;
    let signed = presigned_put(&client, "uploads/a", 1000).await;
    let url: http::Uri = signed.uri().parse().unwrap();
    let mut socket = tokio::net::TcpStream::connect(url.authority().unwrap().as_str()).await.unwrap();
    let head = format!(
        "PUT {} HTTP/1.1\r\nhost: {}\r\ncontent-type: video/mp4\r\ncontent-length: 1000\r\n\r\n",
        url.path_and_query().unwrap(),
        url.authority().unwrap()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&[7; 500]).await.unwrap();
    socket.shutdown().await.unwrap();
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest).await;
    assert!(!rest.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&rest));
    assert!(keys(&client).await.is_empty());
}

#[tokio::test]
async fn a_put_url_may_be_for_one_time_only() {
    let dir = tempfile::tempdir().unwrap();
    let client = start(dir.path()).await;
    let put = client.put_object().bucket("media").key("a").content_type("image/png").content_length(1);
    let signed = put.if_none_match("*").presigned(for_a_minute()).await.unwrap();
    let headers = [("content-type", "image/png"), ("if-none-match", "*")];
    assert_eq!(send("PUT", signed.uri(), &headers[..1], &b"1"[..]).await.status(), 403);
    assert_eq!(send("PUT", signed.uri(), &headers, &b"1"[..]).await.status(), 200);
    assert_eq!(send("PUT", signed.uri(), &headers, &b"2"[..]).await.status(), 412);
}

#[tokio::test]
async fn a_get_url_serves_ranges_heads_and_the_headers_it_was_signed_for() {
    let dir = tempfile::tempdir().unwrap();
    let client = start(dir.path()).await;
    put(&client, "a.png", b"0123456789").await;
    let get = client.get_object().bucket("media").key("a.png");
    let signed = get.clone().presigned(for_a_minute()).await.unwrap();
    // An <img> sends no header of ours.
    assert_eq!(signed.headers().count(), 0);

    let whole = send("GET", signed.uri(), &[], "").await;
    assert_eq!((whole.status().as_u16(), &whole.body()[..]), (200, &b"0123456789"[..]));
    assert_eq!((header(&whole, "accept-ranges"), header(&whole, "content-type")), ("bytes", "image/png"));
    for (range, served, body) in [
        ("bytes=0-", "bytes 0-9/10", "0123456789"),
        ("bytes=4-", "bytes 4-9/10", "456789"),
        ("bytes=4-5", "bytes 4-5/10", "45"),
        ("bytes=4-99", "bytes 4-9/10", "456789"),
        ("bytes=-3", "bytes 7-9/10", "789"),
        ("bytes=-99", "bytes 0-9/10", "0123456789"),
    ] {
        let part = send("GET", signed.uri(), &[("range", range)], "").await;
        assert_eq!((part.status().as_u16(), &part.body()[..]), (206, body.as_bytes()), "{range}");
        assert_eq!((header(&part, "content-range"), header(&part, "accept-ranges")), (served, "bytes"));
        assert_eq!(header(&part, "content-length"), body.len().to_string());
    }
    assert_eq!(send("GET", signed.uri(), &[("range", "bytes=10-")], "").await.status(), 416);
    // A method is part of what is signed.
    assert_eq!(send("HEAD", signed.uri(), &[], "").await.status(), 403);
    let head = client.head_object().bucket("media").key("a.png").presigned(for_a_minute()).await.unwrap();
    let head = send("HEAD", head.uri(), &[], "").await;
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "10"));
    assert_eq!((header(&head, "accept-ranges"), header(&head, "content-type")), ("bytes", "image/png"));
    // What a browser has already.
    let known = [("if-none-match", header(&whole, "etag"))];
    assert_eq!(send("GET", signed.uri(), &known, "").await.status(), 304);

    let get = get.response_content_type("image/x-other").response_cache_control("private, max-age=300");
    let signed = get.presigned(for_a_minute()).await.unwrap();
    let named = send("GET", signed.uri(), &[], "").await;
    assert_eq!(
        (header(&named, "content-type"), header(&named, "cache-control")),
        ("image/x-other", "private, max-age=300")
    );
    let forged = signed.uri().replace("x-other", "svg%2Bxml");
    assert_eq!(send("GET", &forged, &[], "").await.status(), 403);
}

#[tokio::test]
async fn a_url_that_expired_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (s3, client) = start_for(dir.path(), &["*"]).await;
    put(&client, "a.png", b"x").await;
    let get = client.get_object().bucket("media").key("a.png");
    let expired = PresigningConfig::expires_in(Duration::from_secs(1)).unwrap();
    let signed = get.presigned(expired).await.unwrap();
    let refused = loop {
        let answer = send("GET", signed.uri(), &[("origin", PAGE)], "").await;
        if answer.status() != 200 {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(refused.status(), 403);
    assert!(String::from_utf8_lossy(refused.body()).contains("Request has expired"));
    // A page may read why.
    assert_eq!(header(&refused, "access-control-allow-origin"), "*");
    let unsigned = format!("{}/media/a.png", s3.endpoint());
    assert_eq!(send("GET", &unsigned, &[], "").await.status(), 403);
}

#[tokio::test]
async fn a_wrong_signature_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let s3 = S3::start(listen().unwrap(), dir.path(), Durability::Fast, &[bucket(&[])], ("key", "another secret"))
        .await
        .unwrap();
    let client = Client::from_conf(sdk!(aws_sdk_s3, s3.endpoint()).force_path_style(true).build());
    let refused = client.head_bucket().bucket("media").send().await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 403);
}

#[tokio::test]
async fn copies_and_reads_are_of_the_version_they_name() {
    let dir = tempfile::tempdir().unwrap();
    let client = start(dir.path()).await;
    let first = put(&client, "uploads/a", b"first").await;
    let copy = |tag: &str| {
        let copy = client.copy_object().bucket("media").key("media/a").copy_source("media/uploads/a");
        copy.copy_source_if_match(tag).send()
    };
    let copied = copy(&first).await.unwrap();
    assert_eq!(copied.copy_object_result().unwrap().e_tag(), Some(first.as_str()));
    let second = put(&client, "uploads/a", b"second").await;
    assert_eq!(status(copy(&first).await), 412);
    let get = |key: &str, tag: &str| client.get_object().bucket("media").key(key).if_match(tag).send();
    let kept = get("media/a", &first).await.unwrap();
    assert_eq!(kept.content_type(), Some("image/png"));
    assert_eq!(kept.body.collect().await.unwrap().to_vec(), b"first");
    assert_eq!(status(get("uploads/a", &first).await), 412);
    assert_eq!(status(get("uploads/a", &second).await), 200);
    let typed = client.copy_object().bucket("media").key("media/b").copy_source("media/uploads/a");
    let replace = aws_sdk_s3::types::MetadataDirective::Replace;
    typed.metadata_directive(replace).content_type("video/mp4").cache_control("private").send().await.unwrap();
    let head = client.head_object().bucket("media").key("media/b").send().await.unwrap();
    assert_eq!((head.content_type(), head.cache_control()), (Some("video/mp4"), Some("private")));
    let missing = client.copy_object().bucket("media").key("media/c").copy_source("media/nothing").send().await;
    assert_eq!(missing.unwrap_err().code(), Some("NoSuchKey"));
}

#[tokio::test]
async fn what_is_deleted_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let client = start(dir.path()).await;
    for key in ["a/1", "a/2", "a/3"] {
        put(&client, key, b"x").await;
    }
    client.delete_object().bucket("media").key("a/1").send().await.unwrap();
    client.delete_object().bucket("media").key("a/1").send().await.unwrap();
    let ids = ["a/2", "a/3", "a/none"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(ids.to_vec())).quiet(true).build().unwrap();
    let deleted = client.delete_objects().bucket("media").delete(delete).send().await.unwrap();
    assert!(deleted.errors().is_empty());
    assert!(keys(&client).await.is_empty());
    let left: Vec<_> =
        std::fs::read_dir(dir.path().join("s3")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["media"]);
    for key in ["a/1", "a"] {
        assert_eq!(status(client.head_object().bucket("media").key(key).send().await), 404, "{key}");
        assert_eq!(status(client.get_object().bucket("media").key(key).send().await), 404, "{key}");
    }
}

#[tokio::test]
async fn readers_see_an_object_before_or_after_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let client = start(dir.path()).await;
    let bodies = [vec![1; 300_000], vec![2; 200_000]];
    let tags = [put(&client, "a", &bodies[0]).await, put(&client, "a", &bodies[1]).await];
    let writer = async {
        for n in 0..30 {
            put(&client, "a", &bodies[n % 2]).await;
        }
    };
    let reader = async {
        for _ in 0..60 {
            let got = client.get_object().bucket("media").key("a").send().await.unwrap();
            let which = tags.iter().position(|tag| got.e_tag() == Some(tag)).unwrap();
            assert!(got.body.collect().await.unwrap().to_vec() == bodies[which]);
        }
    };
    tokio::join!(writer, reader);
}

/// A browser's question before a PUT.
async fn ask(s3: &S3, headers: &[(&str, &str)]) -> Response<Bytes> {
    send("OPTIONS", &format!("{}/media/uploads/a?X-Amz-Signature=0", s3.endpoint()), headers, "").await
}

#[tokio::test]
async fn a_preflight_is_answered_by_the_buckets_rules() {
    let dir = tempfile::tempdir().unwrap();
    let (s3, _) = start_for(dir.path(), &[PAGE, "https://*.example.com"]).await;
    let origin = ("origin", PAGE);
    let put = ("access-control-request-method", "PUT");
    let allowed = ask(&s3, &[origin, put, ("access-control-request-headers", "content-type,x-amz-meta-a")]).await;
    assert_eq!(allowed.status(), 200);
    for (name, value) in [
        ("access-control-allow-origin", PAGE),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "GET, HEAD, PUT"),
        ("access-control-allow-headers", "content-type, x-amz-meta-a"),
        ("access-control-expose-headers", "ETag, Content-Range"),
        ("access-control-max-age", "60"),
    ] {
        assert_eq!(header(&allowed, name), value, "{name}");
    }
    assert!(header(&allowed, "vary").starts_with("Origin"));
    let sub = ask(&s3, &[("origin", "https://app.example.com"), put]).await;
    assert_eq!(header(&sub, "access-control-allow-origin"), "https://app.example.com");
    for refused in [
        [("origin", "https://example.org"), put, ("x-a", "")],
        [("origin", "null"), put, ("x-a", "")],
        [origin, ("access-control-request-method", "DELETE"), ("x-a", "")],
        [origin, put, ("access-control-request-headers", "content-type, authorization")],
    ] {
        let answer = ask(&s3, &refused).await;
        assert_eq!(answer.status(), 403, "{refused:?}");
        assert!(String::from_utf8_lossy(answer.body()).contains("<Code>AccessForbidden</Code>"));
        assert_eq!(header(&answer, "access-control-allow-origin"), "");
    }
    assert_eq!(ask(&s3, &[put]).await.status(), 400);
    assert_eq!(ask(&s3, &[origin]).await.status(), 400);
}

#[tokio::test]
async fn answers_to_pages_say_what_the_rules_allow() {
    let dir = tempfile::tempdir().unwrap();
    for (origins, origin, allowed) in [
        (["*"], PAGE, "*"),
        // What a browser says after it was sent on from elsewhere.
        (["*"], "null", "*"),
        ([PAGE], PAGE, PAGE),
        (["https://example.org"], PAGE, ""),
    ] {
        let (s3, client) = start_for(dir.path(), &origins).await;
        put(&client, "a.png", b"0123456789").await;
        let signed = client.get_object().bucket("media").key("a.png").presigned(for_a_minute()).await.unwrap();
        let got = send("GET", signed.uri(), &[("origin", origin), ("range", "bytes=4-")], "").await;
        assert_eq!((got.status().as_u16(), header(&got, "access-control-allow-origin")), (206, allowed));
        assert_eq!(header(&got, "vary").contains("Origin"), !allowed.is_empty());
        assert_eq!(header(&got, "access-control-expose-headers").contains("Content-Range"), !allowed.is_empty());
        let plain = send("GET", signed.uri(), &[], "").await;
        assert!(!plain.headers().contains_key("vary") && !plain.headers().contains_key("access-control-allow-origin"));
        let asked = s3.requests();
        let [by_sdk, by_page, _] = asked.as_slice() else { panic!("{asked:?}") };
        assert_eq!((&by_sdk.method, by_sdk.path.as_str(), by_sdk.origin.as_str()), (&Method::PUT, "/media/a.png", ""));
        let expected = BucketRequest {
            method: Method::GET,
            path: "/media/a.png".to_owned(),
            origin: origin.to_owned(),
            range: "bytes=4-".to_owned(),
            status: StatusCode::PARTIAL_CONTENT,
            content_range: "bytes 4-9/10".to_owned(),
        };
        assert_eq!(*by_page, expected);
    }
}

#[tokio::test]
async fn an_object_in_parts_is_there_once_it_is_completed() {
    let dir = tempfile::tempdir().unwrap();
    let client = start(dir.path()).await;
    let begin = async |key: &str| {
        let begun = client.create_multipart_upload().bucket("media").key(key).content_type("application/zip");
        begun.send().await.unwrap().upload_id.unwrap()
    };
    let add = async |key: &str, upload: &str, number: i32, bytes: Vec<u8>| {
        let part = client.upload_part().bucket("media").key(key).upload_id(upload).part_number(number);
        let sent = part.body(bytes.into()).send().await.unwrap();
        CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build()
    };
    let bytes: Vec<u8> = (0..6 * MEGABYTE).map(|n| (n / 4099) as u8).collect();
    let (first, last) = bytes.split_at(5 * MEGABYTE);
    let upload = begin("exports/a.zip").await;
    let parts = vec![
        add("exports/a.zip", &upload, 1, first.to_vec()).await,
        add("exports/a.zip", &upload, 2, last.to_vec()).await,
    ];
    assert!(keys(&client).await.is_empty());
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = client.complete_multipart_upload().bucket("media").key("exports/a.zip").upload_id(upload);
    complete.multipart_upload(parts).send().await.unwrap();
    // What is abandoned leaves nothing.
    let upload = begin("exports/b.zip").await;
    add("exports/b.zip", &upload, 1, first.to_vec()).await;
    let abort = client.abort_multipart_upload().bucket("media").key("exports/b.zip").upload_id(upload);
    abort.send().await.unwrap();
    assert_eq!(keys(&client).await, ["exports/a.zip"]);
    let root: Vec<_> = std::fs::read_dir(dir.path().join("s3")).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert!(root.iter().all(|name| !name.to_string_lossy().contains("upload")), "{root:?}");

    // Under the name that the address asks for.
    let get = client.get_object().bucket("media").key("exports/a.zip");
    let get = get.response_content_disposition("attachment; filename=\"perch.zip\"");
    let got = send("GET", get.presigned(for_a_minute()).await.unwrap().uri(), &[], "").await;
    assert_eq!(header(&got, "content-disposition"), "attachment; filename=\"perch.zip\"");
    assert_eq!(header(&got, "content-type"), "application/zip");
    assert!(*got.body() == bytes);
}
