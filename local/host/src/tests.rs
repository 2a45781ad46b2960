use super::*;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

/// One request over a connection of its own.
async fn get(local: &Local, path: &str) -> http::Response<String> {
    let stream = tokio::net::TcpStream::connect(local.url().trim_start_matches("http://")).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get(path).header("host", "localhost").header("origin", "https://app.example.com");
    let response = sender.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    http::Response::from_parts(parts, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn a_request_goes_through_the_whole_chain() {
    let local = Box::pin(Local::start(Options::default())).await.unwrap();
    // Taken by $default: the docs function answers, whatever it says.
    let answer = get(&local, "/nowhere/at/all").await;
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert_eq!(get(&local, "/api/nowhere").await.status(), 404);
    assert!(get(&local, "/_local/mail").await.body().contains("None has been sent yet."));
    assert_eq!(local.environment("users")["TABLE_NAME"], local.table_name());
    local.settle().await.unwrap();
    local.stop().await;
}

#[tokio::test]
async fn a_data_folder_serves_one_host_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { data: Data::Dir(folder.path().to_owned()), ..Options::default() };
    let first = Box::pin(Local::start(options())).await.unwrap();
    let error = Box::pin(Local::start(options())).await.err().unwrap().to_string();
    assert_eq!(error, format!("the data folder {} is in use by another run", folder.path().display()));
    first.stop().await;
    Box::pin(Local::start(options())).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_in_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = Box::pin(Local::start(Options { port, ..Options::default() })).await.err().unwrap().to_string();
    assert!(error.starts_with(&format!("port {port}, for the API, can't be used: ")), "{error}");
}
