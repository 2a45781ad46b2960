//! Days and hours, by which acts are counted. UTC's, as all times here.

use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Days that analytics reach back, today included.
pub const DAYS_SHOWN: u64 = 90;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(u64);

        impl $name {
            /// By its number since the epoch.
            pub const fn from_number(number: u64) -> Self {
                Self(number)
            }

            pub const fn number(self) -> u64 {
                self.0
            }

            /// Reads the number; None where it is none.
            pub fn parse(text: &str) -> Option<Self> {
                let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                is_number.then(|| text.parse().ok().map(Self)).flatten()
            }
        }

        // Names in maps are texts.
        impl From<$name> for String {
            fn from(number: $name) -> Self {
                number.0.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                Self::parse(&text).ok_or_else(|| format!("{text} is no number"))
            }
        }
    };
}

number!(
    /// An hour since the epoch.
    Hour
);
number!(
    /// A day since the epoch.
    Day
);
number!(
    /// Thirty days: what one row holds.
    Month
);

/// Days in a row.
const MONTH: u64 = 30;
/// Rows that a batch of acts may touch: those of the last 120 days, and one more where clocks differ.
pub const MONTHS_KEPT: usize = 5;

impl Hour {
    /// An hour's viewers are known so long after its end: longer than the queue keeps a view.
    const KEPT: Duration = Duration::from_secs(5 * 24 * 3_600);

    pub const fn of(at: Timestamp) -> Self {
        Self(at.millis() / HOUR)
    }

    pub const fn day(self) -> Day {
        Day(self.0 * HOUR / DAY)
    }

    /// Until when it is kept who was counted in it, in seconds since the epoch.
    pub fn kept_until(self) -> u64 {
        (Timestamp::from_millis((self.0 + 1) * HOUR) + Self::KEPT).seconds()
    }

    /// Whether a view in it comes too late: nobody knows any more whether it was counted.
    pub fn is_closed(self, now: Timestamp) -> bool {
        self.kept_until() <= now.seconds()
    }
}

impl Day {
    pub const fn of(at: Timestamp) -> Self {
        Self(at.millis() / DAY)
    }

    /// The days that analytics show, oldest first.
    pub fn shown(now: Timestamp) -> impl Iterator<Item = Self> {
        let today = Self::of(now).0;
        (today.saturating_sub(DAYS_SHOWN - 1)..=today).map(Self)
    }

    /// Whether analytics show it no more.
    pub const fn is_past(self, now: Timestamp) -> bool {
        self.0 + DAYS_SHOWN <= Self::of(now).0
    }

    /// `2026-11-20`
    pub fn date(self) -> String {
        Timestamp::from_millis(self.0 * DAY).rfc3339().chars().take(10).collect()
    }

    pub const fn month(self) -> Month {
        Month(self.0 / MONTH)
    }
}

impl Month {
    /// When the last of its days is shown no more, in seconds since the epoch.
    pub const fn kept_until(self) -> u64 {
        Timestamp::from_millis(((self.0 + 1) * MONTH + DAYS_SHOWN) * DAY).seconds()
    }

    /// Whether its row has ended, or would end at once.
    pub const fn is_over(self, now: Timestamp) -> bool {
        self.kept_until() <= now.seconds()
    }
}

/// What is counted by the day on which it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counted {
    Likes,
    Comments,
}

impl Counted {
    const fn letter(self) -> char {
        match self {
            Self::Likes => 'l',
            Self::Comments => 'c',
        }
    }

    /// The attribute that counts it.
    pub fn attribute(self, day: Day) -> String {
        format!("{}{}", self.letter(), day.0)
    }
}

/// A row of counts by day. Each is an attribute of its own, for those alone can be added to.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct DailyCounts {
    #[serde(flatten)]
    attributes: BTreeMap<String, Value>,
}

impl DailyCounts {
    /// How many by day; deleted ones are taken out.
    pub fn of(&self, what: Counted) -> impl Iterator<Item = (Day, u64)> {
        let count = move |(name, value): (&String, &Value)| {
            Some((Day::parse(name.strip_prefix(what.letter())?)?, u64::try_from(value.as_i64()?).unwrap_or(0)))
        };
        self.attributes.iter().filter_map(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ninety_days_end_today() {
        let now = Timestamp::from_rfc3339("2026-11-20T23:59:59.999Z").unwrap();
        let days: Vec<_> = Day::shown(now).collect();
        assert_eq!((days.len(), days[89].date().as_str(), days[0].date().as_str()), (90, "2026-11-20", "2026-08-23"));
        let midnight = now + Duration::from_millis(1);
        assert!(days.iter().all(|day| !day.is_past(now)) && days[0].is_past(midnight) && !days[1].is_past(midnight));
        assert_eq!(Hour::of(now).day(), days[89]);
        assert_eq!(Hour::of(midnight).day(), Day::of(midnight));
    }

    #[test]
    fn a_row_is_kept_while_a_day_of_it_shows() {
        for day in 20_000..20_121 {
            let now = Timestamp::from_millis(day * DAY + DAY - 1);
            assert!(Day::shown(now).all(|day| !day.month().is_over(now)));
            let months = (0..=Day::of(now).month().0 + 1).map(Month).filter(|month| !month.is_over(now)).count();
            assert!(months <= MONTHS_KEPT, "{months}");
        }
    }

    #[test]
    fn counts_are_told_from_the_rest_of_a_row() {
        let row = json!({"PK": "V#", "SK": "D#00692", "ttl": 9, "l20777": 2, "c20777": 1, "l20778": -1, "like": 3});
        let row: DailyCounts = serde_json::from_value(row).unwrap();
        let counts = |what| row.of(what).map(|(day, n)| (day.0, n)).collect::<Vec<_>>();
        assert_eq!(counts(Counted::Likes), [(20_777, 2), (20_778, 0)]);
        assert_eq!(counts(Counted::Comments), [(20_777, 1)]);
    }
}
