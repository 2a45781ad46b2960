//! Keys, and the ranges that hold them.

use super::*;
use crate::clock::Timestamp;
use crate::ids::{ActivityId, GroupId, MediaId, NotificationId, PostId, ReportId, ScheduledId, SessionId};
use crate::models::days::Hour;
use crate::models::notification::{NotificationKind, Topic};
use crate::models::report::ReportStatus;
use crate::models::scheduled::DueEntry;
use crate::models::search::Term;
use crate::models::user::Username;
use ulid::Ulid;

fn sample() -> (UserId, UserId, PostId, Ulid) {
    let ulid = |n: u128| Ulid::from_parts(1_700_000_000_000, n);
    let (a, b) = (UserId::from_ulid(ulid(1)), UserId::from_ulid(ulid(2)));
    (a, b, PostId::of(ulid(3), b), ulid(4))
}

/// A changed key is a migration: it should show as a changed line here.
#[test]
fn keys() {
    let (a, b, post, edge) = sample();
    let comment = post.comment(edge, a).unwrap();
    let media = MediaId { ulid: edge, owner: a };
    let due = DueEntry { at: Timestamp::from_millis(1_700_000_000_007), user: a, id: ScheduledId::from_ulid(edge) };
    let hour = Hour::of(due.at);
    let shown = |key: Key| format!("{} {}", key.pk, key.sk).replace("01HF7YAT00000000000000000", "_");
    let name = Username::from_path("Ann").unwrap();
    let kind = NotificationKind::Like;
    let group = GroupId::from_ulid(edge);
    let shared = PostId::shared_in(Some(group), post.ulid, b);
    let asked = Topic { kind: NotificationKind::GroupRequest, owner: a, post: None, group: Some(group) };
    let keys = [
        (key::profile(a), "U#_1 P"),
        (key::account(a), "U#_1 P#n"),
        (key::followers(a), "U#_1 P#f"),
        (key::failures(a), "U#_1 G#F"),
        (key::credentials(a), "U#_1 G#K"),
        (key::session(a, SessionId::from_ulid(edge)), "U#_1 H#0#_4"),
        (key::merged_author(a, b), "U#_1 H#1#_2"),
        (key::pending_count(a, comment), "U#_1 H#2#_4._1._3._2"),
        (key::relationship(a, b), "U#_1 H#3#_2"),
        (key::membership(a, group), "U#_1 H#4#_4"),
        (key::block(a, edge, b), "U#_1 B#_4#_2"),
        (key::follow(a, b), "U#_1 F#_2"),
        (key::like(a, post), "U#_1 L#_3._2"),
        (key::follower_row(b, edge, a), "FL#_2 _4#_1"),
        (key::following_row(a, edge, b), "FW#_1 _4#_2"),
        (key::pushed_follower(b, a), "FO#_2 _1"),
        (key::like_row(post, edge, a), "LK#_3._2 _4#_1"),
        (key::post(post), "A#_2 T#_3"),
        (key::post(comment), "C#_3._2 R#_4._1"),
        (key::group(group), "G#_4 M"),
        (key::member(group, a), "G#_4 m#_1"),
        (key::join_request(group, a), "G#_4 q#_1"),
        (key::post(shared), "G#_4 T#_3._2"),
        (key::post(shared.comment(edge, a).unwrap()), "C#_3._2._4 R#_4._1"),
        (key::discoverable(group), "GD _4"),
        (key::scheduled(a, ScheduledId::from_ulid(edge)), "U#_1 S#_4"),
        (key::due(due), "DUE#472222 1700000000007#_1#_4"),
        (key::posting(&Term::hashtag("Tide"), post), "W##tide _3._2"),
        (key::indexed(post), "IX#_3._2 IX"),
        (key::media(media), "M#_1 M#_4"),
        (key::unattached_media(media), "MX#472222 _4._1"),
        (key::cleanup_cursor(), "MX MX"),
        (key::audience(post), "V#_3._2 A"),
        (key::hour_audience(post, hour), "V#_3._2 H#472222"),
        (key::days(post, hour.day().month()), "V#_3._2 D#00655"),
        (key::timeline_row(a, post), "TL#_1 _3._2"),
        (key::name_guard(&name), "N#ann N"),
        (key::mail_token(edge), "X#_4 X"),
        (key::idempotency(Some(a), "h"), "U#_1 I#h"),
        (key::idempotency(None, "h"), "IA#h I#h"),
        (key::rate_limit("login", 7), "RL#login 000000000007"),
        (key::read_mark(a), "U#_1 NM"),
        (key::notification(a, NotificationId::from_ulid(edge)), "U#_1 NT#_4"),
        (key::notification_event(a, NotificationId::from_ulid(edge)), "NE#_1 E#_4"),
        (key::notification_done(a, kind, Some(post), b), "NE#_1 D#like#_3._2#_2"),
        (key::notification_group(a, kind, None::<PostId>), "NE#_1 G#like#"),
        (key::notification_group(a, asked.kind, &asked), "NE#_1 G#group_request#_4"),
        (key::reported(post, a), "R#_3._2 _1"),
        (key::report(ReportStatus::Open, ReportId::from_ulid(edge)), "RQ#open _4"),
        (key::moderation(edge), "ML#2023-11 _4"),
        (key::moderator_named(&name), "MOD#ann MOD"),
        (key::tag_use("tide", a), "TA#tide _1"),
        (key::tag_count(3, 472_222, "tide"), "TR#3 0472222#tide"),
        (key::top(), "TOP TOP"),
        (key::socket(a, 7), "U#_1 W#07"),
        (key::socket_owner("c="), "WS#c= WS"),
        (key::activity(a, ActivityId::from_ulid(edge)), "AL#_1 _4"),
        (key::deletion(a), "DEL _1"),
        (key::held_name("hash"), "N#hash N"),
        (key::held_moderator("hash"), "MOD#hash MOD"),
    ];
    for (key, expected) in keys {
        assert_eq!(shown(key), expected);
    }
}

#[test]
fn ranges_hold_what_they_name() {
    let (a, b, post, edge) = sample();
    let holds = |range: Range, key: Key| range.pk == key.pk && range.from <= key.sk && key.sk <= range.to;
    assert!(holds(key::profile_page(a), key::profile(a)) && holds(key::profile_page(a), key::followers(a)));
    assert!(holds(key::sign_in(a), key::credentials(a)) && !holds(key::sign_in(a), key::failures(a)));
    assert!(holds(key::sign_in(a), key::session(a, SessionId::new(Timestamp::from_millis(1)))));
    assert!(!holds(key::sign_in(a), key::merged_author(a, b)));
    assert!(holds(key::viewer(a), key::relationship(a, b)) && !holds(key::viewer(a), key::credentials(a)));
    let group = GroupId::from_ulid(edge);
    assert!(holds(key::viewer(a), key::membership(a, group)) && holds(key::members(group), key::member(group, a)));
    assert!(
        !holds(key::members(group), key::join_request(group, a)) && !holds(key::posts_in(group), key::group(group))
    );
    assert!(holds(key::in_group(group), key::group(group)) && holds(key::in_group(group), key::member(group, a)));
    let comment = post.comment(edge, a).unwrap();
    assert!(holds(key::comments(post), key::post(comment)) && !holds(key::comments(comment), key::post(comment)));
    let at = |ms: u64| Timestamp::from_millis(1_700_000_000_000 + ms);
    let due = |ms| key::due(DueEntry { at: at(ms), user: a, id: ScheduledId::from_ulid(edge) });
    assert!(holds(key::due_by(472_222, at(7)), due(7)) && !holds(key::due_by(472_222, at(7)), due(8)));
    assert_eq!(key::read_due(due(7).sk()).map(|due| due.at), Some(at(7)));
    assert!(holds(key::viewer(a), key::pending_count(a, comment)));
    let hour = Hour::of(at(0));
    let (all, days) = (key::audience(post), key::days(post, hour.day().month()));
    assert!(holds(key::analytics(post), all.clone()) && holds(key::analytics(post), days.clone()));
    assert!(!holds(key::analytics(post), key::hour_audience(post, hour)));
    assert!([all, days, key::hour_audience(post, hour)].into_iter().all(|key| holds(key::counted(post), key)));
    assert!(holds(key::activities(a), key::activity(a, ActivityId::from_ulid(edge))));
    let count = |hour| key::tag_count(0, hour, "größe");
    assert!(holds(key::tag_counts(0, 7), count(7)) && !holds(key::tag_counts(0, 7), count(6)));
    assert_eq!(key::read_tag_count(count(7).sk()), Some((7, "größe")));
    assert!(holds(key::likes(a), key::like(a, post)) && holds(key::like_rows(post), key::like_row(post, edge, a)));
    assert_eq!(key::other_end(key::like_row(post, edge, a).sk()), Some(a));
}
