//! The built-in pages behind links in mails, and the examples of the documentation.
//!
//! The pages load nothing from elsewhere, send their address to nobody and may not be framed.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::{Value, json};
use shared::http::security;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:28rem;margin:15vh auto;padding:0 1rem;color-scheme:light dark}\
button,input{font:inherit;padding:.5rem 1rem;margin:.25rem 0}button{cursor:pointer}input{width:100%;box-sizing:border-box}";

/// Posts JSON to the page's own address and shows the answer.
const SCRIPT: &str = "document.querySelector('form').addEventListener('submit',async e=>{e.preventDefault();\
const f=e.target,o=document.querySelector('output');f.querySelector('button').disabled=true;\
const r=await fetch(location.pathname,{method:'POST',headers:{'content-type':'application/json'},\
body:JSON.stringify(Object.fromEntries(new FormData(f)))}).catch(()=>null);\
if(r&&r.ok){f.hidden=true;o.textContent=f.dataset.done}else{f.querySelector('button').disabled=false;\
const p=r?await r.json().catch(()=>({})):{};\
o.textContent=(p.errors&&p.errors[0]&&p.errors[0].detail)||[p.title,p.detail].filter(Boolean).join('. ')||'That did not work. Try again.'}})";

fn page(title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{title} · Perch</title><style>{STYLE}</style><h1>{title}</h1>{body}"
    );
    let policy = security::page_policy(&html, "connect-src 'self'; form-action 'self'");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    // Without one the answer gets that of what is no page: nothing runs.
    let policy = policy.map(|policy| [(header::CONTENT_SECURITY_POLICY, policy)]);
    (headers, policy, html).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

fn form(token: &str, done: &str, inner: &str) -> String {
    let token = escaped(token);
    format!(
        "<form method=post data-done=\"{done}\"><input type=hidden name=token value=\"{token}\">{inner}</form>\
         <output aria-live=polite></output><script>{SCRIPT}</script>"
    )
}

pub(crate) fn verify(token: &str) -> Response {
    let button = "<p>Press the button, and the address is yours.</p><button>Verify my address</button>";
    page("Verify your address", &form(token, "Your address is verified. You can close this page.", button))
}

pub(crate) fn undo_email_change(token: &str) -> Response {
    let button = "<p>Press the button, and this address stays your account's, or is it again. Everybody is signed out.</p>\
                  <button>Undo the change</button>";
    let done = "Undone. Whoever asked for it knows your password: set a new one, by way of a mail to this address.";
    page("Keep your e-mail address", &form(token, done, button))
}

pub(crate) fn reset(token: &str) -> Response {
    let fields = "<label>New password<input type=password name=password autocomplete=new-password minlength=8 required>\
                  </label><button>Set the password</button>";
    page("Set a new password", &form(token, "The new password holds. Sign in with it.", fields))
}

pub(crate) fn unsubscribe(token: &str, kind: &str) -> Response {
    let action = escaped(&format!("?token={token}"));
    let kind = escaped(kind);
    let body = format!(
        "<p>No more mails of this kind ({kind}) will come.</p>\
         <form method=post action=\"{action}\"><button>Unsubscribe</button></form>"
    );
    page("Unsubscribe", &body)
}

pub(crate) fn unsubscribed() -> Response {
    page("Unsubscribed", "<p>No more mails of this kind will come. Your settings can bring them back.</p>")
}

pub(crate) fn example_card() -> Value {
    json!({"id": "usr_01K9ZNXE5R2W8J6H4G3F1D0C7B", "username": "gull", "full_name": "Lara Gull", "avatar_url": null})
}

pub(crate) fn example_me() -> Value {
    json!({
        "id": "usr_01K9ZNXE5R2W8J6H4G3F1D0C7B", "username": "gull", "email": "gull@example.com",
        "email_verified": false, "pending_email": null, "otp_enabled": false, "recovery_codes_left": null,
        "full_name": "Lara Gull", "bio": null, "location": null, "website": null,
        "avatar_url": null, "interests": [], "registered_at": "2026-11-20T20:30:00.000Z",
        "followers_count": 0, "following_count": 0, "posts_count": 0
    })
}

pub(crate) fn example_profile() -> Value {
    json!({
        "id": "usr_01K9ZNXE5R2W8J6H4G3F1D0C7B", "username": "gull", "full_name": "Lara Gull",
        "bio": "Mostly over water.", "location": "Heligoland", "website": null, "avatar_url": null,
        "interests": ["wind", "herring"], "registered_at": "2026-11-20T20:30:00.000Z",
        "followers_count": 12, "following_count": 7, "posts_count": 31,
        "following": true, "followed_by": false, "blocked": false, "muted": false
    })
}

pub(crate) fn example_tokens() -> Value {
    json!({
        "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.c2lnbmF0dXJl", "token_type": "Bearer",
        "expires_in": 900, "refresh_token": "AZqZp2D7V3T8Q6M5N4C1B0A9Z"
    })
}

pub(crate) fn example_signed_in() -> Value {
    let mut example = example_tokens();
    example["user"] = example_me();
    example
}

pub(crate) fn example_app_secret() -> Value {
    json!({
        "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        "uri": "otpauth://totp/Perch:gull?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Perch&algorithm=SHA1&digits=6&period=30"
    })
}

pub(crate) fn example_session() -> Value {
    json!({
        "id": "ses_01K9ZP2D7V3T8Q6M5N4C1B0A9Z", "current": true, "created_at": "2026-11-20T20:30:00.000Z",
        "last_used_at": "2026-11-20T20:45:00.000Z", "expires_at": "2026-12-20T20:45:00.000Z", "user_agent": "curl/8.5.0"
    })
}
