//! People who stand apart from so many that one read does not hold all: what it leaves out is asked for by key, in every
//! operation.

use crate::support::bulk::crowd;
use crate::{blocks, groups_private};

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
}

#[tokio::test]
async fn members_see_what_is_shared_in_a_private_group_and_others_do_not() {
    let world = groups_private::World::new().await;
    let groups_private::World { app, ann, bob, left, gone, waits, stranger, group, .. } = &world;
    for user in [bob, left, gone, waits, stranger] {
        crowd(app, user).await;
    }
    world.shows_all().await;
    world.shows_nothing(&[waits, stranger]).await;
    left.post(&format!("/groups/{group}/leave"), None).await.expect(200);
    ann.delete(&format!("/groups/{group}/members/gone")).await.expect(204);
    world.shows_nothing(&[left, gone]).await;
}
