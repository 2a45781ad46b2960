//! What people are found by: their username and the words of their full name, from the first letter on, whatever case
//! and accents.
//!
//! A row lies under each of their beginnings, the best match first and then the most widely followed, so that a page costs
//! the same however many there are of a name.

use super::fold;
use super::following::Followers;
use super::search::FOLDING;
use super::user::{Profile, Username};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Characters of a beginning, at most; what is longer is told by the names alone. No username is longer.
const MAX_CHARS: usize = 20;
/// Words of a full name that count, parts and pairs of letters among them.
const MAX_WORDS: usize = 12;

/// The names of somebody, or those that a question asks for, folded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Names(BTreeSet<String>);

impl Names {
    pub fn of(profile: &Profile) -> Self {
        let full_name = profile.full_name.as_deref().unwrap_or_default();
        Self(words(fold::written(full_name)).take(MAX_WORDS).chain([username(&profile.username)]).collect())
    }

    /// What a question asks for: every word of it. Empty when there is none in it.
    pub fn asked(question: &str) -> Self {
        let question = question.trim();
        // A username is one word, underscores at its ends included, which are no part of any.
        match question.strip_prefix('@').unwrap_or(question) {
            name if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                Self([cut(&fold::text(name)).to_owned()].into())
            }
            text => Self(words(fold::asked(text)).collect()),
        }
    }

    /// The word by which to look: the longest, of which there are the fewest.
    pub fn longest(&self) -> Option<&str> {
        self.0.iter().max_by_key(|word| word.chars().count()).map(String::as_str)
    }

    pub fn is_one(&self) -> bool {
        self.0.len() == 1
    }

    /// Whether each word that is asked for begins one of these.
    pub fn have(&self, asked: &Self) -> bool {
        asked.0.iter().all(|word| self.0.iter().any(|name| name.starts_with(word)))
    }

    /// Their beginnings, and the class of each: 0 for the whole username, 1 for a whole word of the full name, 2 for less.
    fn beginnings(&self, username: &str) -> BTreeMap<&str, u8> {
        let mut beginnings = BTreeMap::new();
        for name in &self.0 {
            let ends = name.char_indices().map(|(at, c)| at + c.len_utf8());
            for end in ends {
                let class = match &name[..end] {
                    whole if whole == username => 0,
                    whole if whole.len() == name.len() => 1,
                    _ => 2,
                };
                let best = beginnings.entry(&name[..end]).or_insert(class);
                *best = class.min(*best);
            }
        }
        beginnings
    }

    /// The rows under which somebody with these names, one of which is the username, is found.
    fn rows(&self, username: &str, rank: Rank) -> BTreeSet<NameRow> {
        let row = |(beginning, class): (&str, u8)| NameRow {
            beginning: beginning.to_owned(),
            order: format!("{class}{:02}", rank.0),
        };
        self.beginnings(username).into_iter().map(row).collect()
    }
}

fn username(name: &Username) -> String {
    cut(&fold::text(name.as_str())).to_owned()
}

fn words(words: Vec<String>) -> impl Iterator<Item = String> {
    words.into_iter().map(|word| cut(&word).to_owned())
}

fn cut(word: &str) -> &str {
    word.char_indices().nth(MAX_CHARS).map_or(word, |(end, _)| &word[..end])
}

/// Where somebody stands among those of a name: by the magnitude of their followers' number, so that a row seldom moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rank(u32);

impl Rank {
    pub const fn of(followers: &Followers) -> Self {
        Self::by(followers.n)
    }

    /// First come those with the most.
    pub const fn by(followers: u64) -> Self {
        Self(followers.leading_zeros())
    }
}

/// Where a row lies: under a beginning, by its class and then by rank.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NameRow {
    #[serde(rename = "b")]
    pub beginning: String,
    #[serde(rename = "o")]
    pub order: String,
}

/// The beginning under which everybody is whom somebody follows. No name begins so.
pub const POPULAR: &str = "*";

/// The beginning under which everybody is who has an interest. No name begins so, either.
pub fn interest_row(interest: &str) -> String {
    format!("#{}", fold::text(interest))
}

/// What a row says beside its key: all names, for questions of several words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    #[serde(rename = "t")]
    pub names: Names,
}

/// What somebody is found by at present.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamesIndexed {
    pub rows: BTreeSet<NameRow>,
    /// What the rows tell.
    pub names: Names,
    /// How names were folded then.
    #[serde(default)]
    pub folding: u8,
    /// The profile's version and the rank, once all is as these demand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<(u64, Rank)>,
    /// Raised by each change.
    pub n: u64,
}

impl NamesIndexed {
    /// What somebody is to be found by: names, interests, and a following.
    pub fn wanted(profile: &Profile, rank: Rank) -> Self {
        let interests = profile.interests.iter().map(|interest| interest_row(interest));
        let popular = (rank < Rank::by(0)).then(|| POPULAR.to_owned());
        let more = interests.chain(popular).map(|beginning| NameRow { beginning, order: format!("1{:02}", rank.0) });
        let names = Names::of(profile);
        let rows = names.rows(&username(&profile.username), rank).into_iter().chain(more).collect();
        Self { rows, names, folding: FOLDING, done: Some((profile.ver, rank)), n: 0 }
    }

    /// The next change towards what is wanted, of at most `limit` rows; None when all is as wanted. One is enough but for
    /// very long names.
    pub fn towards(self, wanted: &Self, most: usize) -> Option<Change> {
        let is_noted = self.n > 0;
        let is_folded_so = self.folding == wanted.folding || wanted.done.is_none();
        if self.done == wanted.done && is_folded_so && is_noted == wanted.done.is_some() {
            return None;
        }
        // Rows tell all names, so where these are others all are written anew.
        let is_other = self.names != wanted.names;
        let mut deletes: Vec<NameRow> = self.rows.difference(&wanted.rows).cloned().collect();
        let right = wanted.rows.iter().filter(|row| is_other || !self.rows.contains(row));
        let mut puts: Vec<NameRow> = right.cloned().collect();
        let is_last = deletes.len() + puts.len() <= most;
        if !is_last && is_other && !self.rows.is_empty() {
            // First nothing tells the old ones any more.
            (deletes, puts) = (self.rows.iter().cloned().collect(), Vec::new());
        }
        deletes.truncate(most);
        puts.truncate(most - deletes.len());
        let mut rows = self.rows;
        let was_empty = rows.is_empty();
        rows.retain(|row| !deletes.contains(row));
        let is_other = !is_last && is_other && !was_empty && !rows.is_empty();
        rows.extend(puts.iter().cloned());
        let names = if is_other { self.names } else { wanted.names.clone() };
        let is_gone = rows.is_empty() && wanted.done.is_none();
        let note = Self { rows, names, folding: wanted.folding, done: wanted.done.filter(|_| is_last), n: self.n + 1 };
        Some(Change { note: Some(note).filter(|_| !is_gone), puts, deletes })
    }
}

/// What one transaction changes.
#[derive(Debug)]
pub struct Change {
    /// What is noted then; nothing of somebody who is found by nothing.
    pub note: Option<NamesIndexed>,
    pub puts: Vec<NameRow>,
    pub deletes: Vec<NameRow>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &[&str]) -> Names {
        Names(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn a_question_is_words_or_a_username() {
        assert_eq!(Names::asked(" @Lara_Gull "), names(&["lara_gull"]));
        assert_eq!(Names::asked("_gull_"), names(&["_gull_"]));
        assert_eq!(Names::asked("Jörg MÜLLER-Groß"), names(&["gross", "jorg", "muller"]));
        assert_eq!(Names::asked("Мария"), names(&["мария"]));
        assert_eq!(Names::asked("O’Reilly"), names(&["oreilly"]));
        assert_eq!(Names::asked("김민준"), names(&["김민", "민준"]));
        for nothing in ["", " @ ", "…", "😀"] {
            assert_eq!(Names::asked(nothing).longest(), None, "{nothing}");
        }
        assert_eq!(Names::asked("li bauer").longest(), Some("bauer"));
        assert_eq!(Names::asked(&"é".repeat(30)), names(&["eeeeeeeeeeeeeeeeeeee"]));
    }

    #[test]
    fn people_are_found_however_their_names_are_typed() {
        for (full_name, question) in [
            ("Søren Łukasz Đặng", "soren lukasz dang"),
            ("Tim O’Reilly", "oreilly"),
            ("Tim O'Reilly", "reil"),
            ("Tim O'Reilly", "o'reilly"),
            ("İpek Işık", "ipek isik"),
            ("김민준", "민준"),
            ("김민준", "김민준"),
            ("김민준", "김"),
            ("王小明", "小明"),
            ("山田太郎", "太郎"),
            ("Þórr Æsir", "thorr aesir"),
        ] {
            let found = wanted(full_name, 1);
            let asked = Names::asked(question);
            assert!(found.names.have(&asked), "{full_name} by {question}");
            let longest = asked.longest().unwrap();
            assert!(found.rows.iter().any(|row| row.beginning == longest), "{full_name} by {question}");
        }
    }

    #[test]
    fn every_word_must_begin_a_name() {
        let somebody = names(&["anamaria", "ana", "muller"]);
        for (question, has) in
            [("ana", true), ("mul an", true), ("anam mull", true), ("ana x", false), ("uller", false)]
        {
            assert_eq!(somebody.have(&Names::asked(question)), has, "{question}");
        }
    }

    #[test]
    fn a_username_comes_first_then_whole_words_then_the_most_widely_followed() {
        let rows = |followers| names(&["an", "ana"]).rows("ana", Rank::by(followers));
        let of = |followers| rows(followers).into_iter().map(|row| (row.beginning, row.order)).collect::<Vec<_>>();
        let row = |beginning: &str, order: &str| (beginning.to_owned(), order.to_owned());
        assert_eq!(of(0), [row("a", "264"), row("an", "164"), row("ana", "064")]);
        let longer = names(&["anabel", "ana"]).rows("ana", Rank::by(0));
        assert_eq!(longer.into_iter().nth(2).map(|row| row.order), Some("064".into()), "it begins another, too");
        assert!(of(1)[0] < of(0)[0] && of(8)[0] < of(7)[0] && of(9)[0] == of(8)[0]);
    }

    fn wanted(full_name: &str, ver: u64) -> NamesIndexed {
        let id = crate::ids::UserId::from_ulid(ulid::Ulid::from_parts(1, 1));
        let profile = serde_json::json!({"id": id, "username": "lara_gull", "full_name": full_name, "ver": ver});
        NamesIndexed::wanted(&serde_json::from_value(profile).expect("a profile"), Rank::by(ver))
    }

    #[test]
    fn each_change_leaves_what_is_noted_and_the_last_what_is_wanted() {
        let long =
            |letter: &str| ["", "b", "c", "d", "e", "f"].map(|first| format!("{first}{}", letter.repeat(19))).join(" ");
        let story = [
            wanted("Lara", 1),
            wanted("Lara", 4),
            wanted("Lara Gull", 5),
            wanted(&long("x"), 6),
            wanted(&long("y"), 7),
            NamesIndexed::default(),
            wanted(&long("x"), 1),
            wanted("Lara", 2),
            NamesIndexed::default(),
        ];
        let (mut note, mut rows) = (None::<NamesIndexed>, BTreeMap::new());
        let mut steps = Vec::new();
        for wanted in story {
            let mut taken = 0;
            while let Some(change) = note.clone().unwrap_or_default().towards(&wanted, 99) {
                assert!(change.puts.len() + change.deletes.len() <= 99);
                assert!(change.puts.iter().all(|row| !change.deletes.contains(row)), "an item twice");
                change.deletes.iter().for_each(|row| assert!(rows.remove(row).is_some(), "{row:?}"));
                rows.extend(change.puts.into_iter().map(|row| (row, wanted.names.clone())));
                note = change.note;
                let noted = note.clone().unwrap_or_default();
                assert_eq!(noted.rows, rows.keys().cloned().collect(), "what is there is noted");
                assert!(rows.values().all(|names| *names == noted.names), "and tells the names");
                taken += 1;
                assert!(taken < 9, "it comes to an end");
            }
            assert_eq!(rows.keys().cloned().collect::<BTreeSet<_>>(), wanted.rows);
            assert_eq!(note.is_some(), wanted.done.is_some());
            steps.push(taken);
        }
        assert_eq!(steps[..3], [1, 1, 1]);
    }
}
