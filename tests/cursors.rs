//! Pages, and the cursors between them.

use crate::support::TestApp;
use crate::support::lists::{ids, newest_first, walk};

#[tokio::test]
async fn links_lead_through_the_whole_list() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let mut posts = Vec::new();
    for n in 0..7 {
        posts.push(gull.post_text(&format!("post {n}")).await);
    }
    for path in
        ["/tweets?limit=3", "/users/me/posts?limit=2", "/users/gull/posts?limit=100", "/feed?limit=1&include_own=true"]
    {
        assert_eq!(ids(&walk(&gull, path).await), newest_first(posts.clone()), "{path}");
    }
}

#[tokio::test]
async fn a_cursor_stays_right_while_the_list_changes() {
    let app = TestApp::start().await;
    let gull = app.user("gull").await;
    let mut posts = Vec::new();
    for n in 0..6 {
        posts.push(gull.post_text(&format!("post {n}")).await);
    }
    let first = gull.get("/tweets?limit=3").await.expect(200);
    assert_eq!(ids(&first.items()), [&posts[5], &posts[4], &posts[3]].map(String::clone));
    gull.post_text("newer").await;
    // The last one shown, and the next: neither takes the place with it.
    for gone in [&posts[3], &posts[2]] {
        gull.delete(&format!("/posts/{gone}")).await.expect(204);
    }
    let rest = walk(&gull, &first.next().unwrap()).await;
    assert_eq!(ids(&rest), [&posts[1], &posts[0]].map(String::clone));
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_list_alone() {
    let app = TestApp::start().await;
    let (gull, tern) = (app.user("gull").await, app.user("tern").await);
    for user in [&gull, &tern] {
        for n in 0..2 {
            let post = user.post_text(&format!("post {n}")).await;
            gull.post(&format!("/posts/{post}/like"), None).await.expect(200);
        }
    }
    let cursor = async |path: &str| {
        let page = gull.get(&format!("{path}?limit=1")).await.expect(200).json();
        page["next_cursor"].as_str().unwrap().to_owned()
    };
    let (mine, theirs) = (cursor("/users/gull/posts").await, cursor("/users/tern/posts").await);
    let liked = cursor("/posts/liked").await;
    let refused = [
        ("/users/gull/posts", theirs.clone()),
        ("/users/tern/posts", mine.clone()),
        ("/users/gull/posts", liked.clone()),
        ("/posts/liked", mine.clone()),
        ("/posts", liked.clone()),
        ("/notifications", liked.clone()),
        ("/users/gull/followers", mine.clone()),
        ("/users/gull/posts", mine[1..].to_owned()),
        ("/users/gull/posts", format!("{mine}AA")),
        ("/users/gull/posts", "A".repeat(40)),
    ];
    for (path, cursor) in refused {
        let answer = gull.get(&format!("{path}?cursor={cursor}")).await.expect(400);
        answer.problem("invalid-cursor");
    }
    tern.get(&format!("/posts/liked?cursor={liked}")).await.expect(400).problem("invalid-cursor");
    // One list has one cursor, for every reader, under whatever name.
    tern.get(&format!("/users/{}/posts?cursor={mine}", gull.id)).await.expect(200);
    gull.get("/users/gull/posts?cursor=").await.expect(200);
}
