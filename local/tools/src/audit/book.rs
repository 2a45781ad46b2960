//! What both sides of each fact amount to.

use super::fact::Fact;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Sums kept: half a megabyte.
const SUMS: usize = 1 << 16;
/// Facts that a second walk may hold at once: about 40 MB.
const MOST_DETAILS: u64 = 200_000;

/// Who speaks of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The counter, or the item that must have a counterpart.
    Said,
    /// The rows that are counted, or the counterpart.
    Found,
}

/// Takes down what is said and found of facts.
pub(super) trait Book {
    fn enter(&mut self, fact: Fact, side: Side, n: u64);
}

/// Of each fact: which sum it is part of, and the weight it has there. The weight is odd, so that no amount below 2^64
/// of it is nothing; and two wrong facts in one sum make zero once in 2^63.
fn place(fact: &Fact) -> (usize, u64) {
    let mut hasher = DefaultHasher::new();
    fact.hash(&mut hasher);
    let weight = hasher.finish();
    hasher.write_u8(0);
    (usize::try_from(hasher.finish()).unwrap_or(usize::MAX) % SUMS, weight | 1)
}

/// The first walk's book: of any table the same size.
pub(super) struct Sums {
    sums: Vec<u64>,
    entries: u64,
}

impl Default for Sums {
    fn default() -> Self {
        Self { sums: vec![0; SUMS], entries: 0 }
    }
}

impl Sums {
    /// The sums that are not zero.
    pub(super) fn differing(&self) -> Vec<usize> {
        (0..SUMS).filter(|place| self.sums[*place] != 0).collect()
    }
}

impl Book for Sums {
    fn enter(&mut self, fact: Fact, side: Side, n: u64) {
        let (place, weight) = place(&fact);
        let amount = weight.wrapping_mul(n);
        let sum = &mut self.sums[place];
        *sum = if side == Side::Said { sum.wrapping_add(amount) } else { sum.wrapping_sub(amount) };
        self.entries += 1;
    }
}

/// What was said and found of one fact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sides {
    /// None where nobody says anything, for the counter's item is gone.
    pub(super) said: Option<u64>,
    pub(super) found: u64,
}

/// The second walk's book: the facts behind the sums that differ.
pub(super) struct Details {
    wanted: Vec<bool>,
    pub(super) facts: BTreeMap<Fact, Sides>,
}

impl Details {
    /// For as many of these sums as memory may hold; and how many it may not.
    pub(super) fn of(sums: &Sums, mut differing: Vec<usize>) -> (Self, usize) {
        let facts_in_each = (sums.entries / SUMS as u64).max(1);
        let most = usize::try_from(MOST_DETAILS / facts_in_each).unwrap_or(usize::MAX).max(1);
        let left_out = differing.len().saturating_sub(most);
        differing.truncate(most);
        let mut wanted = vec![false; SUMS];
        differing.into_iter().for_each(|place| wanted[place] = true);
        (Self { wanted, facts: BTreeMap::new() }, left_out)
    }
}

impl Book for Details {
    fn enter(&mut self, fact: Fact, side: Side, n: u64) {
        if !self.wanted[place(&fact).0] {
            return;
        }
        let sides = self.facts.entry(fact).or_default();
        match side {
            Side::Said => *sides.said.get_or_insert(0) += n,
            Side::Found => sides.found += n,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::ids::UserId;
    use ulid::Ulid;

    fn followers(n: u128) -> Fact {
        Fact::Followers(UserId::from_ulid(Ulid(n)))
    }

    #[test]
    fn sums_are_zero_where_both_sides_agree_in_any_order() {
        let mut sums = Sums::default();
        for n in 0..5_000 {
            sums.enter(followers(n), Side::Said, 3);
        }
        assert!(!sums.differing().is_empty());
        for n in (0..5_000).rev() {
            for part in [2, 1] {
                sums.enter(followers(n), Side::Found, part);
            }
        }
        assert_eq!(sums.differing(), [0; 0]);
    }

    #[test]
    fn what_differs_is_named_also_where_many_facts_share_a_sum() {
        let mut sums = Sums::default();
        let enter = |book: &mut dyn Book| {
            for n in 0..100_000 {
                book.enter(followers(n), Side::Said, 1);
                book.enter(followers(n), Side::Found, if n == 77_777 { 2 } else { 1 });
            }
        };
        enter(&mut sums);
        assert_eq!(sums.differing().len(), 1);
        let (mut details, left_out) = Details::of(&sums, sums.differing());
        enter(&mut details);
        assert_eq!(left_out, 0);
        let wrong: Vec<_> = details.facts.iter().filter(|(_, sides)| sides.said != Some(sides.found)).collect();
        assert_eq!(wrong, [(&followers(77_777), &Sides { said: Some(1), found: 2 })]);
        assert!(details.facts.len() < 100);
    }

    #[test]
    fn a_second_walk_takes_no_more_than_memory_holds() {
        let sums = Sums { sums: vec![1; SUMS], entries: 1_000 * SUMS as u64 };
        let (details, left_out) = Details::of(&sums, sums.differing());
        assert_eq!(details.wanted.iter().filter(|wanted| **wanted).count(), 200);
        assert_eq!(left_out, SUMS - 200);
    }
}
