//! Suggested users, each with its reason.

use crate::clock::Timestamp;
use crate::ids::UserId;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Suggestions kept: with their reasons about 4 KB.
pub const KEPT: usize = 30;
/// Read units that a day's computing may cost an account.
pub const DAILY_UNITS: u64 = 500;
/// Computed again no sooner than this, however little it costs.
const SOONEST: Duration = Duration::from_secs(600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Suggestions that nobody asks for any more end. No longer than it takes to remove a deleted account, whom others' may
/// name: nothing tells whose.
pub const LIFETIME: Duration = Duration::from_secs(48 * 3_600);

/// What was computed for somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestions {
    pub at: Timestamp,
    /// No sooner is it computed again.
    pub next: Timestamp,
    /// Best first.
    pub people: Vec<Suggested>,
    /// Seconds since the epoch.
    pub ttl: u64,
}

impl Suggestions {
    pub fn new(now: Timestamp, people: Vec<Suggested>, units: u64) -> Self {
        Self { at: now, next: now + pause(units), people, ttl: (now + LIFETIME).seconds() }
    }

    /// Those whom people follow that one follows.
    pub fn followed_by(&self) -> HashSet<UserId> {
        let followed = self.people.iter().filter(|one| matches!(one.reason, Reason::FollowedBy { .. }));
        followed.map(|one| one.id).collect()
    }
}

/// So long until it may be computed again, for it not to cost more than [`DAILY_UNITS`] a day.
fn pause(units: u64) -> Duration {
    let share = DAY.as_secs().saturating_mul(units).div_ceil(DAILY_UNITS);
    Duration::from_secs(share.clamp(SOONEST.as_secs(), DAY.as_secs()))
}

/// Somebody, and the strongest reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggested {
    pub id: UserId,
    #[serde(flatten)]
    pub reason: Reason,
}

/// Why somebody is suggested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "r", rename_all = "snake_case")]
pub enum Reason {
    /// How many of those one follows do follow them, at least.
    FollowedBy { n: u64 },
    /// Interests that both have.
    Interests { of: Vec<String> },
    /// Hashtags that both use.
    Hashtags { of: Vec<String> },
    /// Many follow them.
    Popular,
}

/// What ties somebody to each candidate.
#[derive(Debug, Default)]
pub struct Tally(HashMap<UserId, Ties>);

#[derive(Debug, Default)]
struct Ties {
    friends: u64,
    interests: Vec<String>,
    hashtags: Vec<String>,
    /// The place among those many follow.
    place: Option<usize>,
}

impl Ties {
    fn score(&self) -> u64 {
        3 * self.friends + 2 * (self.interests.len() + self.hashtags.len()) as u64
    }

    fn reason(self) -> Reason {
        let first = |mut names: Vec<String>| {
            names.truncate(3);
            names
        };
        let (interests, hashtags) = (2 * self.interests.len() as u64, 2 * self.hashtags.len() as u64);
        match 3 * self.friends {
            friends if friends > 0 && friends >= interests.max(hashtags) => Reason::FollowedBy { n: self.friends },
            _ if interests > 0 && interests >= hashtags => Reason::Interests { of: first(self.interests) },
            _ if hashtags > 0 => Reason::Hashtags { of: first(self.hashtags) },
            _ => Reason::Popular,
        }
    }
}

impl Tally {
    /// Somebody one follows follows them.
    pub fn followed(&mut self, id: UserId) {
        self.0.entry(id).or_default().friends += 1;
    }

    pub fn interest(&mut self, id: UserId, interest: &str) {
        self.0.entry(id).or_default().interests.push(interest.to_owned());
    }

    /// Once for each hashtag, however often they use it.
    pub fn hashtag(&mut self, id: UserId, tag: &str) {
        let hashtags = &mut self.0.entry(id).or_default().hashtags;
        if hashtags.last().is_none_or(|last| last != tag) {
            hashtags.push(tag.to_owned());
        }
    }

    pub fn popular(&mut self, id: UserId, place: usize) {
        self.0.entry(id).or_default().place = Some(place);
    }

    /// The best, best first.
    pub fn best(self, most: usize) -> Vec<Suggested> {
        let mut all: Vec<(UserId, Ties)> = self.0.into_iter().collect();
        all.sort_by_key(|(id, ties)| (Reverse(ties.score()), ties.place.unwrap_or(usize::MAX), *id));
        all.truncate(most);
        all.into_iter().map(|(id, ties)| Suggested { id, reason: ties.reason() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_come_first_each_with_the_strongest_reason() {
        let id = |n: u128| UserId::from_ulid(ulid::Ulid::from_parts(1, n));
        let mut tally = Tally::default();
        (0..2).for_each(|_| tally.followed(id(1)));
        tally.followed(id(2));
        for tag in ["tide", "tide", "wind"] {
            tally.hashtag(id(2), tag);
        }
        tally.interest(id(3), "herring");
        for (place, n) in [4, 3, 5].into_iter().enumerate() {
            tally.popular(id(n), place);
        }
        let best = tally.best(4);
        let reasons: Vec<_> = best.into_iter().map(|one| (one.id, one.reason)).collect();
        let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(
            reasons,
            [
                (id(2), Reason::Hashtags { of: of(&["tide", "wind"]) }),
                (id(1), Reason::FollowedBy { n: 2 }),
                (id(3), Reason::Interests { of: of(&["herring"]) }),
                (id(4), Reason::Popular),
            ]
        );
    }

    #[test]
    fn a_day_costs_no_more_than_its_share() {
        assert_eq!(pause(0), SOONEST);
        assert_eq!(pause(250), DAY / 2);
        assert_eq!(pause(5_000), DAY);
    }
}
