//! Stories: what people do, one after another or at once.

use proptest::collection::vec;
use proptest::prelude::*;

/// People in a story; how many of them do something is the story's own.
pub(super) const PEOPLE: usize = 24;

/// What somebody does. Posts and comments are named by a number that is taken modulo those there are.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// `twice`: sent again with the same idempotency key, as a client does that got no answer.
    Post {
        twice: bool,
    },
    Comment {
        on: usize,
        twice: bool,
    },
    Edit {
        post: usize,
    },
    Delete {
        post: usize,
    },
    Like {
        post: usize,
    },
    Unlike {
        post: usize,
    },
    Follow {
        whom: usize,
    },
    Unfollow {
        whom: usize,
    },
    ReadAll,
    SignOut,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    One(usize, Act),
    /// Each by somebody else.
    AtOnce(Vec<(usize, Act)>),
    /// All that follows from what was done is done, and everything is looked at.
    Settle,
}

fn act() -> impl Strategy<Value = Act> {
    // Few are followed and liked by many: that is where people meet.
    let whom = || prop_oneof![3 => 0..3_usize, 1 => 0..PEOPLE];
    let post = || prop_oneof![2 => 0..3_usize, 1 => 0..64_usize];
    prop_oneof![
        6 => any::<bool>().prop_map(|twice| Act::Post { twice }),
        5 => (post(), any::<bool>()).prop_map(|(on, twice)| Act::Comment { on, twice }),
        2 => post().prop_map(|post| Act::Edit { post }),
        2 => post().prop_map(|post| Act::Delete { post }),
        6 => post().prop_map(|post| Act::Like { post }),
        4 => post().prop_map(|post| Act::Unlike { post }),
        8 => whom().prop_map(|whom| Act::Follow { whom }),
        5 => whom().prop_map(|whom| Act::Unfollow { whom }),
        1 => Just(Act::ReadAll),
        1 => Just(Act::SignOut),
    ]
}

fn one() -> impl Strategy<Value = (usize, Act)> {
    // Authors of many posts, and everybody.
    (prop_oneof![1 => 0..4_usize, 2 => 0..PEOPLE], act())
}

fn step() -> impl Strategy<Value = Step> {
    let at_once = vec(one(), 2..10).prop_map(|mut acts| {
        acts.sort_by_key(|(by, _)| *by);
        acts.dedup_by_key(|(by, _)| *by);
        Step::AtOnce(acts)
    });
    prop_oneof![
        24 => one().prop_map(|(by, act)| Step::One(by, act)),
        6 => at_once,
        1 => Just(Step::Settle),
    ]
}

pub(super) fn story() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..30)
}
