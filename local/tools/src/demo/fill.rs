//! Doing what the plan says, some requests at a time.

use super::client::{Api, Body, Form};
use super::world::{Comment, DemoPost, Group, Person, Plan};
use super::{FillError, PASSWORD, Progress, picture};
use futures::stream::{self, StreamExt, TryStreamExt};
use http::Method;
use serde_json::{Value, json};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Requests on their way at once: enough to keep two cores busy, and few enough that none waits for long.
const AT_ONCE: usize = 16;

/// What there is now.
#[derive(Clone, Debug)]
pub struct Made {
    /// Whom to sign in as.
    pub username: String,
    /// Accounts, each with a picture.
    pub people: usize,
    /// Posts, each with a picture.
    pub posts: usize,
    /// Follows.
    pub follows: usize,
    /// Likes.
    pub likes: usize,
    /// Comments.
    pub comments: usize,
    /// Groups.
    pub groups: usize,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username: _, people, posts, follows, likes, comments, groups } = self;
        write!(f, "{people} people, {posts} posts with pictures, {follows} follows, ")?;
        write!(f, "{likes} likes, {comments} comments, {groups} groups")
    }
}

/// Somebody who has an account.
struct Account {
    id: String,
    token: String,
}

/// The service, and how far things are.
struct Filling<'a> {
    api: Api,
    tell: &'a (dyn Fn(Progress) + Send + Sync),
    done: AtomicU64,
    all: u64,
}

/// Requests per person.
const EACH_PERSON: usize = 3;

pub(super) async fn fill(api: Api, plan: Plan, tell: &(dyn Fn(Progress) + Send + Sync)) -> Result<Made, FillError> {
    let in_groups: usize = plan.groups.iter().map(|group| 2 * group.members.len()).sum();
    let rest = plan.follows.len() + plan.likes.len() + plan.comments.len() + in_groups;
    let posts = plan.posts.len() + plan.posts.iter().filter(|post| post.is_described).count();
    let all = EACH_PERSON * plan.people.len() + posts + rest;
    let filling = Filling { api, tell, done: AtomicU64::new(0), all: all as u64 };
    let accounts = filling.people(&plan.people).await?;
    filling.follows(&accounts, &plan.follows).await?;
    let posts = filling.posts(&accounts, &plan.posts).await?;
    filling.likes(&accounts, &posts, &plan.likes).await?;
    filling.comments(&accounts, &posts, &plan.comments).await?;
    filling.groups(&accounts, &plan.groups).await?;
    Ok(Made {
        username: plan.people.first().map(|person| person.username.clone()).unwrap_or_default(),
        people: accounts.len(),
        posts: posts.len(),
        follows: plan.follows.len(),
        likes: plan.likes.len(),
        comments: plan.comments.len(),
        groups: plan.groups.len(),
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Draws off the threads that serve.
async fn drawn(
    draw: impl FnOnce() -> Result<Vec<u8>, image::ImageError> + Send + 'static,
) -> Result<Vec<u8>, FillError> {
    let drawn = tokio::task::spawn_blocking(draw).await.map_err(|error| FillError::Picture(error.to_string()))?;
    drawn.map_err(|error| FillError::Picture(error.to_string()))
}

impl Filling<'_> {
    async fn call(
        &self,
        at: &'static str,
        method: Method,
        path: &str,
        token: &str,
        body: Body,
    ) -> Result<Value, FillError> {
        let answer = self.api.call(method, path, token, body).await?;
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        (self.tell)(Progress { done, all: self.all, at });
        Ok(answer)
    }

    /// Does this with each, some at a time; what comes of it in their order.
    async fn each<T, U, F: Future<Output = Result<U, FillError>>>(
        all: impl IntoIterator<Item = T>,
        one: impl FnMut(T) -> F,
    ) -> Result<Vec<U>, FillError> {
        stream::iter(all).map(one).buffered(AT_ONCE).try_collect().await
    }

    async fn people(&self, people: &[Person]) -> Result<Vec<Account>, FillError> {
        Self::each(people.iter(), |person| self.person(person)).await
    }

    async fn person(&self, person: &Person) -> Result<Account, FillError> {
        const AT: &str = "people";
        let Person { username, full_name, bio, location, interests, avatar } = person;
        let email = format!("{username}@example.com");
        let sign_up = json!({"username": username, "full_name": full_name, "email": email, "password": PASSWORD});
        self.call(AT, Method::POST, "/users", "", Body::Json(sign_up)).await?;
        let sign_in = json!({"username": username, "password": PASSWORD});
        let signed_in = self.call(AT, Method::POST, "/users/login", "", Body::Json(sign_in)).await?;
        let token = text(&signed_in["access_token"]);
        let seed = *avatar;
        let picture = drawn(move || picture::avatar(seed)).await?;
        let mut texts = vec![("bio", *bio), ("location", *location)];
        texts.extend(interests.iter().map(|interest| ("interests", *interest)));
        let form = Form::new(&texts, ("avatar", &picture));
        self.call(AT, Method::PATCH, "/users", &token, Body::Form(form)).await?;
        Ok(Account { id: text(&signed_in["user"]["id"]), token })
    }

    async fn follows(&self, accounts: &[Account], follows: &[(usize, usize)]) -> Result<(), FillError> {
        let follow = |(from, to): &(usize, usize)| {
            let (path, token) = (format!("/users/{}/follow", accounts[*to].id), accounts[*from].token.clone());
            async move { self.call("follows", Method::POST, &path, &token, Body::None).await }
        };
        Self::each(follows, follow).await.map(|_| ())
    }

    async fn posts(&self, accounts: &[Account], posts: &[DemoPost]) -> Result<Vec<String>, FillError> {
        Self::each(posts.iter(), |post| self.post(&accounts[post.author], post)).await
    }

    /// With the picture beside it; where that is described the picture goes first, for only there it can be. The
    /// post's id.
    async fn post(&self, author: &Account, post: &DemoPost) -> Result<String, FillError> {
        const AT: &str = "posts";
        let scene = post.scene;
        let picture = drawn(move || scene.drawn()).await?;
        let body = if post.is_described {
            let form = Form::new(&[("alt_text", &scene.described())], ("file", &picture));
            let media = self.call(AT, Method::POST, "/media", &author.token, Body::Form(form)).await?;
            Body::Json(json!({"content": post.text, "media_ids": [media["id"]]}))
        } else {
            Body::Form(Form::new(&[("content", &post.text)], ("image", &picture)))
        };
        let made = self.call(AT, Method::POST, "/posts", &author.token, body).await?;
        Ok(text(&made["id"]))
    }

    async fn likes(&self, accounts: &[Account], posts: &[String], likes: &[(usize, usize)]) -> Result<(), FillError> {
        let like = |(who, post): &(usize, usize)| {
            let (path, token) = (format!("/posts/{}/like", posts[*post]), accounts[*who].token.clone());
            async move { self.call("likes", Method::POST, &path, &token, Body::None).await }
        };
        Self::each(likes, like).await.map(|_| ())
    }

    async fn comments(&self, accounts: &[Account], posts: &[String], comments: &[Comment]) -> Result<(), FillError> {
        let comment = |comment: &Comment| {
            let path = format!("/posts/{}/comments", posts[comment.post]);
            let (token, body) = (accounts[comment.author].token.clone(), json!({"content": comment.text}));
            async move { self.call("comments", Method::POST, &path, &token, Body::Json(body)).await }
        };
        Self::each(comments, comment).await.map(|_| ())
    }

    /// Public ones, each with a word of each member.
    async fn groups(&self, accounts: &[Account], groups: &[Group]) -> Result<(), FillError> {
        Self::each(groups, |group| self.group(accounts, group)).await.map(|_| ())
    }

    async fn group(&self, accounts: &[Account], group: &Group) -> Result<(), FillError> {
        const AT: &str = "groups";
        let mut path = String::new();
        for (n, member) in group.members.iter().enumerate() {
            let token = &accounts[*member].token;
            if n == 0 {
                let body = json!({"name": group.name, "description": group.description, "visibility": "public"});
                let made = self.call(AT, Method::POST, "/groups", token, Body::Json(body)).await?;
                path = format!("/groups/{}", text(&made["id"]));
            } else {
                self.call(AT, Method::POST, &format!("{path}/join"), token, Body::None).await?;
            }
            let word = if n == 0 { format!("{} Welcome.", group.description) } else { "Glad to be here.".to_owned() };
            let body = json!({"content": word});
            self.call(AT, Method::POST, &format!("{path}/posts"), token, Body::Json(body)).await?;
        }
        Ok(())
    }
}
