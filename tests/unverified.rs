//! With `RequireVerifiedEmail`, an account that has not verified its address writes nothing but what leads to that, or out.

use crate::support::{PASSWORD, TestApp, User, set, token_in};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Writes that are open, by their ids, and why.
const OPEN: [&str; 7] = [
    // To another session's end.
    "logout",
    "end_session",
    "end_all_sessions",
    // To a verified address.
    "resend_verification",
    "change_password",
    // Out. An archive asks for a verified address by itself.
    "delete_me",
    "delete_me_by_post",
];

struct World {
    app: TestApp,
    ann: User,
    post: String,
    comment: String,
    group: String,
}

impl World {
    async fn new() -> Self {
        let app = TestApp::with(|options| set(options, "RequireVerifiedEmail", "on")).await;
        let (ann, bob) = (app.user("ann").await, app.user("bob").await);
        app.verify(&bob).await;
        let post = bob.post_text("Low tide.").await;
        let comment = bob.post(&format!("/posts/{post}/comments"), json!({"content": "Seen."})).await.expect(201);
        let comment = comment.json()["id"].as_str().unwrap().to_owned();
        let group = bob.post("/groups", json!({"name": "Waders", "visibility": "public"})).await.expect(201).json();
        let group = group["id"].as_str().unwrap().to_owned();
        Self { app, ann, post, comment, group }
    }

    fn path(&self, path: &str) -> String {
        let path = path.replace("{user}", "bob").replace("groups/{id}", &format!("groups/{}", self.group));
        let path = path.replace("{comment_id}", &self.comment);
        if path.starts_with("/posts/scheduled") || path.starts_with("/posts/videos") {
            return path;
        }
        if path.starts_with("/posts/") { path.replace("{id}", &self.post) } else { path }
    }
}

#[tokio::test]
async fn every_write_asks_for_a_verified_address() {
    let world = World::new().await;
    let document: Value = serde_json::from_str(include_str!("../openapi.json")).unwrap();
    let (mut refused, mut open) = (0, BTreeSet::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let by_token =
                operation["security"].as_array().into_iter().flatten().any(|way| way.get("bearer").is_some());
            if method == "get" || !by_token {
                continue;
            }
            if OPEN.contains(&id) {
                open.insert(id.to_owned());
                continue;
            }
            let method: Method = method.to_uppercase().parse().unwrap();
            // What a path names that is in nobody's way: it is the address that is asked for first, or nothing is told.
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let path = parameters.filter(|one| one["in"] == "path").fold(world.path(path), |path, parameter| {
                let place = format!("{{{}}}", parameter["name"].as_str().unwrap());
                path.replace(&place, parameter["example"].as_str().unwrap())
            });
            let call = world.ann.call(method, &path);
            let content = &operation["requestBody"]["content"];
            let call = match &content["application/json"]["example"] {
                Value::Null if content["image/png"].is_null() => call,
                Value::Null => call.body("image/png", crate::support::files::png()),
                example => call.json(example),
            };
            let answer = call.await;
            assert_eq!(answer.status, 403, "{id} {path}: {}", answer.text());
            answer.problem("email-not-verified");
            refused += 1;
        }
    }
    assert!(refused > 40, "{refused}");
    assert_eq!(open.len(), OPEN.len(), "{open:?}");
}

#[tokio::test]
async fn what_leads_to_a_verified_address_is_open() {
    let World { app, ann, .. } = World::new().await;
    ann.patch("/users", json!({"bio": "Over water."})).await.expect(403).problem("email-not-verified");
    let both = json!({"bio": "Over water.", "email": "ann2@example.com", "current_password": PASSWORD});
    ann.patch("/users", both).await.expect(403).problem("email-not-verified");
    ann.patch("/users/settings", json!({"findable_by_email": false})).await.expect(403).problem("email-not-verified");
    ann.post("/notifications/read", json!({"all": true})).await.expect(403).problem("email-not-verified");
    ann.post("/users/verify/resend", None).await.expect(202);
    let change = json!({"current_password": PASSWORD, "new_password": "auk under the cliff"});
    ann.put("/users/password", change).await.expect(204);
    let email = json!({"email": "ann2@example.com", "current_password": "auk under the cliff"});
    ann.patch("/users", email).await.expect(200);
    let token = token_in(&app.mail_to("ann2@example.com", "verify").await);
    app.anon().post("/users/verify", json!({ "token": token })).await.expect(200);
    ann.patch("/users", json!({"bio": "Over water."})).await.expect(200);
    ann.delete("/users").json(&json!({"password": "auk under the cliff"})).await.expect(204);
}
