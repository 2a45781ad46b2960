//! What may happen to a small world's items, and what the audit says of it.

use super::Damage::{self, Put, Take};
use crate::support::services::Items;
use serde_json::{Value, json};
use shared::models::socket::MAX_SOCKETS;

/// What is done to one item or a few, and the findings, sorted.
type Case = (Vec<Damage>, Vec<&'static str>);

/// The one item whose keys start so.
fn one(items: &Items, pk: &str, sk: &str) -> Value {
    let mut found = items.iter().filter(|(key, _)| key.0.starts_with(pk) && key.1.starts_with(sk));
    let (_, item) = found.next().unwrap_or_else(|| panic!("there is no {pk} {sk}"));
    item.clone()
}

fn with(item: &Value, attribute: &str, value: Value) -> Value {
    let mut item = item.clone();
    item[attribute] = value;
    item
}

fn without(item: &Value, attribute: &str) -> Value {
    let mut item = item.clone();
    item.as_object_mut().unwrap().remove(attribute);
    item
}

fn number(n: u64) -> Value {
    json!({"N": n.to_string()})
}

pub(super) fn damages(items: &Items, gull: &str, tern: &str) -> Vec<Case> {
    let mut damages = of_edges(items, gull, tern);
    damages.extend(of_blocks(gull, tern));
    damages.extend(of_sockets(items));
    damages.extend(of_groups(items, gull, tern));
    damages.extend(of_names(items, gull));
    damages.extend(of_posts(items, gull, tern));
    damages.extend(of_comments(items, gull));
    damages.extend(of_counts(items));
    damages.extend(of_scheduled(items, gull));
    damages.extend(of_notifications(items, gull));
    damages.extend(of_accounts(items, gull, tern));
    damages.extend(of_deliveries(items, gull, tern));
    damages.extend(of_moderation(items, gull));
    damages.extend(of_items(items, gull, tern));
    damages
}

fn of_edges(items: &Items, gull: &str, tern: &str) -> Vec<Case> {
    let (of_gull, of_tern) = (format!("U#{gull}"), format!("U#{tern}"));
    let like_row = one(items, "LK#", "");
    let second_row = with(&like_row, "SK", json!({"S": format!("01HF7YAT000000000000000001#{tern}")}));
    let (like, follow) = (one(items, &of_tern, "L#"), one(items, &of_tern, "F#"));
    let (followers, account) = (one(items, &of_gull, "P#f"), one(items, &of_gull, "P#n"));
    let hidden = json!({"PK": {"S": of_tern}, "SK": {"S": format!("H#3#{gull}")}, "ttl": number(9_999_999_999),
        "unf_until": number(9_999_999_999_000)});
    let no_edge = vec![
        "the follow of gull by tern is not counted, but has a row in the ledger of gull (edge _)",
        "the follow of gull by tern is not counted, but has a row in the ledger of tern (edge _)",
    ];
    vec![
        (
            vec![Take(like_row)],
            vec![
                "likes_count of the post is 1, its ledger has 0",
                "the like of the post by tern is counted, but has no row in the post's ledger (edge _)",
                "the number of likes of the post on its day is 1, its ledger has 0",
            ],
        ),
        (
            vec![Put(second_row)],
            vec![
                "likes_count of the post is 1, its ledger has 2",
                "the like of the post by tern is not counted, but has a row in the post's ledger (edge _)",
            ],
        ),
        (
            vec![Put(without(&like, "counted"))],
            vec![
                "the like of the post by tern is not counted yet",
                "the like of the post by tern is not counted, but has a row in the post's ledger (edge _)",
            ],
        ),
        (
            vec![Put(with(&like, "un", json!({"BOOL": true})))],
            vec!["the like of the post by tern was undone, but is not removed yet"],
        ),
        (vec![Put(with(&followers, "n", number(4)))], vec!["followers_count of gull is 4, its ledger has 1"]),
        (vec![Put(with(&account, "following", number(0)))], vec!["following_count of gull is 0, its ledger has 1"]),
        (
            vec![Take(one(items, &format!("FL#{gull}"), ""))],
            vec![
                "followers_count of gull is 1, its ledger has 0",
                "the follow of gull by tern is counted, but has no row in the ledger of gull (edge _)",
            ],
        ),
        (
            vec![Take(one(items, &format!("FW#{gull}"), ""))],
            vec![
                "following_count of gull is 1, its ledger has 0",
                "the follow of tern by gull is counted, but has no row in the ledger of gull (edge _)",
            ],
        ),
        (
            vec![Take(follow.clone())],
            [no_edge.as_slice(), &["the timeline of tern shows gull, whom it does not follow (rows: 1)"]].concat(),
        ),
        (vec![Take(follow), Put(hidden)], no_edge),
        (vec![Put(with(&followers, "mode", json!({"S": "crossing"})))], vec!["gull is between two ways of delivery"]),
    ]
}

/// Where the open socket is, which its name decides, and a place where none is.
pub(super) fn places(items: &Items) -> [u64; 2] {
    let place = one(items, "WS#", "WS")["slot"]["N"].as_str().unwrap().parse().unwrap();
    [place, (place + 1) % MAX_SOCKETS as u64]
}

fn of_sockets(items: &Items) -> Vec<Case> {
    let (socket, owner) = (one(items, "U#", "W#"), one(items, "WS#", "WS"));
    let [_, another] = places(items);
    vec![
        (vec![Take(socket)], vec!["a socket's name is gull's in its place, where it is not"]),
        (vec![Take(owner.clone())], vec!["gull has a socket in its place, whose name is not theirs"]),
        (
            vec![Put(with(&owner, "slot", number(another)))],
            vec![
                "a socket's name is gull's in another place, where it is not",
                "gull has a socket in its place, whose name is not theirs",
            ],
        ),
    ]
}

fn of_groups(items: &Items, gull: &str, tern: &str) -> Vec<Case> {
    let group = one(items, "G#", "M");
    let (owner, member) = (one(items, "G#", &format!("m#{gull}")), one(items, "G#", &format!("m#{tern}")));
    let membership = one(items, &format!("U#{tern}"), "H#4#");
    let stranger = "gull moderates grp__, which does not tell so, or of another role";
    let sees = "tern sees grp__, but is no member, or in another role";
    vec![
        (vec![Put(with(&group, "members", number(5)))], vec!["members_count of grp__ is 5, its members are 2"]),
        (vec![Take(member.clone())], vec!["members_count of grp__ is 2, its members are 1", sees]),
        (
            vec![Put(with(&membership, "role", json!({"S": "owner"})))],
            vec!["tern is a member of grp__, but sees nothing of it, or in another role", sees],
        ),
        (vec![Take(membership)], vec!["tern is a member of grp__, but sees nothing of it, or in another role"]),
        (
            vec![Put(with(&member, "un", json!({"BOOL": true})))],
            vec!["tern has left grp__, but is not removed yet", sees],
        ),
        (
            vec![Put(without(&member, "counted"))],
            vec!["members_count of grp__ is 2, its members are 1", "tern in grp__ is not counted yet"],
        ),
        (vec![Put(with(&group, "staff", json!({"M": {}})))], vec![stranger, "the Group at G#_ M has no owner"]),
        (
            vec![Put(with(&owner, "role", json!({"S": "member"})))],
            vec![
                "grp__ tells that gull moderates it, who is no member, or in another role",
                "gull is a member of grp__, but sees nothing of it, or in another role",
                "gull sees grp__, but is no member, or in another role",
            ],
        ),
        (vec![Take(one(items, "GD", ""))], vec!["grp__ is public, but not in the list"]),
        (
            vec![Take(group)],
            vec![
                "grp__ is gone, but in the list of public groups",
                "grp__ is gone, but its members are 2 for members_count",
                stranger,
            ],
        ),
    ]
}

fn of_blocks(gull: &str, tern: &str) -> Vec<Case> {
    let act = "01HF7YAT000000000000000001";
    let item = |user: &str, other: &str, name: &str, value: Value| {
        let mut item = json!({"PK": {"S": format!("U#{user}")}, "SK": {"S": format!("H#3#{other}")}});
        item[name] = value;
        item
    };
    let yes = json!({"BOOL": true});
    let row = json!({"PK": {"S": format!("U#{tern}")}, "SK": {"S": format!("B#{act}#{gull}")}});
    let ending = with(&item(tern, gull, "mute", yes.clone()), "ttl", number(9_999_999_999));
    vec![
        (
            vec![Put(item(tern, gull, "out", json!({ "S": act })))],
            vec![
                "tern blocks gull, but has no row in the list",
                "tern blocks gull, who sees nothing of it",
                "tern follows gull, though one of them blocks the other",
            ],
        ),
        (
            vec![Put(item(gull, tern, "in", yes))],
            vec![
                "gull follows tern, though one of them blocks the other",
                "gull is blocked by tern, who does not block",
            ],
        ),
        (vec![Put(row)], vec!["tern does not block gull, but has a row in the list"]),
        (vec![Put(ending)], vec!["the Relationship at U#tern H#3#gull is a block or a mute, but ends by a ttl"]),
        (
            vec![Put(item(tern, gull, "unf_until", number(1)))],
            vec!["the Relationship at U#tern H#3#gull says nothing, but has no ttl and would stay for ever"],
        ),
    ]
}

fn of_names(items: &Items, gull: &str) -> Vec<Case> {
    let indexed = one(items, &format!("U#{gull}"), "SN");
    vec![
        (vec![Take(one(items, "US#gul", ""))], vec!["the number of rows of the names of gull is 5, its rows are 4"]),
        (
            vec![Take(indexed.clone())],
            vec![
                "gull is not found by any name",
                "the names of gull is gone, but its rows are 5 for the number of rows",
            ],
        ),
        (vec![Put(without(&indexed, "done"))], vec!["the names of gull are not indexed yet"]),
    ]
}

const NOT_NOTED: &str = "gull uses #mudflats since hour 0 in 1 posts, but 0 are noted for it";

fn of_posts(items: &Items, gull: &str, tern: &str) -> Vec<Case> {
    let (post, account) = (one(items, "A#", ""), one(items, &format!("U#{gull}"), "P#n"));
    let own = one(items, &format!("TL#{gull}"), "");
    let strangers = json!({"S": format!("01HF7YAT000000000000000001.{tern}")});
    vec![
        (vec![Put(with(&post, "likes", number(3)))], vec!["likes_count of the post is 3, its ledger has 1"]),
        (vec![Put(with(&account, "posts", number(2)))], vec!["posts_count of gull is 2, its partition has 1"]),
        (vec![Take(own.clone())], vec!["the post is not in its author's own timeline"]),
        (
            vec![Take(post)],
            vec![
                "posts_count of gull is 1, its partition has 0",
                "the post is gone, but indexed",
                "the post is gone, but its audience has 1 for views_count",
                "the post is gone, but its comments are 1 for comments_count",
                "the post is gone, but its ledger has 1 for likes_count",
                "the post is gone, but stands in its author's own timeline",
            ],
        ),
        (vec![Take(one(items, "IX#", "IX"))], vec![NOT_NOTED, "the post is not indexed"]),
        (vec![Put(without(&one(items, "IX#", "IX"), "used"))], vec![NOT_NOTED]),
        (
            vec![Take(one(items, "TA#mudflats", ""))],
            vec![
                "gull uses #mudflats since hour 0 in 0 posts, but 1 are noted for it",
                "the count of #mudflats in hour 0 is 1, but 0 authors use it since",
            ],
        ),
        (
            vec![Put(with(&one(items, "TR#", ""), "n", number(2)))],
            vec!["the count of #mudflats in hour 0 is 2, but 1 authors use it since"],
        ),
        (vec![Put(without(&one(items, "IX#", "IX"), "done"))], vec!["the post is not indexed yet"]),
        // Of somebody whom gull follows, whether or not the post is there: no feed shows it.
        (vec![Put(with(&own, "SK", strangers))], vec![]),
    ]
}

fn of_comments(items: &Items, gull: &str) -> Vec<Case> {
    let (post, comment) = (one(items, "A#", ""), one(items, "C#", "R#"));
    let below = comment["PK"]["S"].as_str().unwrap().replace("C#", "");
    let own = comment["SK"]["S"].as_str().unwrap().replace("R#", "");
    let uncounted = json!({"PK": {"S": format!("U#{gull}")}, "SK": {"S": format!("H#2#{own}.{below}")}, "n": number(1),
        "ttl": number(9_999_999_999)});
    let yes = json!({"BOOL": true});
    let lost = [
        "comments_count of the post is 1, its comments are 0",
        "the number of comments of the post on its day is 1, its comments are 0",
    ];
    vec![
        (vec![Put(with(&post, "comments", number(3)))], vec!["comments_count of the post is 3, its comments are 1"]),
        (vec![Take(comment.clone())], lost.to_vec()),
        (vec![Put(without(&comment, "counted"))], vec![lost[0], "pst__.gull._.gull is not counted yet", lost[1]]),
        (vec![Put(with(&comment, "un", yes.clone()))], vec!["pst__.gull._.gull was undone, but is not removed yet"]),
        (vec![Put(uncounted)], vec!["what gull did with pst__.gull._.gull is not counted yet"]),
        (
            vec![Put(with(&post, "todo", yes))],
            vec!["what follows from the last edit of the post is not on its way yet"],
        ),
    ]
}

fn of_counts(items: &Items) -> Vec<Case> {
    let (post, audience, days) = (one(items, "A#", ""), one(items, "V#", "A"), one(items, "V#", "D#"));
    let hour = one(items, "V#", "H#");
    let likes = days.as_object().unwrap().keys().find(|name| name.starts_with('l')).unwrap().clone();
    let number_of = |item: &Value, name: &str, n| {
        let mut item = item.clone();
        item[name]["M"].as_object_mut().unwrap().values_mut().for_each(|value| *value = number(n));
        item
    };
    vec![
        (vec![Put(with(&post, "views", number(3)))], vec!["views_count of the post is 3, its audience has 1"]),
        (
            vec![Put(with(&days, &likes, number(2)))],
            vec!["the number of likes of the post on its day is 2, its ledger has 1"],
        ),
        (
            vec![Take(days)],
            vec![
                "the post on its day is gone, but its comments are 1 for the number of comments",
                "the post on its day is gone, but its ledger has 1 for the number of likes",
            ],
        ),
        (
            vec![Put(number_of(&audience, "hours", 2))],
            vec!["the number of views of the post in the hour 0 is 2, its viewers are 1"],
        ),
        (vec![Take(hour)], vec!["the number of views of the post in the hour 0 is 1, its viewers are 0"]),
        (
            vec![Put(number_of(&audience, "days", 2))],
            vec!["the Audience at V#_.gull A has 2 views by day, but 1 in all"],
        ),
        (
            vec![Put(with(&audience, "viewers", json!({"B": "AwA="})))],
            vec![
                "the Audience at V#_.gull A can't be read: InvalidData => insufficient data (preamble_ints): failed to fill whole buffer",
                "the post in the hour 0 is gone, but its viewers are 1 for the number of views",
                "views_count of the post is 1, its audience has 0",
            ],
        ),
    ]
}

fn of_scheduled(items: &Items, gull: &str) -> Vec<Case> {
    let (scheduled, due) = (one(items, &format!("U#{gull}"), "S#"), one(items, "DUE#", ""));
    vec![
        (vec![Take(due)], vec!["sch__ of gull waits, but is not due at its time"]),
        (
            vec![Take(scheduled.clone())],
            vec![
                "sch__ of gull does not wait, but is due",
                "the count of waiting posts of gull is 1, its partition has 0",
            ],
        ),
        (
            vec![Put(with(&scheduled, "ttl", number(9_999_999_999)))],
            vec![
                "sch__ of gull does not wait, but is due",
                "the Scheduled at U#gull S#_ ends before it is out",
                "the count of waiting posts of gull is 1, its partition has 0",
            ],
        ),
    ]
}

fn of_notifications(items: &Items, gull: &str) -> Vec<Case> {
    let (of_gull, told) = (format!("U#{gull}"), format!("NE#{gull}"));
    let (mark, group) = (one(items, &of_gull, "NM"), one(items, &of_gull, "NT#"));
    let wrong = |n: &'static str| vec![n];
    vec![
        (
            vec![Put(with(&mark, "unread", number(5)))],
            wrong("the unread count of gull is 5, but 2 notifications are unread"),
        ),
        (
            vec![Put(with(&group, "read", json!({"BOOL": true})))],
            wrong("the unread count of gull is 2, but 1 notifications are unread"),
        ),
        (
            vec![Put(with(&mark, "upto", mark["last"].clone()))],
            wrong("the unread count of gull is 2, but 0 notifications are unread"),
        ),
        (vec![Put(with(&group, "n", number(2)))], wrong("n of ntf__ of gull is 2, its events are 1")),
        (vec![Take(one(items, &told, "E#"))], wrong("n of ntf__ of gull is 1, its events are 0")),
        (
            vec![Take(group)],
            vec![
                "ntf__ of gull is gone, but its events are 1 for n",
                "the unread count of gull is 2, but 1 notifications are unread",
            ],
        ),
    ]
}

fn of_accounts(items: &Items, gull: &str, tern: &str) -> Vec<Case> {
    let (name, profile) = (one(items, "N#gull", "N"), one(items, &format!("U#{gull}"), "P"));
    let account = one(items, &format!("U#{gull}"), "P#n");
    let terns = with(&name, "id", json!({"S": format!("usr_{tern}")}));
    let old = with(&with(&name, "PK", json!({"S": "N#gull_then"})), "free_at", number(1));
    let nobodys = json!({"PK": {"S": "U#01HF7YAT000000000000000001"}, "SK": {"S": "NM"}, "unread": number(0)});
    let log = json!({"PK": {"S": "AL#01HF7YAT000000000000000001"}, "SK": {"S": "01HF7YAT000000000000000002"},
        "id": {"S": "act_01HF7YAT000000000000000002"}, "type": {"S": "follow"}, "ttl": number(9_999_999_999)});
    let nobody = "01HF7YAT000000000000000001";
    let removed = json!({"PK": {"S": "DEL"}, "SK": {"S": gull}, "at": number(1), "next": number(2), "pass": number(0)});
    let tombstone = json!({"PK": {"S": format!("U#{nobody}")}, "SK": {"S": "P"}, "id": {"S": format!("usr_{nobody}")},
        "username": {"S": ""}, "ver": number(2), "deleted": number(1)});
    let password = json!({"PK": {"S": format!("U#{nobody}")}, "SK": {"S": "G#K"}, "id": {"S": format!("usr_{nobody}")},
        "hash": {"S": "any"}});
    let held = json!({"PK": {"S": format!("N#{}", "x".repeat(43))}, "SK": {"S": "N"}, "free_at": number(1),
        "ttl": number(9_999_999_999)});
    let failures = json!({"PK": {"S": "U#01HF7YAT000000000000000001"}, "SK": {"S": "G#F"}, "ttl": number(9_999_999_999),
        "window": number(1), "n": number(1)});
    vec![
        (vec![Take(name)], vec!["gull has a username that no guard (N#gull) holds for it"]),
        (
            vec![Put(terns)],
            vec![
                "gull has a username that no guard (N#gull) holds for it",
                "the guard N#gull holds a username for tern, who has another",
            ],
        ),
        (vec![Put(old)], vec![]),
        (
            vec![Put(with(&profile, "username", json!({"S": "puffin"})))],
            vec![
                "gull has a username that no guard (N#puffin) holds for it",
                "the guard N#gull holds a username for gull, who has another",
            ],
        ),
        (
            vec![Put(with(&account, "email", json!({"S": "TERN@example.com"})))],
            vec![
                "gull has an address that no guard (E#Vo_ICfu4OJDKN82kZ_BOiA) holds for it",
                "the guard E#9ILJO4gy6a4pKjpNjwkwDg holds an address for gull, who has another",
            ],
        ),
        (vec![Take(one(items, &format!("U#{gull}"), "G#K"))], vec!["gull has an account without Credentials"]),
        (vec![Put(nobodys)], vec!["usr__ has no account, but 1 items that belong to one"]),
        (vec![Put(log.clone())], vec!["usr__ has no account, but an activity log"]),
        (
            vec![Put(with(
                &with(&log, "PK", json!({"S": format!("AL#{gull}")})),
                "SK",
                json!({"S": "01HF7YAT000000000000000003"}),
            ))],
            vec!["the Activity at AL#gull _ names another id: act__"],
        ),
        // A failed sign-in at a name that nobody has.
        (vec![Put(failures)], vec![]),
        (vec![Put(removed.clone())], vec!["gull is not deleted, but being removed"]),
        (vec![Put(tombstone.clone())], vec!["usr__ is deleted, but nobody removes what it left"]),
        (vec![Put(tombstone.clone()), Put(with(&removed, "SK", json!({"S": nobody})))], vec![]),
        (
            vec![Put(tombstone), Put(with(&removed, "SK", json!({"S": nobody}))), Put(password)],
            vec!["usr__ is deleted, but may sign in"],
        ),
        // A name that is held, whose it was nobody knows.
        (vec![Put(held)], vec![]),
    ]
}

fn of_deliveries(items: &Items, gull: &str, tern: &str) -> Vec<Case> {
    let followers = one(items, &format!("U#{gull}"), "P#f");
    let pulled = || Put(with(&followers, "mode", json!({"S": "pull"})));
    let merged = |author: &str| {
        let (pk, sk) = (format!("U#{tern}"), format!("H#1#{author}"));
        json!({"PK": {"S": pk}, "SK": {"S": sk}, "epoch": number(1)})
    };
    let overflow = json!({"PK": {"S": format!("FO#{gull}")}, "SK": {"S": tern}, "epoch": number(1)});
    let nobody = "01HF7YAT000000000000000001";
    let strangers = with(&overflow, "SK", json!({"S": nobody}));
    let ending = with(&merged(gull), "ttl", number(9_999_999_999));
    vec![
        (vec![pulled()], vec!["tern follows gull, but merges no posts of it"]),
        (vec![pulled(), Put(merged(gull))], vec![]),
        (vec![pulled(), Put(overflow.clone())], vec![]),
        (vec![pulled(), Put(ending.clone())], vec!["tern follows gull, but merges no posts of it"]),
        (vec![pulled(), Put(merged(gull)), Put(overflow.clone())], vec!["tern merges gull and is pushed to as well"]),
        (vec![pulled(), Put(merged(gull)), Put(strangers.clone())], vec!["usr__ merges gull, but does not follow"]),
        (vec![Put(strangers)], vec!["usr__ merges gull, but does not follow"]),
        (vec![Put(merged(nobody))], vec!["tern merges usr__, but does not follow"]),
        (vec![Put(merged(gull))], vec!["tern merges gull without an end, who pushes to all"]),
        (vec![Put(overflow)], vec!["tern merges gull without an end, who pushes to all"]),
        // As an author leaves them who came back.
        (vec![Put(ending)], vec![]),
        (
            vec![Put(without(&merged(gull), "epoch"))],
            vec![
                "tern merges gull without an end, who pushes to all",
                "the MergedAuthor at U#tern H#1#gull can't be read: missing field `epoch`",
            ],
        ),
    ]
}

fn of_moderation(items: &Items, gull: &str) -> Vec<Case> {
    let (report, reported) = (one(items, "RQ#open", ""), one(items, "R#", ""));
    let (profile, credentials) = (one(items, &format!("U#{gull}"), "P"), one(items, &format!("U#{gull}"), "G#K"));
    let dismissed = with(&with(&report, "PK", json!({"S": "RQ#dismissed"})), "status", json!({"S": "dismissed"}));
    let hidden = with(&profile, "suspended", number(1_700_000_000_000));
    let shut = with(&credentials, "suspended", json!({"BOOL": true}));
    let account = one(items, &format!("U#{gull}"), "P#n");
    let factor = json!({"M": {"secret": {"S": "x"}, "step": {"N": "1"}, "recovery": {"L": [{"S": "y"}]}}});
    let factor = with(&credentials, "factor", factor);
    vec![
        (vec![Take(report.clone())], vec!["tern has reported the post, but rpt__ lies in 0 lists"]),
        (vec![Put(dismissed.clone())], vec!["tern has reported the post, but rpt__ lies in 2 lists"]),
        (vec![Take(report.clone()), Put(dismissed)], vec![]),
        (vec![Take(reported)], vec!["rpt__ lies in 1 lists, but nothing says that tern has reported the post"]),
        (
            vec![Put(with(&report, "status", json!({"S": "resolved"})))],
            vec![
                "tern has reported the post, but rpt__ lies in 0 lists",
                "the Report at RQ#open _ says it is resolved",
            ],
        ),
        (
            vec![Put(hidden.clone())],
            vec!["gull is gone or suspended, but found by name", "gull is suspended, but may sign in"],
        ),
        (
            vec![Put(shut.clone())],
            vec!["gull is not suspended, but may not sign in", "gull is suspended, but has sessions: 1"],
        ),
        (
            vec![Put(with(&account, "recovery_codes", number(10)))],
            vec!["gull says it has a second factor, but has none"],
        ),
        (vec![Put(factor.clone())], vec!["gull has a second factor, but says it has none"]),
        (
            vec![Put(factor.clone()), Put(with(&account, "recovery_codes", number(10)))],
            vec!["gull says that 10 recovery codes are left, but has 1"],
        ),
        (vec![Put(factor), Put(with(&account, "recovery_codes", number(1)))], vec![]),
        (
            vec![Put(hidden), Put(shut), Take(one(items, &format!("U#{gull}"), "H#0#"))],
            vec!["gull is gone or suspended, but found by name"],
        ),
    ]
}

fn of_items(items: &Items, gull: &str, tern: &str) -> Vec<Case> {
    let session = one(items, &format!("U#{gull}"), "H#0#");
    let credentials = one(items, &format!("U#{gull}"), "G#K");
    let stray = json!({"PK": {"S": format!("U#{gull}")}, "SK": {"S": "Q#1"}});
    vec![
        (vec![Put(stray.clone())], vec!["U#gull Q#1 is the key of no entity"]),
        // One whose time is over is as good as gone.
        (vec![Put(with(&stray, "ttl", number(1)))], vec![]),
        (vec![Put(without(&session, "ttl"))], vec!["the Session at U#gull H#0#_ has no ttl and would stay for ever"]),
        (
            vec![Put(without(&credentials, "hash"))],
            vec!["the Credentials at U#gull G#K can't be read: missing field `hash`"],
        ),
        (
            vec![Put(with(&credentials, "id", json!({"S": format!("usr_{tern}")})))],
            vec!["the Credentials at U#gull G#K names another id: tern"],
        ),
    ]
}
