use super::*;
use http::Request;

fn event(request: http::request::Builder, stage: &str, body: &[u8]) -> Value {
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let invocation = Invocation {
        stage,
        route_key: "ANY /users/{proxy+}",
        parameters: vec![("proxy", "j%C3%B6rg".to_owned())],
        source_ip: IpAddr::from([192, 0, 2, 1]),
    };
    serde_json::from_slice(&invocation.event(&parts, body)).unwrap()
}

#[test]
fn a_request_becomes_the_payload_format_2_0() {
    let request = Request::post("/api/users/j%C3%B6rg?a=1&b=x%20y&a=2")
        .header("Host", "localhost:3000")
        .header("Content-Type", "application/json")
        .header("Accept", "text/html")
        .header("Accept", "*/*")
        .header("Cookie", "a=1; b=2")
        .header("User-Agent", "test")
        .header("X-Forwarded-For", "203.0.113.7");
    let event = event(request, "api", b"{}");
    let expected = json!({
        "version": "2.0",
        "routeKey": "ANY /users/{proxy+}",
        "rawPath": "/api/users/jörg",
        "rawQueryString": "a=1&b=x%20y&a=2",
        "cookies": ["a=1", "b=2"],
        "headers": {
            "host": "localhost:3000",
            "content-type": "application/json",
            "accept": "text/html,*/*",
            "user-agent": "test",
            "x-forwarded-for": "203.0.113.7, 192.0.2.1",
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": { "a": "1,2", "b": "x y" },
        "pathParameters": { "proxy": "jörg" },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": "localhost:3000",
            "domainPrefix": "localhost:3000",
            "http": {
                "method": "POST",
                "path": "/api/users/jörg",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "test",
            },
            "requestId": event["requestContext"]["requestId"],
            "routeKey": "ANY /users/{proxy+}",
            "stage": "api",
            "time": event["requestContext"]["time"],
            "timeEpoch": event["requestContext"]["timeEpoch"],
        },
        "body": "{}",
        "isBase64Encoded": false,
    });
    assert_eq!(event, expected);
    assert!(event["requestContext"]["time"].as_str().unwrap().ends_with(" +0000"));
}

#[test]
fn paths_are_decoded_unless_that_makes_another_path() {
    for (path, stage, raw) in [
        ("/users/a%20b", "$default", "/users/a b"),
        ("/users/a%3Fb=c", "$default", "/users/a%3Fb=c"),
        ("/users/a%2Fb", "$default", "/users/a%2Fb"),
        ("/users/%5Ca%23%00", "$default", "/users/\\a#\0"),
        ("/users/", "$default", "/users/"),
        ("/api", "api", "/api/"),
        ("/api/", "api", "/api/"),
        ("/api/api", "api", "/api/api"),
    ] {
        assert_eq!(event(Request::get(path), stage, b"")["rawPath"], raw, "{path}");
    }
}

#[test]
fn bodies_are_text_only_if_their_type_says_so() {
    let posted = |content_type: &str, body: &[u8]| {
        let event = event(Request::post("/").header("Content-Type", content_type), "$default", body);
        (event["body"].as_str().map(str::to_owned), event["isBase64Encoded"].as_bool().unwrap())
    };
    assert_eq!(posted("application/json; charset=utf-8", b"{}"), (Some("{}".to_owned()), false));
    assert_eq!(posted("application/merge-patch+json", b"{}"), (Some("{}".to_owned()), false));
    assert_eq!(posted("application/x-www-form-urlencoded", b"a=1"), (Some("YT0x".to_owned()), true));
    assert_eq!(posted("application/json", b"\xff"), (Some("/w==".to_owned()), true));
    assert_eq!(posted("image/png", b""), (None, false));
}

#[tokio::test]
async fn an_answer_becomes_a_response() {
    let answer = json!({
        "statusCode": 201,
        "headers": { "content-type": "image/png", "content-length": "99", "x-number": 1 },
        "multiValueHeaders": { "ignored": ["x"] },
        "cookies": ["a=1", "b=2"],
        "body": "AQI=",
        "isBase64Encoded": true,
    });
    let response = response(answer.to_string().as_bytes(), &Method::GET).unwrap();
    assert_eq!(response.status(), 201);
    let headers = response.headers();
    assert_eq!(
        (&headers["content-type"], &headers["x-number"]),
        (&HeaderValue::from_static("image/png"), &HeaderValue::from_static("1"))
    );
    assert!(!headers.contains_key("ignored") && !headers.contains_key("content-length"));
    assert_eq!(headers.get_all("set-cookie").iter().count(), 2);
    let body = axum::body::to_bytes(response.into_body(), 10).await.unwrap();
    assert_eq!(body.as_ref(), [1, 2]);
}

#[test]
fn an_answer_without_a_status_or_with_a_bad_one_is_none() {
    for answer in ["null", "{}", r#"{"statusCode":99}"#, r#"{"statusCode":200,"body":"!","isBase64Encoded":true}"#] {
        assert!(response(answer.as_bytes(), &Method::GET).is_none(), "{answer}");
    }
}
