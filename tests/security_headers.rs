//! Security headers, and what a `HEAD` tells.

use crate::support::TestApp;
use crate::support::files::{png, upload};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use template::Model;

/// What every answer carries that is no page.
const COMMON: [(&str, &str); 3] = [
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
];

#[tokio::test]
async fn every_answer_has_its_security_headers() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for path in ["/users", "/nowhere", "/users/nobody", "/health", "/openapi.json", "/posts?limit=0"] {
        let answer = ann.get(path).await;
        for (name, value) in COMMON {
            assert_eq!(answer.header(name), value, "{path}");
        }
        // Over plain HTTP it would be ignored.
        assert_eq!(answer.header("strict-transport-security"), "", "{path}");
    }
    for page in ["/docs", "/docs/errors", "/users/verify?token=x", "/users/password/reset?token=x", "/_local/mail"] {
        let answer = app.anon().get(page).await.expect(200);
        assert!(answer.header("content-type").starts_with("text/html"), "{page}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{page}: {policy}");
        assert_eq!(
            (answer.header("referrer-policy"), answer.header("x-content-type-options")),
            ("no-referrer", "nosniff")
        );
    }
    // As API Gateway hands a request on, which came by TLS.
    for path in ["/", "/nowhere"] {
        let mut event: Value = serde_json::from_str(include_str!("../events/http-docs-index.json")).unwrap();
        event["rawPath"] = path.into();
        event["headers"]["x-forwarded-proto"] = "https".into();
        let answer = app.invoke("docs", &event).await.unwrap();
        assert_eq!(answer["headers"]["strict-transport-security"], "max-age=63072000", "{answer}");
    }
}

#[test]
fn the_bucket_refuses_plain_http() {
    let template = crate::samples::read("template.yaml");
    let model = Model::parse(&template, &BTreeMap::new()).unwrap();
    let policies = model.resources.as_object().unwrap().values().filter(|one| one["Type"] == "AWS::S3::BucketPolicy");
    let statements: Vec<&Value> = policies.map(|one| &one["Properties"]["PolicyDocument"]["Statement"][0]).collect();
    let buckets = model.resources.as_object().unwrap().values().filter(|one| one["Type"] == "AWS::S3::Bucket").count();
    assert_eq!(statements.len(), buckets);
    for statement in statements {
        assert_eq!((&statement["Effect"], &statement["Action"]), (&json!("Deny"), &json!("s3:*")));
        assert_eq!(statement["Condition"], json!({"Bool": {"aws:SecureTransport": "false"}}));
    }
}

#[tokio::test]
async fn head_tells_what_get_would() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let media = upload(&ann, "image/png", png()).await;
    let url = ann.get(&format!("/media/{media}")).await.expect(200).json()["url"].as_str().unwrap().to_owned();
    let there = app.anon().head(&url).await.expect(307).header("location").to_owned();
    let head = app.anon().head(&there).await.expect(200);
    let got = app.anon().get(app.anon().get(&url).await.expect(307).header("location")).await.expect(200);
    assert_eq!((head.header("content-length"), head.body.len()), (got.body.len().to_string().as_str(), 0));
    assert_eq!(head.header("content-type"), got.header("content-type"));

    let post = format!("/posts/{}", ann.post_text(&"All gulls fly. ".repeat(100)).await);
    for encoding in ["gzip", "identity"] {
        let got = ann.get(&post).header("accept-encoding", encoding).await.expect(200);
        let head = ann.head(&post).header("accept-encoding", encoding).await.expect(200);
        for name in ["content-encoding", "content-type", "etag", "vary"] {
            assert_eq!(head.header(name), got.header(name), "{encoding} {name}");
        }
        assert_eq!(head.header("content-length"), got.body.len().to_string(), "{encoding}");
    }
}
