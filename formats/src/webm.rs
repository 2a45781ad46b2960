//! WebMs ([Matroska, RFC 9559](https://www.rfc-editor.org/rfc/rfc9559), in [EBML, RFC
//! 8794](https://www.rfc-editor.org/rfc/rfc8794)). The demuxer would follow a file's own table of places, in circles where
//! it says so, and panics where two of them lead to a third: so the parts that matter are found here, by walking to them,
//! and it is given a file of these alone.

use super::video::{Failure, File, VideoInfo, printable, unsupported};
use super::{Refusal, broken, truncated};
use matroska_demuxer::{DisplayUnit, MatroskaFile, TrackEntry, TrackType, Video};
use std::io::{Cursor, Read, Seek};

const EBML: u32 = 0x1a45_dfa3;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_a966;
const TRACKS: u32 = 0x1654_ae6b;
const CLUSTER: u32 = 0x1f43_b675;

/// Of a header, of what is said of the whole, and of the tracks: a Vorbis track's tables have some 4 kB, and nothing else
/// comes near.
const MAX_PART: u64 = 256 << 10;

/// Before the first pictures there are a table of places, Cues, Tags, Chapters, attachments and padding.
const MAX_ELEMENTS: u32 = 64;

const TAKEN: &str = "a WebM may have VP8, VP9 or AV1, and Vorbis or Opus";

/// Whether a file that begins as EBML names itself so: Matroska may hold anything.
pub(super) fn is_of_doctype(head: &[u8]) -> bool {
    head.windows(7).any(|window| window == b"\x42\x82\x84webm")
}

pub(super) fn inspect<R: Read + Seek>(file: &mut File<R>) -> Result<VideoInfo, Failure> {
    let header = Element::read(file, 0)?;
    if header.id != EBML {
        return Err(broken("it doesn't begin with its header").into());
    }
    let mut parts = header.copied(file)?;
    // Where the header's length isn't known, this isn't reached.
    let segment = Element::read(file, header.end().unwrap_or(file.size))?;
    if segment.id != SEGMENT {
        return Err(broken("its header is followed by nothing").into());
    }
    let end = segment.end().unwrap_or(file.size);
    if end > file.size {
        return Err(truncated().into());
    }
    // One of unknown length, as the demuxer knows it.
    parts.extend(SEGMENT.to_be_bytes());
    parts.push(0xff);
    let (mut at, mut wanted, mut count) = (segment.start, vec![INFO, TRACKS], 0);
    while !wanted.is_empty() {
        count += 1;
        if at >= end {
            // What is recorded live may be cut off without a trace; nothing comes before the tracks.
            return Err(truncated().into());
        }
        let element = Element::read(file, at)?;
        if element.id == CLUSTER || count > MAX_ELEMENTS {
            return Err(broken("its pictures come before what says how to play them").into());
        }
        if let Some(found) = wanted.iter().position(|id| *id == element.id) {
            wanted.remove(found);
            parts.extend(element.copied(file)?);
        }
        at = element.end().ok_or_else(|| broken("a part of it has no length"))?;
        if at > end {
            return Err(truncated().into());
        }
    }
    parts.extend(CLUSTER.to_be_bytes());
    parts.push(0x80);
    Ok(film(&parts)?)
}

/// The header of an element.
struct Element {
    id: u32,
    start: u64,
    length: Option<u64>,
}

impl Element {
    fn read<R: Read + Seek>(file: &mut File<R>, at: u64) -> Result<Self, Failure> {
        // Four bytes at most for what it is, eight for its length.
        let bytes = file.up_to(at, 12)?;
        let bad = || broken("a part of it can't be read");
        let (id_width, id) = number(&bytes).ok_or_else(truncated)?;
        let (length_width, length) = number(bytes.get(id_width..).unwrap_or_default()).ok_or_else(truncated)?;
        let width = u32::try_from(7 * length_width).map_err(|_| bad())?;
        let digits = length & ((1_u64 << width) - 1);
        // All ones are not a length: it lasts until another begins.
        let length = (digits != (1_u64 << width) - 1).then_some(digits);
        let start = u64::try_from(id_width + length_width).ok().and_then(|head| at.checked_add(head));
        Ok(Self { id: u32::try_from(id).map_err(|_| bad())?, start: start.ok_or_else(bad)?, length })
    }

    fn end(&self) -> Option<u64> {
        self.start.checked_add(self.length?)
    }

    /// The whole of it, its length written in one way that all read alike.
    fn copied<R: Read + Seek>(&self, file: &mut File<R>) -> Result<Vec<u8>, Failure> {
        let length = self.length.ok_or_else(|| broken("a part of it has no length"))?;
        if length > MAX_PART && self.end().is_some_and(|end| end <= file.size) {
            return Err(broken("a part of it is too large").into());
        }
        let content = file.exactly(self.start, usize::try_from(length).unwrap_or(usize::MAX))?;
        Ok([self.id.to_be_bytes().as_slice(), &(length | 1 << 56).to_be_bytes(), content.as_slice()].concat())
    }
}

/// A number that tells its own width by its leading noughts, with the mark that does so.
fn number(bytes: &[u8]) -> Option<(usize, u64)> {
    let width = usize::try_from(bytes.first()?.leading_zeros()).ok()? + 1;
    let digits = bytes.get(..width).filter(|_| width <= 8)?;
    Some((width, digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit))))
}

fn film(parts: &[u8]) -> Result<VideoInfo, Refusal> {
    let file = MatroskaFile::open(Cursor::new(parts)).map_err(|_| broken("what says how to play it can't be read"))?;
    let mut size = None;
    for track in file.tracks() {
        check_codec(track)?;
        if let (None, TrackType::Video, Some(video)) = (size, track.track_type(), track.video()) {
            size = Some(shown_size(video).ok_or_else(|| broken("its pictures have no size"))?);
        }
    }
    let (width, height) = size.ok_or_else(|| broken("it has no pictures"))?;
    let nanoseconds = file.info().duration().map(|units| units * scale(file.info().timestamp_scale().get()));
    // `Duration` refuses what is no time.
    let lasts = nanoseconds.and_then(|found| std::time::Duration::try_from_secs_f64(found / 1e9).ok());
    let duration_ms = lasts.and_then(|found| u64::try_from(found.as_millis()).ok()).filter(|known| *known > 0);
    Ok(VideoInfo { width, height, duration_ms })
}

/// Nanoseconds in a unit; above four seconds it is none.
fn scale(unit: u64) -> f64 {
    u32::try_from(unit).map_or(f64::NAN, f64::from)
}

fn check_codec(track: &TrackEntry) -> Result<(), Refusal> {
    let codec = track.codec_id().trim_end_matches('\0');
    let taken = match track.track_type() {
        TrackType::Video => matches!(codec, "V_VP8" | "V_VP9" | "V_AV1"),
        TrackType::Audio => matches!(codec, "A_VORBIS" | "A_OPUS"),
        // Subtitles and the like; browsers leave them alone.
        _ => return Ok(()),
    };
    if !taken {
        return Err(unsupported(&printable(codec.as_bytes()), TAKEN));
    }
    if track.content_encodings().is_some_and(|encodings| !encodings.is_empty()) {
        return Err(unsupported(&format!("{codec} (encrypted or compressed again)"), TAKEN));
    }
    Ok(())
}

/// As it is shown, where that is told in pixels; else what is coded, without what is cut away.
fn shown_size(video: &Video) -> Option<(u32, u32)> {
    let cut = |length: u64, one: Option<u64>, other: Option<u64>| {
        length.checked_sub(one.unwrap_or(0))?.checked_sub(other.unwrap_or(0))
    };
    let coded = (
        cut(video.pixel_width().get(), video.pixel_crop_left(), video.pixel_crop_right())?,
        cut(video.pixel_height().get(), video.pixel_crop_top(), video.pixel_crop_bottom())?,
    );
    let (width, height) = match (video.display_unit(), video.display_width(), video.display_height()) {
        (None | Some(DisplayUnit::Pixels), Some(width), Some(height)) => (width.get(), height.get()),
        _ => coded,
    };
    // What VP9 can code; nothing is shown larger.
    let side = |length| u32::try_from(length).ok().filter(|length| (1..=65_536).contains(length));
    Some((side(width)?, side(height)?))
}

#[cfg(test)]
mod tests {
    use super::super::FileType;
    use super::super::testing::{fixture, variants};
    use super::super::video::tests::inspected;
    use super::*;

    fn inspect(bytes: &[u8]) -> Result<VideoInfo, Refusal> {
        inspected(FileType::Webm, bytes)
    }

    fn replaced(name: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
        let mut film = fixture(name);
        let at = film.windows(from.len()).position(|window| window == from).unwrap();
        film.splice(at..at + from.len(), to.iter().copied());
        film
    }

    #[test]
    fn films_are_measured() {
        let shown = VideoInfo { width: 320, height: 240, duration_ms: Some(6040) };
        let found = inspect(&fixture("tide.webm")).unwrap();
        assert!(found.duration_ms.unwrap().abs_diff(6040) < 20, "{found:?}");
        assert_eq!(VideoInfo { duration_ms: shown.duration_ms, ..found }, shown);
        assert_eq!(inspect(&fixture("live.webm")).unwrap(), VideoInfo { duration_ms: None, ..shown });
    }

    #[test]
    fn other_codecs_are_named() {
        let (code, detail) = inspect(&replaced("tide.webm", b"V_VP9", b"V_XYZ")).unwrap_err();
        let told = "It has V_XYZ, which browsers don't all play; a WebM may have VP8, VP9 or AV1, and Vorbis or Opus.";
        assert_eq!((code, detail.as_str()), ("unsupported_codec", told));
        let (code, _) = inspect(&replaced("tide.webm", b"A_OPUS", b"A_FLAC")).unwrap_err();
        assert_eq!(code, "unsupported_codec");
        assert_eq!(inspect(&fixture("h264.mkv")).unwrap_err().0, "unsupported_type");
        // Matroska that says it is WebM.
        let film = replaced("h264.mkv", b"\x42\x82\x88matroska", b"\xec\x82\0\0\x42\x82\x84webm");
        let (code, detail) = inspect(&film).unwrap_err();
        assert!(code == "unsupported_codec" && detail.contains("V_MPEG4/ISO/AVC"), "{detail}");
    }

    #[test]
    fn a_film_that_was_not_sent_whole_is_truncated() {
        let film = fixture("tide.webm");
        for length in [64, 200, film.len() / 2, film.len() - 1] {
            assert_eq!(inspect(&film[..length]).unwrap_err().0, "truncated", "{length}");
        }
        assert_eq!(inspect(&fixture("live.webm")[..100]).unwrap_err().0, "truncated");
        // One that was recorded live ends anywhere.
        inspect(&fixture("live.webm")[..9000]).unwrap();
    }

    #[test]
    fn what_leads_the_demuxer_in_circles_is_not_followed() {
        let film = fixture("tide.webm");
        // Its name stands in the table of places, too.
        let info = film[..300].windows(4).rposition(|id| id == INFO.to_be_bytes()).unwrap();
        let head = [
            &film[..film.windows(4).position(|id| id == SEGMENT.to_be_bytes()).unwrap()],
            &SEGMENT.to_be_bytes(),
            &[0xff],
        ]
        .concat();
        let tables: [&[u8]; 3] = [
            // A checksum first, which it reads again and again.
            b"\xbf\x84\0\0\0\0",
            // A table of places that names itself.
            b"\x11\x4d\x9b\x74\x8d\x4d\xbb\x8a\x53\xab\x84\x11\x4d\x9b\x74\x53\xac\x80",
            // And one that does so twice.
            b"\x11\x4d\x9b\x74\x9a\x4d\xbb\x8a\x53\xab\x84\x11\x4d\x9b\x74\x53\xac\x80\x4d\xbb\x8a\x53\xab\x84\x11\x4d\x9b\x74\x53\xac\x80",
        ];
        for table in tables {
            assert_eq!(inspect(&[&head, table, &film[info..]].concat()).unwrap().width, 320);
        }
    }

    #[test]
    fn large_claims_allocate_nothing() {
        let head = b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\xff".as_slice();
        let info = |length: u64| [head, &INFO.to_be_bytes(), &(length | 1 << 56).to_be_bytes()].concat();
        assert_eq!(inspect(&info(1 << 50)).unwrap_err().0, "truncated");
        let size = 1 << 52;
        let refused = super::super::inspect(FileType::Webm, Cursor::new([info(1 << 50), vec![0; 100]].concat()), size)
            .unwrap_err();
        assert!(refused.to_string().contains("too large"), "{refused}");
        let voids = [head, &b"\xec\x80".repeat(1000)].concat();
        assert_eq!(inspect(&voids).unwrap_err().0, "broken");
    }

    #[test]
    fn hostile_ones_are_borne() {
        let started = std::time::Instant::now();
        for name in ["tide.webm", "live.webm", "h264.mkv"] {
            let film = fixture(name);
            variants(&film, 6000, |bytes| {
                let _ = inspect(bytes);
            });
            variants(&film[..600], 6000, |bytes| {
                let _ = inspect(bytes);
            });
        }
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }
}
