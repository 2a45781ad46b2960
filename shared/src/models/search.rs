//! What posts are found by: their words, hashtags and author, all as terms.
//!
//! Words are those of Unicode's segmentation ([UAX #29](https://www.unicode.org/reports/tr29/)), folded (`fold`) alike in a
//! post and in a question.

use super::fold;
use super::post::Post;
use crate::ids::{PostId, UserId};
use crate::secrets::{base64url, from_base64url, sha256};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Raised by each change of what words and tags become: what was indexed by an earlier one is indexed anew.
pub const FOLDING: u8 = 1;

/// Different words that a post is found by; the rest of a longer one are text alone.
const MAX_WORDS: usize = 500;
/// Bytes after which a word is cut, in posts and questions alike.
const MAX_WORD_BYTES: usize = 64;
/// Other terms of its post that a posting names, at most; 2 bytes each.
const MAX_NAMED: usize = 40;

/// A word, a hashtag or an author: a posting lies under each of a post's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Term(String);

impl Term {
    pub fn hashtag(tag: &str) -> Self {
        Self(format!("#{}", fold::tag(tag)))
    }

    pub fn author(id: UserId) -> Self {
        Self(format!("@{}", id.ulid()))
    }

    /// That a post mentions somebody: by this the posts are found when the account is deleted.
    pub fn mention(id: UserId) -> Self {
        Self(format!("~{}", id.ulid()))
    }

    /// Reads what a key holds.
    pub fn from_key(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// By which a posting names it.
    fn short(&self) -> [u8; 2] {
        let [a, b, ..] = sha256(&[self.0.as_bytes()]);
        [a, b]
    }
}

/// The words by which a text is found, each once: of one with apostrophes its parts, too, and of what is written without
/// spaces each two neighbours.
pub fn words(text: &str) -> BTreeSet<Term> {
    let mut words = BTreeSet::new();
    for word in fold::written(text) {
        if words.len() == MAX_WORDS {
            break;
        }
        words.insert(Term(cut(&word).to_owned()));
    }
    words
}

/// The words that a question asks for, each once.
pub fn asked(question: &str) -> BTreeSet<Term> {
    fold::asked(question).into_iter().take(MAX_WORDS).map(|word| Term(cut(&word).to_owned())).collect()
}

fn cut(word: &str) -> &str {
    let mut end = word.len().min(MAX_WORD_BYTES);
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    &word[..end]
}

/// Whether people find a post: neither a comment, nor what is shared in a private group.
pub const fn is_found(id: PostId) -> bool {
    id.parent().is_none() && id.is_open()
}

/// All that a post is found by. What people don't find is found by whom it mentions alone, which nobody can search for: it
/// is for the day on which that account is deleted.
pub fn terms(post: &Post) -> BTreeSet<Term> {
    let mentions = post.mentions.iter().map(|mention| Term::mention(mention.id));
    if !is_found(post.id) {
        return mentions.collect();
    }
    let mut terms = words(&post.content);
    terms.extend(mentions);
    terms.extend(post.hashtags.iter().map(|tag| Term::hashtag(tag)));
    terms.insert(Term::author(post.id.author));
    terms
}

/// That a post has a term, which its key says; and what else it has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// The first two bytes of each term's hash, so that few posts are read in vain; empty for a post of very many.
    #[serde(default, rename = "t", skip_serializing_if = "String::is_empty")]
    others: String,
}

impl Posting {
    pub fn new(terms: &BTreeSet<Term>) -> Self {
        if terms.len() > MAX_NAMED {
            return Self::default();
        }
        Self { others: base64url(&terms.iter().flat_map(Term::short).collect::<Vec<_>>()) }
    }

    /// Whether the post may have all of these.
    pub fn may_have(&self, terms: &BTreeSet<Term>) -> bool {
        match from_base64url(&self.others) {
            Some(named) if !named.is_empty() => {
                terms.iter().all(|term| named.chunks_exact(2).any(|name| name == term.short()))
            }
            _ => true,
        }
    }
}

/// What a post is found by at present, or will be when the one who is at it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indexed {
    pub terms: BTreeSet<Term>,
    /// How words became terms then.
    #[serde(default)]
    pub folding: u8,
    /// The post's version, once that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<u64>,
    /// Hashtags that count for the author's use of them, by its hour (see `store::trends`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub used: BTreeMap<String, u64>,
    /// Raised by each change.
    pub n: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<String> {
        words(text).into_iter().map(|term| term.0).collect()
    }

    #[test]
    fn words_are_told_apart_in_any_script_whatever_their_case_and_accents() {
        assert_eq!(said("Größe GROSSE grosse, CAFE\u{301} café cafe"), ["cafe", "grosse"]);
        assert_eq!(said("don't stop; 3.14 a_b"), ["3.14", "a_b", "don", "dont", "stop", "t"]);
        assert_eq!(said("Ёлка ёлка ЕЛКА"), ["елка"]);
        assert_eq!(said("עַל־יְדֵי على"), said("על־ידי على"));
        assert_eq!(said("कि का").len(), 2, "vowels are no accents");
        assert_eq!(said("漢字"), ["字", "漢", "漢字"]);
        assert_eq!(said("ガ カ").len(), 2);
        let found = |text: &str, question: &str| asked(question).is_subset(&words(text));
        for (text, question) in [
            ("I don’t", "don't"),
            ("I don’t", "dont"),
            ("I dont", "don't"),
            ("O'Reilly", "oreilly"),
            ("O’Reilly", "reilly"),
            ("O'Reilly", "o reilly"),
            ("O'Reilly’s", "o’reilly"),
            ("L'équipe", "equipe"),
            ("l'équipe", "L’ÉQUIPE"),
            ("dell’arte", "arte"),
            ("Søren Łukasz Đặng", "soren lukasz dang"),
            ("soren", "SØREN"),
            ("Æsir œuvre þing ðin", "aesir oeuvre thing din"),
            ("İstanbul", "istanbul"),
            ("ISTANBUL", "ıstanbul"),
            ("한글은", "한글"),
            ("한글은", "글은"),
            ("東京都渋谷区", "渋谷"),
            ("東京都渋谷区", "東京都"),
            ("東京", "京"),
            ("ＦＵＬＬ", "full"),
            ("ｶﾀｶﾅ", "カタカナ"),
            ("カタカナ", "タカ"),
        ] {
            assert!(found(text, question), "{text} by {question}: {:?}, {:?}", words(text), asked(question));
        }
        for (text, question) in [("don't", "can't"), ("한글은", "은한"), ("東京都", "京東"), ("Søren", "sren")]
        {
            assert!(!found(text, question), "{text} by {question}");
        }
        assert!(asked("漢字仮名交文").len() <= 8);
        assert_eq!(said("😀 — …"), Vec::<String>::new());
        assert_eq!(said(&"é".repeat(200)), ["e".repeat(64)]);
    }

    #[test]
    fn a_posting_tells_what_else_its_post_may_have() {
        let all = words("low tide over the mudflats");
        let posting = Posting::new(&all);
        assert!(posting.may_have(&words("tide mudflats")) && !posting.may_have(&words("tide spring")));
        let many = Posting::new(&(0..41).flat_map(|n| words(&n.to_string())).collect());
        assert!(many.may_have(&words("anything")));
    }
}
