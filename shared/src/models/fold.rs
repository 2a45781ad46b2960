//! How words, names and tags are folded, so that they are found however they are written.
//!
//! Words and names: no case, no accents, no strokes (`Søren`, `Łukasz`, `Đặng`), `æ œ þ ð` as they are typed without them,
//! compatibility forms as the plain ones (`ＦＵＬＬ`). Tags keep their accents and lose their case (NFKC case folding).

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// Parts of a word between apostrophes that are joined; names and elisions have two or three.
const MOST_PARTS: usize = 4;

/// What stands for an apostrophe.
const fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | '‛' | 'ʼ' | 'ʻ' | '′')
}

/// A text as words are taken from it. What is no accent but a part of the letter, such as a vowel of Hindi, stays.
pub(super) fn text(text: &str) -> String {
    let plain = text.nfkd().filter(|c| !is_accent(*c)).flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    let mut folded = String::with_capacity(text.len());
    for c in plain {
        match plain_letters(c) {
            Some(letters) => folded.push_str(letters),
            None => folded.push(if is_apostrophe(c) { '\'' } else { c }),
        }
    }
    folded.nfc().collect()
}

/// Letters with strokes, and ligatures that are letters, which no normal form takes apart.
const fn plain_letters(c: char) -> Option<&'static str> {
    Some(match c {
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        'ⱥ' => "a",
        'ƀ' => "b",
        'ȼ' => "c",
        'đ' | 'ð' => "d",
        'ɇ' => "e",
        'ǥ' => "g",
        'ħ' => "h",
        'ɨ' => "i",
        'ɉ' => "j",
        'ł' | 'ƚ' => "l",
        'ø' | 'ɵ' => "o",
        'ɍ' => "r",
        'ŧ' | 'ⱦ' => "t",
        'ʉ' => "u",
        'ɏ' => "y",
        'ƶ' => "z",
        _ => return None,
    })
}

/// Combining diacritics, and the points of Hebrew and Arabic.
const fn is_accent(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5bd}' | '\u{5bf}'..='\u{5c7}' | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// A hashtag: NFKC and no case. The dot of a Turkish capital I goes with its case.
pub(super) fn tag(tag: &str) -> String {
    let lower: String = tag.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    lower.replace("i\u{307}", "i").nfkc().collect()
}

/// Han, kana and Hangul: written without spaces, or with endings that are no words of their own.
const fn is_cjk(c: char) -> bool {
    matches!(c,
        '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// A word of a folded text, or a row of characters that stand without spaces.
enum Piece {
    Word(String),
    Row(Vec<char>),
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let ends = |c: char| is_cjk(c) != is_cjk(first);
        let (stretch, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        rest = after;
        match is_cjk(first) {
            true => pieces.push(Piece::Row(stretch.chars().collect())),
            false => pieces.extend(stretch.unicode_words().map(|word| Piece::Word(word.to_owned()))),
        }
    }
    pieces
}

fn joined(word: &str) -> String {
    word.replace('\'', "")
}

/// The parts between apostrophes, alone and joined: `oreilly`, `reilly` and `oreillys` of `O'Reilly's`.
fn runs(word: &str) -> Vec<String> {
    let parts: Vec<&str> = word.split('\'').filter(|part| !part.is_empty()).take(MOST_PARTS).collect();
    let from = |start: usize| (start + 1..=parts.len()).map(move |end| (start, end));
    (0..parts.len()).flat_map(from).map(|(start, end)| parts[start..end].concat()).collect()
}

fn pairs(row: &[char], step: usize) -> impl Iterator<Item = String> {
    row.windows(2).step_by(step).map(|pair| pair.iter().collect())
}

/// All words by which what is written is found.
pub(super) fn written(written: &str) -> Vec<String> {
    let mut words = Vec::new();
    for piece in pieces(&text(written)) {
        match piece {
            Piece::Word(word) if word.contains('\'') => words.extend(runs(&word)),
            Piece::Word(word) => words.push(word),
            Piece::Row(row) => {
                words.extend(pairs(&row, 1));
                words.extend(row.iter().map(char::to_string));
            }
        }
    }
    words
}

/// The words that a question asks for. Of a row each second pair, and the last, so that a long one asks for few.
pub(super) fn asked(question: &str) -> Vec<String> {
    let mut words = Vec::new();
    for piece in pieces(&text(question)) {
        match piece {
            Piece::Word(word) => words.push(joined(&word)),
            Piece::Row(row) if row.len() == 1 => words.extend(row.iter().map(char::to_string)),
            Piece::Row(row) => {
                words.extend(pairs(&row, 2));
                words.extend(pairs(&row[row.len() - 2..], 1));
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_has_no_case_and_one_form() {
        for (one, other) in [
            ("İstanbul", "istanbul"),
            ("ISTANBUL", "istanbul"),
            ("ＦＵＬＬ", "full"),
            ("Straße", "STRASSE"),
            ("ΟΔΟΣ", "οδος"),
            ("ﬁn", "FIN"),
            ("Größe", "GRÖSSE"),
        ] {
            assert_eq!(tag(one), tag(other));
            assert_eq!(tag(&tag(one)), tag(one), "folding again changes nothing");
        }
        assert_ne!(tag("größe"), tag("grosse"), "accents are kept");
    }

    #[test]
    fn folding_again_changes_nothing() {
        for written in ["Søren’s Đặng", "İstanbul ıı", "한글은 ｶﾞ", "Straße ŒUVRE"] {
            assert_eq!(text(&text(written)), text(written));
        }
    }
}
