//! Pictures and videos as clients see them, and the addresses they are read at.
//!
//! An address is ours, signed, and leads to the bucket. It is the same for everybody within the hour, so that clients
//! and caches can use it again, and ends an hour after that: a signature of the bucket's own would end with the
//! credentials of the process that made it.

use crate::App;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::ids::{MediaId, UserId};
use crate::models::media::{Attached, FailureReason, Media, ORIGINAL, Status, Variant};
use crate::models::user::Avatar;
use crate::secrets::{Keys, Purpose, base64url, from_base64url};
use formats::{FileType, Kind};
use serde::Serialize;
use std::time::Duration;

/// Addresses change so often, in seconds …
const HOUR: u64 = 3_600;
/// … and the one before holds for as long again.
const HOURS: u64 = 2;

/// Makes links to files.
#[derive(Clone, Debug)]
pub struct Links(LinkReader);

/// Who the links are for.
#[derive(Clone, Debug)]
enum LinkReader {
    /// A client, within an hour or two.
    Client { base: String, keys: Keys, expires: u64 },
    /// For readers of this account's archive, at any time.
    Archive { owner: UserId, api: String },
}

impl Links {
    /// Those of this hour.
    ///
    /// # Errors
    /// Internal, in a function without keys.
    pub fn new(app: &App) -> Result<Self> {
        let config = app.config();
        let base = config.media_url.as_ref().unwrap_or(&config.public_url).clone();
        let expires = (app.now().seconds() / HOUR + HOURS) * HOUR;
        Ok(Self(LinkReader::Client { base, keys: app.keys()?, expires }))
    }

    /// Those in an account's archive: to its own files there, and of others' to what tells a new address. Signed ones
    /// would be over before anybody reads it.
    pub fn of_archive(app: &App, owner: UserId) -> Self {
        Self(LinkReader::Archive { owner, api: app.config().public_url.clone() })
    }

    /// Where a file is read.
    fn file(&self, id: MediaId, of: FileType, name: &str) -> String {
        match &self.0 {
            LinkReader::Client { base, keys, expires } => address(base, keys, *expires, id, name),
            LinkReader::Archive { owner, .. } if id.owner == *owner => in_archive(id, of),
            LinkReader::Archive { api, .. } => format!("{api}/media/{id}"),
        }
    }

    /// The smaller forms of a picture; an archive has none.
    fn variants(&self, id: MediaId, variants: Vec<Variant>) -> Vec<VariantView> {
        let LinkReader::Client { base, keys, expires } = &self.0 else { return Vec::new() };
        let view = |Variant { name, width, height }: Variant| {
            let url = address(base, keys, *expires, id, &name);
            VariantView { name, url, width, height }
        };
        variants.into_iter().map(view).collect()
    }

    /// Where a picture of somebody is read; an archive does not tell.
    pub fn avatar(&self, avatar: Option<&Avatar>) -> Option<String> {
        let LinkReader::Client { base, keys, expires } = &self.0 else { return None };
        avatar.map(|avatar| address(base, keys, *expires, avatar.id, &avatar.name))
    }
}

fn address(base: &str, keys: &Keys, expires: u64, id: MediaId, name: &str) -> String {
    let mac = keys.mac(Purpose::File, &signed(id, name, expires).each_ref().map(Vec::as_slice));
    format!("{base}/media/{id}/file?name={name}&expires={expires}&signature={}", base64url(&mac[..MAC]))
}

/// The file of an archive that has a picture or video.
pub fn in_archive(id: MediaId, of: FileType) -> String {
    format!("media/{id}.{}", of.extension())
}

/// Bytes of a signature: 128 bits are what HMAC-SHA-256 is cut to at most (RFC 2104, 5).
const MAC: usize = 16;

fn signed(id: MediaId, name: &str, expires: u64) -> [Vec<u8>; 3] {
    [id.suffix().into_bytes(), name.as_bytes().to_vec(), expires.to_be_bytes().to_vec()]
}

/// How long an address still holds.
///
/// # Errors
/// 404 when it is over, or none of ours.
pub fn verify(app: &App, id: MediaId, name: &str, expires: u64, signature: &str) -> Result<Duration> {
    let mac = from_base64url(signature).unwrap_or_default();
    let is_ours = app.keys()?.verify(Purpose::File, &signed(id, name, expires).each_ref().map(Vec::as_slice), &mac);
    let (now, end) = (app.now(), Timestamp::from_millis(expires.saturating_mul(1_000)));
    if !is_ours || end <= now {
        return Err(Error::not_found());
    }
    Ok(end.since(now))
}

/// A picture or video of a post.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct MediaView {
    pub id: MediaId,
    #[schema(value_type = String, example = "image")]
    pub kind: Kind,
    #[schema(example = "image/jpeg")]
    pub content_type: &'static str,
    /// Where it is read, for an hour or two; the same for everybody within the hour.
    pub url: String,
    /// Pixels.
    pub width: u32,
    pub height: u32,
    pub alt_text: Option<String>,
    /// Smaller forms of a picture.
    pub variants: Vec<VariantView>,
    /// Seconds, of a video that says so.
    pub duration: Option<f64>,
}

/// A smaller form of a picture.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct VariantView {
    /// `medium`: 1,280 pixels on its longer side; `small`: 320.
    #[schema(example = "small")]
    pub name: String,
    pub url: String,
    pub width: u32,
    pub height: u32,
}

impl MediaView {
    pub fn new(attached: Attached, links: &Links) -> Self {
        let Attached { id, content_type, shape, alt_text } = attached;
        Self {
            id,
            kind: content_type.kind(),
            content_type: content_type.content_type(),
            url: links.file(id, content_type, ORIGINAL),
            width: shape.width,
            height: shape.height,
            alt_text,
            variants: links.variants(id, shape.variants),
            duration: shape.duration.map(seconds),
        }
    }
}

fn seconds(millis: u64) -> f64 {
    Duration::from_millis(millis).as_secs_f64()
}

/// A picture or video by itself.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Upload {
    pub id: MediaId,
    #[schema(value_type = String, example = "image")]
    pub kind: Kind,
    #[schema(example = "image/jpeg")]
    pub content_type: &'static str,
    /// Bytes, as they were sent.
    pub size: u64,
    pub status: Status,
    /// Why it failed.
    pub reason: Option<FailureReason>,
    /// Where it is read, for an hour or two, once it is ready.
    pub url: Option<String>,
    /// Pixels.
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub alt_text: Option<String>,
    /// Smaller forms of a picture.
    pub variants: Vec<VariantView>,
    /// Seconds, of a video that says so.
    pub duration: Option<f64>,
    /// RFC 3339, UTC, with milliseconds.
    #[schema(format = DateTime)]
    pub created_at: String,
}

impl Upload {
    pub fn new(media: Media, links: &Links) -> Self {
        let Media { id, content_type, size, status, shape, alt_text, reason, .. } = media;
        let shape = shape.filter(|_| status == Status::Ready);
        Self {
            id,
            kind: content_type.kind(),
            content_type: content_type.content_type(),
            size,
            status,
            reason,
            url: shape.as_ref().map(|_| links.file(id, content_type, ORIGINAL)),
            width: shape.as_ref().map(|shape| shape.width),
            height: shape.as_ref().map(|shape| shape.height),
            alt_text,
            duration: shape.as_ref().and_then(|shape| shape.duration).map(seconds),
            variants: shape.map(|shape| links.variants(id, shape.variants)).unwrap_or_default(),
            created_at: id.created_at().rfc3339(),
        }
    }
}

/// A picture, for the documentation.
pub fn example() -> serde_json::Value {
    let id = "med_01K9ZP2D7V3T8Q6M5N4C1B0A9Z.01K9ZNXE5R2W8J6H4G3F1D0C7B";
    let url = |name: &str| {
        format!(
            "https://api.example.com/media/{id}/file?name={name}&expires=1795212000&signature=qK0vYt3JmVb2n1yD8s5R4w"
        )
    };
    serde_json::json!({
        "id": id, "kind": "image", "content_type": "image/jpeg", "size": 2_311_874, "status": "ready", "reason": null,
        "url": url(ORIGINAL), "width": 3024, "height": 4032, "alt_text": "Curlews on the mudflats.",
        "variants": [
            {"name": "medium", "url": url("medium"), "width": 960, "height": 1280},
            {"name": "small", "url": url("small"), "width": 240, "height": 320}
        ],
        "duration": null, "created_at": "2026-11-20T20:30:00.000Z"
    })
}
