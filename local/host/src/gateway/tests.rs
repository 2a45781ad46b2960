use super::*;
use emulators::lambda::Handler;
use emulators::{Durability, listen};
use futures::FutureExt;
use http::Method;
use serde_json::{Value, json};

/// A gateway whose function does what the path says, with the stages of the product.
async fn gateway(dir: &tempfile::TempDir) -> Gateway {
    let handler: Handler = Arc::new(|event| {
        async move {
            let event: Value = serde_json::from_slice(&event).map_err(|error| error.to_string())?;
            let path = event["rawPath"].as_str().unwrap_or_default().to_owned();
            match path.as_str() {
                "/panic" => panic!("a function's bug"),
                "/slow" => futures::future::pending().await,
                "/huge" => Ok(json!({ "statusCode": 200, "body": "x".repeat(MAX_PAYLOAD) }).to_string().into_bytes()),
                "/nonsense" => Ok(b"null".to_vec()),
                _ => Ok(json!({ "statusCode": 200, "body": path }).to_string().into_bytes()),
            }
        }
        .boxed()
    });
    let mut routes = Routes::new();
    let function = |seconds| Arc::new(Function::new("test", Duration::from_secs(seconds), handler.clone()));
    routes.add("ANY", "/{proxy+}", function(60));
    routes.add("GET", "/slow", function(1));
    Gateway {
        routes,
        stages: vec!["api".to_owned()],
        cors: None,
        sockets: None,
        mails: Arc::new(Ses::start(listen().unwrap(), dir.path(), Durability::Fast).await.unwrap()),
        written: Arc::default(),
    }
}

async fn ask(gateway: &Gateway, method: Method, path: &str, body: Vec<u8>) -> (u16, String) {
    let request = http::Request::builder().method(method).uri(path).header("host", "localhost");
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let outcome = gateway.pass_on(peer, request.body(Body::from(body)).unwrap()).await;
    let status = outcome.response.status().as_u16();
    let body = outcome.response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test(start_paused = true)]
async fn what_aws_would_refuse_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = gateway(&dir).await;
    let message = |text: &str| format!("{{\"message\":\"{text}\"}}");
    for (method, path, size, status, body) in [
        (Method::GET, "/ok", 0, 200, "/ok".to_owned()),
        // A named stage stays in the path that the function sees.
        (Method::GET, "/api/ok", 0, 200, "/api/ok".to_owned()),
        (Method::GET, "/apiary", 0, 200, "/apiary".to_owned()),
        (Method::GET, "/panic", 0, 500, message("Internal Server Error")),
        (Method::GET, "/nonsense", 0, 500, message("Internal Server Error")),
        (Method::GET, "/huge", 0, 500, message("Internal Server Error")),
        // The function's own limit, and that of the gateway.
        (Method::GET, "/slow", 0, 500, message("Internal Server Error")),
        (Method::POST, "/slow", 0, 503, message("Service Unavailable")),
        (Method::POST, "/ok", MAX_PAYLOAD, 413, message("Request Entity Too Large")),
        (Method::POST, "/ok", MAX_BODY + 1, 413, message("Request Entity Too Large")),
    ] {
        let answer = ask(&gateway, method.clone(), path, vec![b'x'; size]).await;
        assert_eq!(answer, (status, body), "{method} {path} {size}");
    }
}
