//! Pictures and videos: uploaded, checked, and then part of a post or a profile.

use super::fields::{FieldValue, Refusal, bounded};
use crate::clock::Timestamp;
use crate::ids::{MediaId, PostId, ScheduledId};
use formats::{FileType, Kind, Picture, Rendition};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// The largest file that comes through the API, in bytes: a Lambda event holds 6 MB, and this is 5.6 MB in base64.
pub const MAX_DIRECT: usize = 4 * 1024 * 1024;
/// The largest picture in bytes: 50 megapixels of a camera's best JPEG, and held in memory whole.
pub const MAX_IMAGE: u64 = 40 * 1024 * 1024;
/// The largest video, in bytes.
pub const MAX_VIDEO: u64 = 500 * 1024 * 1024;
/// How long an upload's address takes its bytes.
pub const UPLOAD_LIFETIME: Duration = Duration::from_secs(3600);
/// What belongs to nothing by then is removed.
pub const LOOSE_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Pictures of one post; or one video.
pub const MAX_PER_POST: usize = 4;

/// A picture or video.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    pub id: MediaId,
    pub content_type: FileType,
    /// Bytes, as they were sent; what the quota counts.
    pub size: u64,
    pub status: Status,
    /// Once it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt_text: Option<String>,
    /// What it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Use>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<FailureReason>,
    /// Raised by each change; what `If-Match` compares.
    pub ver: u64,
    /// It waits for the worker.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub todo: bool,
    /// Nothing needs it any more: there until its files are gone.
    #[serde(default, rename = "un", skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

/// How far an upload has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its bytes are to come.
    Pending,
    /// They are here, and are being checked.
    Processing,
    Ready,
    Failed,
}

/// What a picture or video belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    Post(PostId),
    Scheduled(ScheduledId),
    Avatar,
}

/// Why an upload can't be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FailureReason {
    /// A stable code that programs can act on.
    #[schema(example = "unsupported_codec")]
    pub code: String,
    /// A message for people.
    #[schema(example = "The video is hvc1; send H.264.")]
    pub detail: String,
}

/// What there is to see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    pub width: u32,
    pub height: u32,
    /// Milliseconds, of a video that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// Smaller ones of a picture.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
}

impl From<&Picture> for Shape {
    fn from(picture: &Picture) -> Self {
        Self {
            width: picture.width,
            height: picture.height,
            duration: None,
            variants: picture.renditions.iter().map(Variant::from).collect(),
        }
    }
}

/// A smaller form of a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    pub name: String,
    pub width: u32,
    pub height: u32,
}

impl From<&Rendition> for Variant {
    fn from(rendition: &Rendition) -> Self {
        Self { name: rendition.name.to_owned(), width: rendition.width, height: rendition.height }
    }
}

/// The file as it was sent, checked and cleaned; its smaller forms have names of their own.
pub const ORIGINAL: &str = "original";

/// A picture or video as what it belongs to keeps it, to be shown without another read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    pub id: MediaId,
    pub content_type: FileType,
    #[serde(flatten)]
    pub shape: Shape,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt_text: Option<String>,
}

impl Media {
    pub const fn new(id: MediaId, content_type: FileType, size: u64) -> Self {
        Self {
            id,
            content_type,
            size,
            status: Status::Pending,
            shape: None,
            alt_text: None,
            used: None,
            reason: None,
            ver: 1,
            todo: false,
            deleted: false,
        }
    }

    /// What is to be attached. None while it is not ready.
    pub fn attached(&self) -> Option<Attached> {
        let shape = self.shape.clone().filter(|_| self.status == Status::Ready)?;
        Some(Attached { id: self.id, content_type: self.content_type, shape, alt_text: self.alt_text.clone() })
    }

    /// When its address takes no bytes any more.
    pub fn upload_ends(&self) -> Timestamp {
        self.id.created_at() + UPLOAD_LIFETIME
    }
}

/// The most bytes that a file of a kind may have.
pub const fn max_size(kind: Kind) -> u64 {
    match kind {
        Kind::Image => MAX_IMAGE,
        Kind::Video => MAX_VIDEO,
    }
}

/// What a picture shows, for those who don't see it: 1 to 1,000 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AltText(String);

impl AltText {
    /// Grapheme clusters.
    pub const MAX: usize = 1_000;
}

impl From<AltText> for String {
    fn from(text: AltText) -> Self {
        text.0
    }
}

impl FieldValue for AltText {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        bounded(value, Self::MAX, Self::MAX * 4, true).map(Self)
    }
}

/// Ids of what is to be attached, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaIds(pub Vec<MediaId>);

impl FieldValue for MediaIds {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        let texts = Vec::<String>::parse(value)?;
        if texts.len() > MAX_PER_POST {
            return Err(("too_many", format!("At most {MAX_PER_POST} pictures, or one video.")));
        }
        let mut ids = Vec::new();
        for text in texts {
            let id: MediaId = text.parse().map_err(|_| ("not_found", format!("{text} is no media of yours.")))?;
            if ids.contains(&id) {
                return Err(("repeated", format!("{id} stands there twice.")));
            }
            ids.push(id);
        }
        Ok(Self(ids))
    }
}

impl FieldValue for MediaId {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        let text = super::fields::text(value)?;
        text.parse().map_err(|_| ("not_found", "This is no media of yours.".into()))
    }
}

impl FieldValue for FileType {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        let known = FileType::ALL.map(FileType::content_type).join(", ");
        Self::from_content_type(&super::fields::text(value)?)
            .ok_or_else(|| ("unsupported_type", format!("One of {known}.")))
    }
}

impl FieldValue for u64 {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        // 1.0 is a whole number in JSON Schema, and some languages write it so.
        let whole = |number: &f64| number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(number);
        let read = value.as_u64().or_else(|| value.as_f64().filter(whole).map(|number| number as u64));
        read.ok_or_else(|| ("wrong_type", "This must be a whole number.".into()))
    }
}
