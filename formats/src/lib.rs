//! Pictures and videos as they are uploaded: what they are, whether they can be shown, and what is kept of them. All of
//! it reads hostile bytes: nothing here panics on them, or allocates by what they claim.

mod gif;
mod jpeg;
mod mp4;
mod picture;
mod png;
mod profile;
mod redaction;
#[cfg(test)]
mod testing;
mod video;
mod webm;
mod webp;

pub use picture::{MAX_PIXELS, Picture, RENDITIONS, Rendition, develop};
pub use redaction::Redaction;
pub use video::{Failure, VideoInfo, inspect};

use serde::{Deserialize, Serialize};

/// A refusal: a stable code for programs and one clear sentence for people.
pub type Refusal = (&'static str, String);

/// A type of file that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FileType {
    #[serde(rename = "image/png")]
    Png,
    #[serde(rename = "image/jpeg")]
    Jpeg,
    #[serde(rename = "image/gif")]
    Gif,
    #[serde(rename = "image/webp")]
    Webp,
    #[serde(rename = "video/mp4")]
    Mp4,
    #[serde(rename = "video/webm")]
    Webm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Image,
    Video,
}

impl FileType {
    pub const ALL: [Self; 6] = [Self::Png, Self::Jpeg, Self::Gif, Self::Webp, Self::Mp4, Self::Webm];

    /// How many of a file's first bytes tell its type.
    pub const HEAD: usize = 64;

    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
            Self::Mp4 => "video/mp4",
            Self::Webm => "video/webm",
        }
    }

    /// What a file's name ends with.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Gif => "gif",
            Self::Webp => "webp",
            Self::Mp4 => "mp4",
            Self::Webm => "webm",
        }
    }

    /// The type a header names; its parameters, such as codecs, are not believed but looked up in the file.
    pub fn from_content_type(header: &str) -> Option<Self> {
        let named = header.split(';').next().unwrap_or_default().trim();
        // What some programs call a JPEG.
        if ["image/jpg", "image/pjpeg"].iter().any(|known| known.eq_ignore_ascii_case(named)) {
            return Some(Self::Jpeg);
        }
        Self::ALL.into_iter().find(|known| known.content_type().eq_ignore_ascii_case(named))
    }

    pub const fn kind(self) -> Kind {
        match self {
            Self::Png | Self::Jpeg | Self::Gif | Self::Webp => Kind::Image,
            Self::Mp4 | Self::Webm => Kind::Video,
        }
    }

    pub const fn is_video(self) -> bool {
        matches!(self.kind(), Kind::Video)
    }

    /// The type a file's first bytes show.
    pub fn sniff(head: &[u8]) -> Option<Self> {
        match head {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => mp4::is_of_brand(head).then_some(Self::Mp4),
            [0x1a, 0x45, 0xdf, 0xa3, ..] => webm::is_of_doctype(head).then_some(Self::Webm),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Png => "a PNG",
            Self::Jpeg => "a JPEG",
            Self::Gif => "a GIF",
            Self::Webp => "a WebP",
            Self::Mp4 => "an MP4",
            Self::Webm => "a WebM",
        }
    }

    /// What the bytes are decides. Of a picture, another picture's type is no harm: many a file is called wrong.
    fn check(self, head: &[u8]) -> Result<Self, Refusal> {
        match Self::sniff(head) {
            Some(found) if found == self || (!self.is_video() && !found.is_video()) => Ok(found),
            Some(found) => {
                let (name, said) = (found.name(), self.content_type());
                Err(("wrong_type", format!("This is {name}, but was sent as {said}.")))
            }
            None => {
                let found = foreign(head).unwrap_or("none of them");
                let taken = "Pictures may be PNG, JPEG, GIF or WebP, videos MP4 or WebM";
                Err(("unsupported_type", format!("{taken}; this is {found}.")))
            }
        }
    }
}

/// What people send most that is not taken, so that they know what to convert.
fn foreign(head: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(head.trim_ascii_start()).to_ascii_lowercase();
    match head {
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => match brand.first_chunk()? {
            b"qt  " => Some("a QuickTime film"),
            b"avif" | b"avis" => Some("an AVIF"),
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => Some("a HEIC"),
            _ => None,
        },
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some("a Matroska film"),
        _ if text.starts_with("<svg") || text.starts_with("<?xml") => Some("an SVG or other XML"),
        _ if text.starts_with("<!doctype html") || text.starts_with("<html") => Some("an HTML page"),
        _ => None,
    }
}

fn broken(why: &str) -> Refusal {
    ("broken", format!("The file is broken: {why}."))
}

fn truncated() -> Refusal {
    ("truncated", "The file ends before it should: it was not sent whole.".into())
}

/// Bytes at a place, if the file is so long.
fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::testing::fixture;
    use super::*;

    #[test]
    fn a_content_type_is_read_without_its_parameters() {
        for known in FileType::ALL {
            assert_eq!(FileType::from_content_type(known.content_type()), Some(known));
        }
        assert_eq!(FileType::from_content_type(" Video/WebM ; codecs=\"vp9,opus\""), Some(FileType::Webm));
        assert_eq!(FileType::from_content_type("image/JPG"), Some(FileType::Jpeg));
        for other in ["", "image/svg+xml", "text/html", "image", "image/jpeg2", "video/quicktime"] {
            assert_eq!(FileType::from_content_type(other), None, "{other}");
        }
    }

    #[test]
    fn the_first_bytes_tell_the_type() {
        let files = [
            ("photo.jpg", Some(FileType::Jpeg)),
            ("drawing.png", Some(FileType::Png)),
            ("moving.gif", Some(FileType::Gif)),
            ("moving.webp", Some(FileType::Webp)),
            ("tide.mp4", Some(FileType::Mp4)),
            ("fragments.mp4", Some(FileType::Mp4)),
            ("tide.webm", Some(FileType::Webm)),
            ("film.mov", None),
            ("h264.mkv", None),
        ];
        for (name, found) in files {
            assert_eq!(FileType::sniff(&fixture(name)[..FileType::HEAD]), found, "{name}");
        }
    }

    #[test]
    fn what_is_sent_as_another_type_is_refused() {
        assert_eq!(FileType::Jpeg.check(&fixture("drawing.png")), Ok(FileType::Png));
        let (code, detail) = FileType::Mp4.check(&fixture("drawing.png")).unwrap_err();
        assert_eq!((code, detail.as_str()), ("wrong_type", "This is a PNG, but was sent as video/mp4."));
        let heads: [(&[u8], &str); 7] = [
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC"),
            (b"\0\0\0\x20ftypavis\0\0\0\0msf1iso8mif1miaf", "an AVIF"),
            (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a QuickTime film"),
            (b" <svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG or other XML"),
            (b"<!DOCTYPE html><script>", "an HTML page"),
            (b"MZ", "none of them"),
            (b"", "none of them"),
        ];
        for (head, name) in heads {
            let (code, detail) = FileType::Png.check(head).unwrap_err();
            assert_eq!(code, "unsupported_type");
            assert!(detail.ends_with(&format!("; this is {name}.")), "{detail}");
        }
    }
}
