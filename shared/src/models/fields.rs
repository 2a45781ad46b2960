//! Reading a JSON object field by field, so that every bad field is told at once.

use crate::error::{Error, FieldError, Result};
use bytes::Bytes;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

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
    files: BTreeMap<String, Upload>,
    is_form: bool,
    prefix: String,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Reads a whole body.
    ///
    /// # Errors
    /// 422 with every bad field.
    pub fn read<T: FromFields>(object: Map<String, Value>) -> Result<T> {
        Self { object, files: BTreeMap::new(), is_form: false, prefix: String::new(), errors: Vec::new() }.finish()
    }

    /// Reads a whole body with files.
    ///
    /// # Errors
    /// 422 with every bad field.
    pub fn read_form<T: FromFields>(object: Map<String, Value>, files: BTreeMap<String, Upload>) -> Result<T> {
        Self { object, files, is_form: true, prefix: String::new(), errors: Vec::new() }.finish()
    }

    fn finish<T: FromFields>(mut self) -> Result<T> {
        let parsed = T::from_fields(&mut self);
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

    /// A field that must be there.
    pub fn required<T: FieldValue>(&mut self, name: &str) -> Option<T> {
        match self.object.get(name) {
            None | Some(Value::Null) => {
                self.refuse(name, "required", "This field is required.");
                None
            }
            Some(value) => self.parsed(name, self.parse(value)),
        }
    }

    /// A field that may be absent or null. The outer None means it was refused.
    pub fn optional<T: FieldValue>(&mut self, name: &str) -> Option<Option<T>> {
        match self.object.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(value) => self.parsed(name, self.parse(value)).map(Some),
        }
    }

    /// A field of a PATCH that can be cleared.
    pub fn patch<T: FieldValue>(&mut self, name: &str) -> Option<Patch<T>> {
        match self.object.get(name) {
            None => Some(Patch::Absent),
            Some(Value::Null) => Some(Patch::Clear),
            Some(value) => self.parsed(name, self.parse(value)).map(Patch::Set),
        }
    }

    /// A field of a PATCH that can be changed but not cleared.
    pub fn change<T: FieldValue>(&mut self, name: &str) -> Option<Option<T>> {
        if self.object.get(name) == Some(&Value::Null) {
            self.refuse(name, "required", "This field can't be cleared.");
            return None;
        }
        self.optional(name)
    }

    /// A file of a form, if there is one.
    pub fn file(&mut self, name: &str) -> Option<Upload> {
        if self.object.get(name).is_some_and(|value| !value.is_null()) {
            self.refuse(name, "wrong_type", "This must be a file, in a form.");
        }
        self.files.remove(name)
    }

    /// A file that must be there.
    pub fn required_file(&mut self, name: &str) -> Option<Upload> {
        let file = self.file(name);
        if file.is_none() {
            self.refuse(name, "required", "This file is required.");
        }
        file
    }

    /// Whether this is a file by itself, or a form.
    pub fn has_file(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Fields of an object inside this one; an absent one reads as empty.
    pub fn nested<T: FromFields>(&mut self, name: &str) -> Option<T> {
        let object = match self.object.get(name) {
            None => Map::new(),
            Some(Value::Object(object)) => object.clone(),
            Some(_) => {
                self.refuse(name, "wrong_type", "This must be an object.");
                return None;
            }
        };
        let prefix = format!("{}{name}.", self.prefix);
        let mut fields = Self { object, files: BTreeMap::new(), is_form: false, prefix, errors: Vec::new() };
        let parsed = T::from_fields(&mut fields);
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

/// The text in a value.
///
/// # Errors
/// `wrong_type` for any other kind of value.
pub fn text(value: &Value) -> Result<&str, Refusal> {
    value.as_str().ok_or_else(|| ("wrong_type", "This must be a string.".into()))
}

impl FieldValue for bool {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        value.as_bool().ok_or_else(|| ("wrong_type", "This must be true or false.".into()))
    }
}

impl FieldValue for String {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        text(value).map(str::to_owned)
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
    use unicode_normalization::UnicodeNormalization;
    use unicode_segmentation::UnicodeSegmentation;
    let text: String = text(value)?.trim().nfc().collect();
    if text.is_empty() {
        return Err(("empty", "This must not be empty.".into()));
    }
    if text.len() > max_bytes || text.graphemes(true).count() > max {
        return Err(("too_long", format!("At most {max} characters and {max_bytes} bytes.")));
    }
    if text.chars().any(|c| c.is_control() && !(lines && matches!(c, '\n' | '\r' | '\t'))) {
        return Err(("invalid_characters", "Control characters are not allowed.".into()));
    }
    Ok(text)
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
        assert_eq!(bounded(&json!("a\nb"), 10, 10, false).unwrap_err().0, "invalid_characters");
        assert_eq!(bounded(&json!("a\nb"), 10, 10, true).unwrap(), "a\nb");
    }
}
