//! Hashtags and mentions in a text, by the rules of [twitter-text](https://github.com/twitter/twitter-text), held to its
//! published cases. Its own crate would link a C++ library into every function.

use linkify::{LinkFinder, LinkKind};
use std::ops::Range;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// Beside letters, marks and digits, what may stand in a hashtag.
const JOINING: [char; 17] = [
    '_', '\u{200c}', '\u{200d}', '\u{a67e}', '\u{05be}', '\u{05f3}', '\u{05f4}', '\u{ff5e}', '\u{301c}', '\u{309b}',
    '\u{309c}', '\u{30a0}', '\u{30fb}', '\u{3003}', '\u{0f0b}', '\u{0f0c}', '\u{00b7}',
];

fn is_letter(c: char) -> bool {
    matches!(c.general_category_group(), GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark)
}

fn is_of_tag(c: char) -> bool {
    is_letter(c) || c.general_category() == GeneralCategory::DecimalNumber || JOINING.contains(&c)
}

/// Hashtags as they are written, without their mark.
pub fn hashtags(text: &str) -> Vec<&str> {
    // Nothing of an emoji's own: `#️⃣` is the key of a telephone.
    let is_start = |c: char| !matches!(c, '\u{fe0f}' | '\u{20e3}');
    let may_follow = |c: char| matches!(c, '\u{fe0e}' | '\u{fe0f}') || !(is_of_tag(c) || c == '&');
    let tag = |mark: Range<usize>| {
        let rest = &text[mark.end..];
        let end = rest.find(|c| !is_of_tag(c)).unwrap_or(rest.len());
        let (tag, after) = rest.split_at(end);
        let is_tag = tag.starts_with(is_start) && tag.contains(is_letter);
        let ends = !after.starts_with(['#', '＃']) && !after.starts_with("://");
        (text[..mark.start].chars().next_back().is_none_or(may_follow) && is_tag && ends).then_some(tag)
    };
    marked(text, ['#', '＃'], tag)
}

/// Names as they are written, without their mark.
pub fn mentions(text: &str) -> Vec<&str> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = |mark: Range<usize>| {
        let rest = &text[mark.end..];
        let (name, after) = rest.split_at(rest.find(|c| !is_of_name(c)).unwrap_or(rest.len()));
        let ends = !after.starts_with(['@', '＠']) && !after.starts_with(is_latin_accent) && !after.starts_with("://");
        (!name.is_empty() && ends && name_may_follow(&text[..mark.start])).then_some(name)
    };
    marked(text, ['@', '＠'], name)
}

/// Whether a mention may follow: no address of mail, nor what is written in place of a curse; but `RT@name`, and
/// Markdown's `**@name**`.
fn name_may_follow(before: &str) -> bool {
    let is_free = |c: char| !(c.is_ascii_alphanumeric() || "_!#$%&*@＠".contains(c) || goes_on(c));
    let is_emphasis =
        |word: &str| word.is_empty() || word.ends_with(|c: char| c.is_whitespace() || "([{\"'".contains(c));
    if before.ends_with('*') && is_emphasis(before.trim_end_matches('*')) {
        return true;
    }
    if before.chars().next_back().is_none_or(is_free) {
        return true;
    }
    let Some(start) = before.len().checked_sub(2).and_then(|at| before.split_at_checked(at)) else { return false };
    let stands_alone = |c: char| !(c.is_ascii_alphanumeric() || "_+~.-".contains(c));
    start.1.eq_ignore_ascii_case("rt") && start.0.chars().next_back().is_none_or(stands_alone)
}

/// A letter of a script that parts words by spaces: what follows `é` goes on with its word, as in an address; what follows
/// `の` need not.
fn goes_on(c: char) -> bool {
    let is_unspaced = matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}');
    // What makes an emoji of a sign is a mark, too.
    is_letter(c) && !is_unspaced && !matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{20d0}'..='\u{20ff}')
}

/// An accented Latin letter, or what makes one: a name that goes on with it is another word.
const fn is_latin_accent(c: char) -> bool {
    matches!(c,
        '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{24f}' | '\u{253}' | '\u{254}' | '\u{256}'
        | '\u{257}' | '\u{259}' | '\u{25b}' | '\u{263}' | '\u{268}' | '\u{26f}' | '\u{272}' | '\u{289}' | '\u{28b}'
        | '\u{2bb}' | '\u{300}'..='\u{36f}' | '\u{1e00}'..='\u{1eff}')
}

/// What `read` makes of each mark that stands in no link and no address of mail.
fn marked<'a>(text: &'a str, marks: [char; 2], read: impl Fn(Range<usize>) -> Option<&'a str>) -> Vec<&'a str> {
    if !text.contains(marks) {
        return Vec::new();
    }
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url, LinkKind::Email]).url_must_have_scheme(false);
    let links: Vec<_> = finder.links(text).map(|link| link.start()..link.end()).collect();
    let free = |at: &usize| !links.iter().any(|link| link.contains(at));
    let found = text.match_indices(marks).filter(|(at, _)| free(at));
    found.filter_map(|(at, mark)| read(at..at + mark.len())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_cases_hold() {
        let cases: serde_json::Value = serde_json::from_str(include_str!("text/conformance.json")).unwrap();
        let mut wrong = Vec::new();
        for kind in ["mentions", "hashtags", "hashtags_from_astral"] {
            let read = if kind == "mentions" { mentions } else { hashtags };
            let cases = cases[kind].as_array().unwrap();
            assert!(!cases.is_empty(), "{kind}");
            for case in cases {
                let found = serde_json::json!(read(case["text"].as_str().unwrap()));
                if found != case["expected"] {
                    wrong.push(format!("{case}: {found}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn an_address_of_mail_is_no_mention_and_emphasis_hides_none() {
        for (text, expected) in [
            ("andré@name.fr, иван@name.рф", vec![]),
            ("ann-@name.fr ann+@name.fr", vec![]),
            ("andré@name", vec![]),
            ("**@name** *@name* (**@name**)", vec!["name", "name", "name"]),
            ("❤️@name", vec!["name"]),
            ("の@name 안녕@name", vec!["name", "name"]),
            ("f*@name 2**@name", vec![]),
        ] {
            assert_eq!(mentions(text), expected, "{text}");
        }
    }

    #[test]
    fn what_stands_in_a_link_is_neither() {
        let text = "See https://perch.example/@gull/a#low, perch.example/@gull#low and (perch.example) #tide @tern.";
        assert_eq!((hashtags(text), mentions(text)), (vec!["tide"], vec!["tern"]));
    }
}
