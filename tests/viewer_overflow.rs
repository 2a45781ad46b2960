//! Viewers with more relationships than one read holds: what it leaves out is asked for by key, in every
//! operation.

use crate::groups::share;
use crate::support::bulk::crowd;
use crate::{blocks, groups_private};
use serde_json::json;

#[tokio::test]
async fn a_block_holds_in_every_operation() {
    let world = blocks::World::new().await;
    for (me, _) in world.both() {
        crowd(&world.app, &me.user).await;
    }
    world.shows_all(true).await;
    let [(ann, _), _] = world.both();
    ann.user.post("/users/bob/block", None).await.expect(200);
    world.shows_nothing().await;
    let [(_, bob), _] = world.both();
    for (one, other) in [(ann, bob), (bob, ann)] {
        let path = format!("/posts/{}", other.post);
        one.user.post(&format!("{path}/like"), None).await.expect(404);
        one.user.post(&format!("{path}/report"), json!({"reason": "spam"})).await.expect(404);
    }
}

#[tokio::test]
async fn members_see_what_is_shared_in_a_private_group_and_others_do_not() {
    let world = groups_private::World::new().await;
    let groups_private::World { app, ann, bob, left, gone, waits, stranger, group, post, .. } = &world;
    for user in [bob, left, gone, waits, stranger] {
        crowd(app, user).await;
    }
    world.shows_all().await;
    world.shows_nothing(&[waits, stranger]).await;
    left.post(&format!("/groups/{group}/leave"), None).await.expect(200);
    ann.delete(&format!("/groups/{group}/members/gone")).await.expect(204);
    world.shows_nothing(&[left, gone]).await;

    let path = format!("/posts/{post}");
    for user in [stranger, left] {
        user.post(&format!("{path}/like"), None).await.expect(404);
    }
    bob.post(&format!("{path}/like"), None).await.expect(200);
    bob.post(&format!("{path}/report"), json!({"reason": "spam"})).await.expect(202);
    let own = share(bob, group, "High tide.").await;
    bob.get(&format!("/posts/{own}/analytics")).await.expect(200);
    bob.delete(&path).await.expect(204);
}
