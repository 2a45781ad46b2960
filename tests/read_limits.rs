//! `ReadLimit`: reads of one user, and of one address.

use crate::support::{TestApp, set};

#[tokio::test]
async fn reads_are_limited_per_user_and_address_where_asked_for() {
    let app = TestApp::with(|options| {
        set(options, "ReadLimit", "10");
        set(options, "PublicReading", "on");
    })
    .await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    // The windows are the clock's, and one may end meanwhile.
    let first_refused = async |ask: &dyn Fn() -> crate::support::Call, most: usize| {
        for n in 0..most * 2 + 2 {
            let answer = ask().await;
            if answer.status == 429 {
                answer.problem("rate-limited");
                assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|wait| (1..=300).contains(&wait)));
                assert!(answer.header("ratelimit").contains(";r=0;"), "{}", answer.header("ratelimit"));
                return n;
            }
            answer.expect(200);
        }
        panic!("it is not limited");
    };
    assert!(first_refused(&|| ann.get("/users"), 10).await >= 10);
    // Another, and what writes, is not held up.
    bob.get("/users").await.expect(200);
    ann.post_text("hello").await;
    let anon = app.anon();
    assert!(first_refused(&|| anon.get("/users/bob"), 50).await >= 30);
}

#[tokio::test]
async fn the_local_host_limits_no_reads_unless_asked() {
    let app = TestApp::start().await;
    assert_eq!(app.environment("users")["READ_LIMIT"], "0");
}
