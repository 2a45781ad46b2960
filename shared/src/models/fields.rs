//! Reading a JSON object field by field, so that every bad field is told at once.

use crate::error::{Error, FieldError, Result};
use bytes::Bytes;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Why a value is refused: a stable code and a sentence.
pub type Refusal = (&'static str, String);

/// A value that parses from one JSON value.
pub trait FieldValue: Sized {
    /// # Errors
    /// The code and the sentence for the client.
    fn parse(value: &Value) -> Result<Self, Refusal>;
}

/// A request body that parses from a JSON object, or from the parts of a form.
pub trait FromFields: Sized {
    /// In which forms it may come.
    const FORMS: Forms = Forms::Json;
    /// Fields of which nothing is kept, not even a hash.
    const SECRETS: &'static [&'static str] = &[];

    /// None when a field was refused; the reader has noted which.
    fn from_fields(fields: &mut Fields) -> Option<Self>;
}

/// The forms that a request body may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forms {
    Json,
    /// JSON, or `multipart/form-data` with files among its parts.
    JsonOrForm,
    /// A file by itself, or in a form as `file`.
    File,
    /// JSON, or a file as above.
    JsonOrFile,
}

/// A file as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Without parameters, in lower case; None where a form's part has none.
    pub content_type: Option<String>,
    pub bytes: Bytes,
}

/// The field that a file by itself is read as.
pub const FILE: &str = "file";

/// A form's files, by the names of their parts.
pub type Files = BTreeMap<String, Vec<Upload>>;

/// A field of a PATCH: absent leaves it as it is, null clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    #[default]
    Absent,
    Clear,
    Set(T),
}

impl<T> Patch<T> {
    /// The new value of a field that may be empty.
    pub fn or(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Absent => old,
            Self::Clear => None,
            Self::Set(new) => Some(new),
        }
    }

    /// The new value, if there is one.
    pub const fn set(&self) -> Option<&T> {
        match self {
            Self::Absent | Self::Clear => None,
            Self::Set(new) => Some(new),
        }
    }

    pub fn map<U>(self, to: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Absent => Patch::Absent,
            Self::Clear => Patch::Clear,
            Self::Set(value) => Patch::Set(to(value)),
        }
    }
}

/// A JSON object being read; it notes what it refuses.
pub struct Fields {
    object: Map<String, Value>,
    files: Files,
    is_form: bool,
    prefix: String,
    /// Fields that were asked for, and files that were.
    known: [Vec<String>; 2],
    errors: Vec<FieldError>,
}

/// Why a name is refused that nothing is called: with the nearest that there is.
pub fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Refusal {
    let likeness = |other: &str| strsim::normalized_damerau_levenshtein(&name.to_lowercase(), other);
    let nearest = known.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let hint = nearest.map(|nearest| format!("; did you mean `{nearest}`?"));
    ("unknown_field", format!("There is no such {what} here{}", hint.unwrap_or_else(|| ".".into())))
}

/// Whether a value says nothing: null, or what a form sends of a field that was left empty.
fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// Characters without a sign of their own: spaces, controls, joiners, and letters that are blanks (Unicode's
/// `Default_Ignorable_Code_Point`, and the blank Braille pattern).
fn shows_nothing(c: char) -> bool {
    c.is_whitespace()
        || matches!(c.general_category(), GeneralCategory::Control | GeneralCategory::Format)
        || matches!(c,
            '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2065}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// What turns the direction of writing over the end of a text, and makes it say something else than it holds (UAX #9).
const fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl Fields {
    /// Reads a whole body.
    ///
    /// # Errors
    /// 422 with every bad field.
    pub fn read<T: FromFields>(object: Map<String, Value>) -> Result<T> {
        Self::new(object, Files::new(), false, String::new()).finish()
    }

    const fn new(object: Map<String, Value>, files: Files, is_form: bool, prefix: String) -> Self {
        Self { object, files, is_form, prefix, known: [Vec::new(), Vec::new()], errors: Vec::new() }
    }

    /// Reads a whole body with files.
    ///
    /// # Errors
    /// 422 with every bad field.
    pub fn read_form<T: FromFields>(object: Map<String, Value>, files: Files) -> Result<T> {
        Self::new(object, files, true, String::new()).finish()
    }

    fn finish<T: FromFields>(mut self) -> Result<T> {
        let parsed = T::from_fields(&mut self);
        self.refuse_unknown();
        match parsed {
            Some(parsed) if self.errors.is_empty() => Ok(parsed),
            _ => Err(Error::invalid(self.errors)),
        }
    }

    /// A value; in a form, one text where a list belongs is a list of one.
    fn parse<T: FieldValue>(&self, value: &Value) -> Result<T, Refusal> {
        T::parse(value).or_else(|refusal| match self.is_form && refusal.0 == "wrong_type" {
            true => T::parse(&Value::Array(vec![value.clone()])).map_err(|_| refusal),
            false => Err(refusal),
        })
    }

    /// Refuses what was sent and not asked for, so that a misspelled name is not taken for nothing.
    fn refuse_unknown(&mut self) {
        let [fields, files] = std::mem::take(&mut self.known);
        for name in self.object.keys().filter(|name| !fields.contains(name) && !files.contains(name)) {
            let (code, detail) = unknown("field", name, fields.iter().map(String::as_str));
            self.errors.push(FieldError::new(format!("{}{name}", self.prefix), code, detail));
        }
        for name in self.files.keys() {
            let (code, detail) = match fields.contains(name) {
                true => ("wrong_type", "This must be no file.".into()),
                false => unknown("file", name, files.iter().map(String::as_str)),
            };
            self.errors.push(FieldError::new(name, code, detail));
        }
    }

    /// The value of a field, which is known from then on.
    fn value(&mut self, name: &str) -> Option<&Value> {
        self.known[0].push(name.to_owned());
        self.object.get(name)
    }

    /// Another name that clients send a field by.
    pub fn also_named(&mut self, name: &str, other: &str) {
        if !self.object.contains_key(name)
            && let Some(value) = self.object.remove(other)
        {
            self.object.insert(name.to_owned(), value);
        }
    }

    /// A field that must be there.
    pub fn required<T: FieldValue>(&mut self, name: &str) -> Option<T> {
        match self.value(name).cloned() {
            None | Some(Value::Null) => {
                self.refuse(name, "required", "This field is required.");
                None
            }
            Some(value) => self.parsed(name, self.parse(&value)),
        }
    }

    /// A field that may be absent, null or empty. The outer None means it was refused.
    pub fn optional<T: FieldValue>(&mut self, name: &str) -> Option<Option<T>> {
        match self.value(name).cloned() {
            None => Some(None),
            Some(value) if is_blank(&value) => Some(None),
            Some(value) => self.parsed(name, self.parse(&value)).map(Some),
        }
    }

    /// A field of a PATCH that null, or an empty text, clears.
    pub fn patch<T: FieldValue>(&mut self, name: &str) -> Option<Patch<T>> {
        match self.value(name).cloned() {
            None => Some(Patch::Absent),
            Some(value) if is_blank(&value) => Some(Patch::Clear),
            Some(value) => self.parsed(name, self.parse(&value)).map(Patch::Set),
        }
    }

    /// A field of a PATCH that can be changed but not cleared.
    pub fn change<T: FieldValue>(&mut self, name: &str) -> Option<Option<T>> {
        if self.value(name).is_some_and(is_blank) {
            self.refuse(name, "required", "This field can't be cleared.");
            return None;
        }
        self.optional(name)
    }

    /// A file of a form, if there is one.
    pub fn file(&mut self, name: &str) -> Option<Upload> {
        let mut files = self.files(&[name]);
        if files.len() > 1 {
            self.refuse(name, "repeated", "One file.");
        }
        files.pop()
    }

    /// Files of a form, by any of the names that clients send them by.
    pub fn files(&mut self, names: &[&str]) -> Vec<Upload> {
        let mut files = Vec::new();
        for name in names {
            self.known[1].push((*name).to_owned());
            if self.object.get(*name).is_some_and(|value| !is_blank(value)) {
                self.refuse(name, "wrong_type", "This must be a file, in a form.");
            }
            files.extend(self.files.remove(*name).unwrap_or_default());
        }
        files
    }

    /// One file that must be there, by any of these names.
    pub fn required_file(&mut self, names: &[&str]) -> Option<Upload> {
        let mut files = self.files(names);
        match files.len() {
            0 => self.refuse(names.first().unwrap_or(&FILE), "required", "This file is required."),
            1 => {}
            _ => self.refuse(names.first().unwrap_or(&FILE), "repeated", "One file."),
        }
        files.pop()
    }

    /// Whether this is a file by itself, or a form with one.
    pub fn has_file(&self) -> bool {
        !self.files.is_empty()
    }

    /// Fields of an object inside this one; an absent one reads as empty.
    pub fn nested<T: FromFields>(&mut self, name: &str) -> Option<T> {
        let object = match self.value(name) {
            None => Map::new(),
            Some(Value::Object(object)) => object.clone(),
            Some(_) => {
                self.refuse(name, "wrong_type", "This must be an object.");
                return None;
            }
        };
        let prefix = format!("{}{name}.", self.prefix);
        let mut fields = Self::new(object, Files::new(), false, prefix);
        let parsed = T::from_fields(&mut fields);
        fields.refuse_unknown();
        self.errors.append(&mut fields.errors);
        parsed
    }

    /// Notes a refusal that concerns one field.
    pub fn refuse(&mut self, name: &str, code: &str, detail: &str) {
        self.errors.push(FieldError::new(format!("{}{name}", self.prefix), code, detail));
    }

    fn parsed<T>(&mut self, name: &str, parsed: Result<T, Refusal>) -> Option<T> {
        parsed.map_err(|(code, detail)| self.refuse(name, code, &detail)).ok()
    }
}

/// The text in a value, composed: what looks the same is the same, kept or looked for.
///
/// # Errors
/// `wrong_type` for any other kind of value.
pub fn text(value: &Value) -> Result<Cow<'_, str>, Refusal> {
    value.as_str().map(composed).ok_or_else(|| ("wrong_type", "This must be a string.".into()))
}

/// A text in Unicode's form NFC.
pub fn composed(text: &str) -> Cow<'_, str> {
    if is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

impl FieldValue for bool {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        value.as_bool().ok_or_else(|| ("wrong_type", "This must be true or false.".into()))
    }
}

impl FieldValue for String {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        text(value).map(Cow::into_owned)
    }
}

impl<T: FieldValue> FieldValue for Vec<T> {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        let list = value.as_array().ok_or(("wrong_type", String::from("This must be a list.")))?;
        list.iter().map(T::parse).collect()
    }
}

/// Text of 1 to `max` characters (grapheme clusters) and at most `max_bytes` bytes, trimmed and composed (Unicode's form
/// NFC), without control characters other than line breaks where `lines` allows them.
///
/// # Errors
/// `empty`, `too_long` or `invalid_characters`.
pub fn bounded(value: &Value, max: usize, max_bytes: usize, lines: bool) -> Result<String, Refusal> {
    use unicode_segmentation::UnicodeSegmentation;
    let given = text(value)?;
    let text = given.trim();
    if text.chars().all(shows_nothing) {
        return Err(("empty", "This must not be empty.".into()));
    }
    // As sent, so that a client that counts characters counts as many.
    if given.len() > max_bytes || given.graphemes(true).count() > max {
        return Err(("too_long", format!("At most {max} characters and {max_bytes} bytes.")));
    }
    let is_break = |c| matches!(c, '\n' | '\r' | '\t');
    let is_unusual = given.chars().any(|c| c.is_control() && !is_break(c));
    if is_unusual || (!lines && text.contains(is_break)) {
        return Err(("invalid_characters", "Control characters are not allowed.".into()));
    }
    if text.chars().any(turns_direction) {
        return Err(("invalid_characters", "Characters that turn the direction of writing are not allowed.".into()));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, PartialEq)]
    struct Body {
        name: String,
        on: Option<bool>,
        note: Patch<String>,
    }

    impl FromFields for Body {
        fn from_fields(fields: &mut Fields) -> Option<Self> {
            let (name, on, note) = (fields.required("name"), fields.optional("on"), fields.patch("note"));
            Some(Self { name: name?, on: on?, note: note? })
        }
    }

    fn read(value: Value) -> Result<Body> {
        Fields::read(value.as_object().unwrap().clone())
    }

    #[test]
    fn every_bad_field_is_told() {
        let error = read(json!({"on": "yes", "note": 1})).unwrap_err();
        let told: Vec<_> = error.fields().iter().map(|f| (f.field.as_str(), f.code.as_str())).collect();
        assert_eq!(told, [("name", "required"), ("on", "wrong_type"), ("note", "wrong_type")]);
    }

    #[test]
    fn what_is_not_known_is_refused_with_the_nearest_name() {
        let told = |body: Value| {
            let error = read(body).unwrap_err();
            error.fields().iter().map(|f| (f.field.clone(), f.code.clone(), f.detail.clone())).collect::<Vec<_>>()
        };
        let unknown = |name: &str, nearest: &str| {
            let detail = format!("There is no such field here; did you mean `{nearest}`?");
            (name.to_owned(), "unknown_field".to_owned(), detail)
        };
        assert_eq!(
            told(json!({"name": "a", "Notes": "b", "onn": 1})),
            [unknown("Notes", "note"), unknown("onn", "on")]
        );
    }

    #[test]
    fn what_is_empty_is_nothing() {
        let body = |note| Body { name: "a".into(), on: None, note };
        assert_eq!(read(json!({"name": "a", "on": "", "note": " "})).unwrap(), body(Patch::Clear));
    }

    #[test]
    fn absent_is_not_null() {
        let body = |note| Body { name: "a".into(), on: None, note };
        assert_eq!(read(json!({"name": "a", "on": null})).unwrap(), body(Patch::Absent));
        assert_eq!(read(json!({"name": "a", "note": null})).unwrap(), body(Patch::Clear));
        assert_eq!(read(json!({"name": "a", "note": "b"})).unwrap(), body(Patch::Set("b".into())));
    }

    #[test]
    fn text_is_counted_in_grapheme_clusters_and_bytes() {
        let family = "👨‍👩‍👧‍👦";
        assert!(bounded(&json!(family.repeat(10)), 10, 1000, false).is_ok());
        assert_eq!(bounded(&json!(family.repeat(11)), 10, 1000, false).unwrap_err().0, "too_long");
        // Composed, these are half as many bytes; the others can't be composed.
        assert_eq!(bounded(&json!("a\u{301}".repeat(500)), 1000, 1000, false).unwrap(), "á".repeat(500));
        assert_eq!(bounded(&json!("x\u{301}".repeat(500)), 1000, 1000, false).unwrap_err().0, "too_long");
        assert_eq!(bounded(&json!(" \n "), 10, 10, true).unwrap_err().0, "empty");
        for nothing in ["\u{200b}", "\u{3164}", "\u{200d}\u{2060} \u{ad}", "\u{feff}", "\u{e0020}", "\u{2800}"] {
            assert_eq!(bounded(&json!(nothing), 10, 100, true).unwrap_err().0, "empty", "{nothing:?}");
        }
        for turned in ["a\u{202e}b", "\u{2066}a\u{2069}"] {
            assert_eq!(bounded(&json!(turned), 10, 100, true).unwrap_err().0, "invalid_characters", "{turned:?}");
        }
        // Joiners between letters are part of how some scripts are written, and of emoji.
        assert!(bounded(&json!("می\u{200c}خواهم \u{200f}שלום"), 20, 100, false).is_ok());
        assert_eq!(bounded(&json!("a\nb"), 10, 10, false).unwrap_err().0, "invalid_characters");
        assert_eq!(bounded(&json!("a\nb"), 10, 10, true).unwrap(), "a\nb");
    }
}
