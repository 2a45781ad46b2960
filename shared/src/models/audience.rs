//! Audiences of posts: the number of different viewers, and of views.
//!
//! A view is counted once per viewer and hour. So the views of an hour are its different viewers, and both are sets, to
//! which nothing is added by what comes again.

use super::days::{Day, Hour};
use crate::clock::Timestamp;
use crate::ids::{PostId, UserId};
use crate::secrets::{Keys, Purpose};
use datasketches::hll::{HllSketch, HllType};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::de::{Error as _, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write};

/// Somebody who reads.
#[derive(Clone, Copy, Debug)]
pub enum AudienceMember<'a> {
    User(UserId),
    /// Somebody not signed in, by what tells one address from another.
    Address(&'a str),
}

/// A viewer of one post, by a hash under the signing key: a reader of the table or the queue can neither tell who it
/// is, nor try whether it is somebody, nor find the same viewer at another post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ViewerHash(u64);

impl ViewerHash {
    pub fn new(keys: &Keys, post: PostId, viewer: AudienceMember<'_>) -> Self {
        let of_post = post.suffix();
        let mac = match viewer {
            AudienceMember::User(id) => {
                keys.mac(Purpose::Viewer, &[of_post.as_bytes(), b"user", &id.ulid().to_bytes()])
            }
            AudienceMember::Address(name) => {
                keys.mac(Purpose::Viewer, &[of_post.as_bytes(), b"address", name.as_bytes()])
            }
        };
        Self(mac[..8].iter().fold(0, |hash, byte| hash << 8 | u64::from(*byte)))
    }
}

/// A set of viewers of which only the size is ever asked.
///
/// It is a HyperLogLog of Apache DataSketches with 2^15 registers of 4 bits. Up to 3,071 viewers it is a list of 32 bits
/// of each one's hash, which is as good as exact; then registers. Deflated these take 4 bytes a viewer, and then from 4 KB
/// at 3,072 viewers to 12.5 KB at any number. The estimate is the
/// historic inverse probability's, with a relative standard error of `sqrt(ln 2 / 2^15)` = 0.46 % at any size (D. Ting,
/// "Streamed approximate counting of distinct elements", KDD 2014; "HLL sketch", datasketches.apache.org): 2 % are more
/// than four of these. It needs the viewers one after the other, which the version of the item sees to, and it grows
/// with each change and never else.
#[derive(Clone, Debug)]
pub struct Sketch(HllSketch);

/// The binary logarithm of the number of registers.
const REGISTERS: u8 = 15;

/// No sketch is larger before it is deflated: a quarter of this at most, and what did not fit 4 bits.
const LARGEST: u64 = 64 * 1024;

impl Default for Sketch {
    #[expect(clippy::expect_used, reason = "the crate takes logarithms from 4 to 21")]
    fn default() -> Self {
        Self(HllSketch::new(REGISTERS, HllType::Hll4).expect("so many registers are allowed"))
    }
}

impl Sketch {
    /// Adds viewers. Whether that changed anything.
    pub fn add(&mut self, viewers: impl IntoIterator<Item = ViewerHash>) -> bool {
        let before = self.0.estimate();
        viewers.into_iter().for_each(|viewer| self.0.update(viewer.0));
        self.0.estimate() > before
    }

    /// How many there are, about.
    pub fn count(&self) -> u64 {
        // Never negative, and far below 2^53.
        self.0.estimate().round() as u64
    }
}

impl Serialize for Sketch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::default());
        deflated.write_all(&self.0.serialize()).map_err(S::Error::custom)?;
        serializer.serialize_bytes(&deflated.finish().map_err(S::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Sketch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Sketch;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sketch")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Sketch, E> {
                let mut inflated = Vec::new();
                DeflateDecoder::new(bytes).take(LARGEST).read_to_end(&mut inflated).map_err(E::custom)?;
                HllSketch::deserialize(&inflated).map(Sketch).map_err(E::custom)
            }
        }
        let sketch = deserializer.deserialize_bytes(Bytes)?;
        if sketch.0.lg_config_k() != REGISTERS {
            return Err(D::Error::custom("a sketch of another size"));
        }
        Ok(sketch)
    }
}

/// A post's viewers, as a sketch, and its views by day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Audience {
    /// Raised by each write.
    pub ver: u64,
    /// Views: the viewers of all hours.
    pub n: u64,
    /// Views of the days that are shown.
    pub days: BTreeMap<Day, u64>,
    /// Views of the hours whose viewers are still known: what `n` and `days` hold of each.
    pub hours: BTreeMap<Hour, u64>,
    pub viewers: Sketch,
}

impl Audience {
    /// Takes in the number of an hour's viewers, as it is now. An earlier, lower number that comes late changes nothing.
    /// Whether anything changed.
    pub fn raise(&mut self, hour: Hour, viewers: u64) -> bool {
        let known = self.hours.entry(hour).or_default();
        let more = viewers.saturating_sub(*known);
        *known += more;
        self.n += more;
        *self.days.entry(hour.day()).or_default() += more;
        more > 0
    }

    /// Drops what nobody asks for any more.
    pub fn drop_past(&mut self, now: Timestamp) {
        self.days.retain(|day, _| !day.is_past(now));
        self.hours.retain(|hour, _| !hour.is_closed(now));
    }

    /// Different viewers: never more than views.
    pub fn unique(&self) -> u64 {
        self.viewers.count().min(self.n)
    }
}

/// A post's viewers in an hour.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HourAudience {
    /// Raised by each write.
    pub ver: u64,
    pub viewers: Sketch,
    /// Seconds since the epoch.
    pub ttl: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::test_keys;

    /// Numbers that look like chance (SplitMix64).
    fn hash(n: u64) -> ViewerHash {
        let mut hash = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ViewerHash(hash ^ (hash >> 31))
    }

    fn stored(sketch: &Sketch) -> (Sketch, usize) {
        let item: std::collections::HashMap<String, serde_dynamo::AttributeValue> =
            serde_dynamo::to_item(Audience { viewers: sketch.clone(), ..Audience::default() }).unwrap();
        let size = match &item["viewers"] {
            serde_dynamo::AttributeValue::B(bytes) => bytes.len(),
            other => panic!("{other:?}"),
        };
        (serde_dynamo::from_item::<_, Audience>(item).unwrap().viewers, size)
    }

    #[test]
    fn a_million_viewers_are_counted_within_two_percent() {
        const SIZES: [u64; 13] =
            [1, 10, 100, 1_000, 3_000, 3_100, 5_000, 10_000, 30_000, 100_000, 300_000, 600_000, 1_000_000];
        let (mut worst, mut squares, mut largest) = (0.0_f64, 0.0, 0);
        const ROUNDS: u64 = 5;
        for round in 0..ROUNDS {
            let (mut sketch, mut n) = (Sketch::default(), 0);
            for size in SIZES {
                // As it is written and read between batches.
                sketch.add((n..size).map(|n| hash(round << 32 | n)));
                n = size;
                let (read, bytes) = stored(&sketch);
                assert_eq!(read.count(), sketch.count());
                sketch = read;
                let error = (sketch.count() as f64 - size as f64) / size as f64;
                assert!(error.abs() <= if size <= 3_000 { 0.0 } else { 0.02 }, "{size}: {error}");
                worst = worst.max(error.abs());
                squares += error * error;
                largest = largest.max(bytes);
            }
        }
        let rms = (squares / (ROUNDS * SIZES.len() as u64) as f64).sqrt();
        assert!(rms < 0.0046 && largest < 13_000, "{rms} {largest}");
        eprintln!("worst error {:.3} %, root mean square {:.3} %, at most {largest} bytes", worst * 100.0, rms * 100.0);
    }

    #[test]
    fn what_comes_again_changes_nothing_and_what_is_new_never_lowers_it() {
        let (mut sketch, mut last) = (Sketch::default(), 0);
        for start in (0..20_000).step_by(500) {
            let viewers = || (start..start + 500).map(hash);
            assert!(sketch.add(viewers()));
            assert!(!sketch.add(viewers()) && !sketch.add((0..start).map(hash)), "{start}");
            assert!(sketch.count() > last, "{start}");
            last = sketch.count();
        }
    }

    #[test]
    fn an_hour_is_counted_once_whatever_comes_late() {
        let (mut audience, hour) = (Audience::default(), Hour::from_number(500_000));
        assert!(audience.raise(hour, 5) && !audience.raise(hour, 3) && !audience.raise(hour, 5));
        assert!(audience.raise(Hour::from_number(500_001), 2) && audience.raise(hour, 6));
        assert_eq!((audience.n, audience.days.values().sum::<u64>()), (8, 8));
        let later = Timestamp::from_millis((500_000 + 24 * 91) * 3_600_000);
        audience.drop_past(later);
        assert_eq!((audience.n, audience.days.len(), audience.hours.len()), (8, 0, 0));
    }

    #[test]
    fn a_viewer_is_another_one_at_another_post_and_under_another_key() {
        let user = UserId::from_ulid(ulid::Ulid(1));
        let [post, other] = [2, 3].map(|n| PostId::of(ulid::Ulid(n), user));
        let (keys, viewer) = (test_keys(), AudienceMember::User(user));
        let known = ViewerHash::new(&keys, post, viewer);
        assert_eq!(known, ViewerHash::new(&keys, post, viewer));
        assert_ne!(known, ViewerHash::new(&keys, other, viewer));
        assert_ne!(known, ViewerHash::new(&keys, post, AudienceMember::Address("192.0.2.1")));
        let replaced = Keys::parse(r#"{"current":"fedcba9876543210fedcba9876543210"}"#).unwrap();
        assert_ne!(known, ViewerHash::new(&replaced, post, viewer));
    }
}
