//! Which hashtags are used most lately.
//!
//! An author counts once per tag in a day, whatever they post, and less with each hour since; a tag needs a few authors
//! to be told at all. So nobody lifts a tag alone.

use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::HashMap;

/// Hours that a use counts, the one it is in included; and that an author's next use of the tag is the same one.
pub const WINDOW: u64 = 24;
/// Hours after which a use weighs half.
const HALF_LIFE: f64 = 6.0;
/// A tag of fewer authors is not told.
const MIN_AUTHORS: u64 = 3;
/// Hashtags in the list, at most.
const MOST: usize = 50;

/// That an author uses a tag, since an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagUse {
    pub hour: u64,
    /// Posts of the author that have it since.
    pub posts: u64,
    /// Seconds since the epoch.
    pub ttl: u64,
}

/// Authors who began to use a tag in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagCount {
    pub n: u64,
    /// Seconds since the epoch.
    pub ttl: u64,
}

/// What is used most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrendingSnapshot {
    pub tags: Vec<Trend>,
    /// Seconds since the epoch.
    pub ttl: u64,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    pub tag: String,
    pub authors: u64,
    pub score: f64,
}

/// Whether a use of this hour counts still.
pub const fn counts(hour: u64, now: u64) -> bool {
    hour + WINDOW > now
}

/// The tags used most, by how many authors began to use each in which hour.
#[derive(Debug, Default)]
pub struct Tally(HashMap<String, (u64, f64)>);

impl Tally {
    pub fn add(&mut self, tag: &str, hour: u64, now: u64, n: u64) {
        let age = now.saturating_sub(hour);
        if n == 0 || age >= WINDOW {
            return;
        }
        let weight = (-(age as f64) / HALF_LIFE).exp2();
        let (authors, score) = self.0.entry(tag.to_owned()).or_default();
        *authors += n;
        *score += n as f64 * weight;
    }

    /// Those told, most first.
    pub fn top(self) -> Vec<Trend> {
        let told = self.0.into_iter().filter(|(_, (authors, _))| *authors >= MIN_AUTHORS);
        let thousandths = |score: f64| (score * 1_000.0).round() / 1_000.0;
        let mut tags: Vec<Trend> =
            told.map(|(tag, (authors, score))| Trend { tag, authors, score: thousandths(score) }).collect();
        tags.sort_by(|a, b| {
            b.score.total_cmp(&a.score).then_with(|| (Reverse(a.authors), &a.tag).cmp(&(Reverse(b.authors), &b.tag)))
        });
        tags.truncate(MOST);
        tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(uses: &[(&str, u64, u64)]) -> Vec<(String, u64, f64)> {
        let mut tally = Tally::default();
        uses.iter().for_each(|(tag, hour, n)| tally.add(tag, *hour, 100, *n));
        tally.top().into_iter().map(|trend| (trend.tag, trend.authors, trend.score)).collect()
    }

    #[test]
    fn a_use_weighs_half_after_six_hours_and_nothing_after_a_day() {
        let told = |tag: &str, authors, score| (tag.to_owned(), authors, score);
        assert_eq!(
            top(&[("old", 77, 8), ("half", 94, 4), ("new", 100, 3), ("gone", 76, 99)]),
            [told("new", 3, 3.0), told("half", 4, 2.0), told("old", 8, 0.561)]
        );
        assert_eq!(top(&[("two", 100, 2), ("none", 100, 0)]), []);
        assert_eq!(top(&[("sum", 100, 1), ("sum", 99, 1), ("sum", 94, 1)]), [told("sum", 3, 2.391)]);
        let even = top(&[("b", 100, 3), ("a", 100, 3), ("c", 94, 6)]);
        assert_eq!(even.iter().map(|(tag, ..)| tag.as_str()).collect::<Vec<_>>(), ["c", "a", "b"]);
        let many: Vec<_> = (0..60).map(|n| n.to_string()).collect();
        let many: Vec<_> = many.iter().map(|tag| (tag.as_str(), 100, 3)).collect();
        assert_eq!(top(&many).len(), 50);
    }
}
