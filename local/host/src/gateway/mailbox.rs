//! `/_local/mail`: the mails that were sent, for people and for tests.

use super::Gateway;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use emulators::ses::Mail;
use http::{HeaderMap, StatusCode, header};
use serde_json::json;
use std::fmt::Write;
use std::sync::Arc;

/// The mails, newest first: a page, or JSON for who asks for that.
pub(super) async fn show(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Another site's page can point its own name at this machine; only loopback names may read mails.
    if !is_loopback(text(header::HOST)) {
        return (StatusCode::FORBIDDEN, "mails are shown on this machine only\n").into_response();
    }
    let mails = gateway.mails.mails().await;
    let mut response = if text(header::ACCEPT).contains("application/json") {
        let body = serde_json::Value::Array(mails.iter().map(to_json).collect()).to_string();
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    } else {
        Html(page(&mails)).into_response()
    };
    // Mails have tokens in their links.
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, http::HeaderValue::from_static(value));
    }
    response
}

fn to_json(mail: &Mail) -> serde_json::Value {
    json!({
        "id": mail.id,
        "sent_at": mail.sent_at,
        "to": mail.to.join(", "),
        "from": mail.from,
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html,
        "headers": mail.headers,
    })
}

/// Whether a `Host` header names this machine's loopback interface.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.eq_ignore_ascii_case("localhost") || matches!(name, "127.0.0.1" | "[::1]")
}

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Mail</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
article { border-top: 1px solid #8888; padding: 1rem 0 }
h2 { font-size: 1rem; margin: 0 }
p { margin: 0; opacity: .7 }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit }
</style>
<h1>Mail</h1>
"#;

fn page(mails: &[Mail]) -> String {
    let mut page = HEAD.to_owned();
    if mails.is_empty() {
        page.push_str("<p>None has been sent yet.</p>\n");
    }
    for mail in mails {
        let (subject, to, at) = (escape(&mail.subject), escape(&mail.to.join(", ")), escape(&mail.sent_at));
        let text = linked(&mail.text);
        let _ = writeln!(page, "<article><h2>{subject}</h2><p>to {to}, {at}</p><pre>{text}</pre></article>");
    }
    page
}

/// Escaped, with its addresses made into links.
fn linked(text: &str) -> String {
    let mut html = String::new();
    for part in text.split_inclusive(char::is_whitespace) {
        let word = part.trim_end();
        let space = &part[word.len()..];
        if word.starts_with("http://") || word.starts_with("https://") {
            let url = escape(word);
            let _ = write!(html, "<a href=\"{url}\">{url}</a>{space}");
        } else {
            html.push_str(&escape(part));
        }
    }
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_may_read() {
        for host in ["localhost", "localhost:3000", "LOCALHOST:1", "127.0.0.1:80", "[::1]:3000", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "example.com", "localhost.example.com:3000", "127.0.0.1.example.com", "192.0.2.1:3000"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn text_is_escaped_and_links_can_be_clicked() {
        assert_eq!(
            linked("<b> see\nhttp://x/?a=\"1\"&b=2 now"),
            "&lt;b&gt; see\n<a href=\"http://x/?a=&quot;1&quot;&amp;b=2\">http://x/?a=&quot;1&quot;&amp;b=2</a> now"
        );
    }
}
