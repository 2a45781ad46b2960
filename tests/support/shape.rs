//! What a table holds, told apart from another run of the same story only by what differs in meaning.

use super::services::Items;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a table holds, without what differs between two runs of the same story: ids, times and secrets. How often each
/// item is there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shape(BTreeMap<String, usize>);

impl Shape {
    pub(crate) fn of(items: &Items) -> Self {
        let mut shape = BTreeMap::new();
        for ((pk, sk), item) in standing(items) {
            let mut item = item.clone();
            // Times, names of writes, hashes of what ids are part of, what keys of the run's own were used for, and what a busy machine may drop.
            for name in [
                "PK",
                "SK",
                "ttl",
                "at",
                "hash",
                "known",
                "rotated",
                "window",
                "edited",
                "unf_until",
                "hour",
                "w",
                "t",
                "views",
            ] {
                item.as_object_mut().expect("an item").remove(name);
            }
            if sk == "SN" {
                // How often it was written.
                item.as_object_mut().expect("an item").remove("n");
            }
            if pk.starts_with("NE#") {
                // Which was told as the how-manieth; how many were is in the read mark.
                item.as_object_mut().expect("an item").remove("seq");
            }
            if pk.starts_with("IX#") {
                // How often it was written, and since when its hashtags count.
                for name in ["n", "used"] {
                    item.as_object_mut().expect("an item").remove(name);
                }
            }
            item.sort_all_objects();
            let pk = if pk.starts_with("E#") { "E#" } else { pk };
            *shape.entry(without_ulids(&format!("{pk} {sk} {item}"))).or_default() += 1;
        }
        Self(shape)
    }

    #[track_caller]
    pub(crate) fn assert_same(&self, other: &Self, what: &str) {
        let only = |one: &Self, other: &Self| -> Vec<String> {
            let differs = one.0.iter().filter(|(item, n)| other.0.get(*item) != Some(*n));
            differs.map(|(item, n)| format!("{n} x {item}")).collect()
        };
        let (here, there) = (only(self, other), only(other, self));
        assert!(here.is_empty() && there.is_empty(), "{what}: without faults {here:#?}, with them {there:#?}");
    }
}

/// Rows of counted calls and views, and counts by day and hour, which have these in their names, left out, and timeline
/// rows of posts that are gone: no feed shows them, and their time ends them.
fn standing(items: &Items) -> impl Iterator<Item = (&(String, String), &Value)> {
    let stands = |post: &str| {
        let (post, author) = post.split_once('.').expect("a post's id");
        items.contains_key(&(format!("A#{author}"), format!("T#{post}")))
    };
    let is_count = |pk: &str| ["RL#", "V#", "TR#"].iter().any(|prefix| pk.starts_with(prefix));
    // Nor tries of passwords.
    let is_counted = move |pk: &str, sk: &str| is_count(pk) || sk == "G#F";
    items.iter().filter(move |((pk, sk), _)| !is_counted(pk, sk) && (!pk.starts_with("TL#") || stands(sk)))
}

/// Each id is `*`.
fn without_ulids(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase();
    let mut rest = text;
    let mut kept = String::new();
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
        kept.push_str(before);
        kept.push_str(if end == 26 { "*" } else { &from[..end] });
        rest = &from[end..];
    }
    kept + rest
}
