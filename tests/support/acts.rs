//! What people do in most tests.

use super::bulk::Person;
use super::lists::{ids, walk};
use super::{Client, User};
use serde_json::json;

/// Somebody who has an account.
pub(crate) trait Somebody {
    fn id(&self) -> String;
}

impl Somebody for User {
    fn id(&self) -> String {
        self.id.clone()
    }
}

impl Somebody for Person {
    fn id(&self) -> String {
        self.id.to_string()
    }
}

impl Client {
    pub(crate) async fn follow(&self, other: &impl Somebody) {
        self.post(&format!("/users/{}/follow", other.id()), None).await.expect(200);
    }

    pub(crate) async fn unfollow(&self, other: &impl Somebody) {
        self.delete(&format!("/users/{}/follow", other.id())).await.expect(200);
    }

    /// Posts a text; its id.
    pub(crate) async fn post_text(&self, content: &str) -> String {
        let post = self.post("/posts", json!({ "content": content })).await.expect(201).json();
        post["id"].as_str().expect("an id").to_owned()
    }

    /// Comments on a post; the comment's id.
    pub(crate) async fn comment(&self, on: &str, content: &str) -> String {
        let comment = self.post(&format!("/posts/{on}/comments"), json!({ "content": content })).await.expect(201);
        comment.json()["id"].as_str().expect("an id").to_owned()
    }

    /// The ids of the whole feed.
    pub(crate) async fn feed(&self) -> Vec<String> {
        ids(&walk(self, "/feed").await)
    }
}
