//! WebMs ([Matroska, RFC 9559](https://www.rfc-editor.org/rfc/rfc9559), in [EBML, RFC
//! 8794](https://www.rfc-editor.org/rfc/rfc8794)). The demuxer would follow a file's own table of places, in circles where
//! it says so, and panics where two of them lead to a third: so the parts that matter are found here, by walking to them,
//! and it is given a file of these alone.

mod blocks;
mod codecs;
mod elements;
mod redact;

use super::redaction::Redaction;
use super::video::{Failure, File, VideoInfo};
use super::{Refusal, broken, truncated};
use blocks::Blocks;
use codecs::check_codec;
use elements::{CLUSTER, Element, INFO, SEGMENT, TRACKS};
use matroska_demuxer::{DisplayUnit, MatroskaFile, TrackType, Video};
use std::io::{Cursor, Read, Seek};
use std::ops::Range;

/// Before the first pictures there are a table of places, Cues, Tags, Chapters, attachments and padding.
const MAX_BEFORE: u32 = 64;

/// In all. Five hours of pictures and sound have as many.
const MAX_ELEMENTS: u32 = 2_000_000;

/// Whether a file that begins as EBML names itself so: Matroska may hold anything.
pub(super) fn is_of_doctype(head: &[u8]) -> bool {
    head.windows(7).any(|window| window == b"\x42\x82\x84webm")
}

pub(super) fn inspect<R: Read + Seek>(file: &mut File<R>) -> Result<(VideoInfo, Redaction), Failure> {
    let header = Element::read(file, 0)?;
    if header.id != elements::EBML {
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
    let mut redaction = Redaction::default();
    let start = before_pictures(file, segment.start..end, &mut parts, &mut redaction)?;
    parts.extend(CLUSTER.to_be_bytes());
    parts.push(0x80);
    let (mut info, mut blocks) = film(&parts)?;
    let end = pictures(file, start..end, segment.length.is_none(), &mut blocks, &mut redaction)?;
    info.duration_ms = info.duration_ms.or(blocks.milliseconds());
    Ok((info, redaction.finish(end)))
}

/// Walks to the first pictures, and answers where they begin.
fn before_pictures<R: Read + Seek>(
    file: &mut File<R>,
    within: Range<u64>,
    parts: &mut Vec<u8>,
    redaction: &mut Redaction,
) -> Result<u64, Failure> {
    let (mut at, mut wanted, mut count) = (within.start, vec![INFO, TRACKS], 0);
    loop {
        count += 1;
        if at >= within.end {
            // What is recorded live may be cut off without a trace; nothing comes before the tracks.
            return if wanted.is_empty() { Ok(at) } else { Err(truncated().into()) };
        }
        let element = Element::read(file, at)?;
        if element.id == CLUSTER && wanted.is_empty() {
            return Ok(at);
        }
        if element.id == CLUSTER || count > MAX_BEFORE {
            return Err(broken("its pictures come before what says how to play them").into());
        }
        let end = element.end().ok_or_else(|| broken("a part of it has no length"))?;
        if let Some(found) = wanted.iter().position(|id| *id == element.id) {
            wanted.remove(found);
            parts.extend(element.copied(file)?);
        }
        if end > within.end {
            return Err(truncated().into());
        }
        redact::of_segment(file, &element, at, redaction)?;
        at = end;
    }
}

/// Walks through the pictures and what follows them, and answers where the film ends.
fn pictures<R: Read + Seek>(
    file: &mut File<R>,
    within: Range<u64>,
    is_live: bool,
    blocks: &mut Blocks,
    redaction: &mut Redaction,
) -> Result<u64, Failure> {
    let (mut at, mut count, mut cluster_end) = (within.start, 0, None);
    while at < within.end {
        count += 1;
        if count > MAX_ELEMENTS {
            return Err(broken("it is in too many parts").into());
        }
        let element = match Element::read(file, at) {
            Ok(element) => element,
            // One that was recorded live ends anywhere.
            Err(Failure::Refused(_)) if is_live => break,
            Err(failure) => return Err(failure),
        };
        let end = element.end().filter(|end| *end <= within.end);
        if element.id == CLUSTER {
            let enter = end.is_none() || blocks.are_wanted();
            (at, cluster_end) = (end.filter(|_| !enter).unwrap_or(element.start), end.filter(|_| enter));
            continue;
        }
        let Some(end) = end else {
            if is_live {
                break;
            }
            return Err(truncated().into());
        };
        if !blocks.visit(file, &element, at, redaction)? {
            redact::of_segment(file, &element, at, redaction)?;
        }
        // Once no more is to be learned of them, the other pictures are passed over.
        at = cluster_end.filter(|_| !blocks.are_wanted()).unwrap_or(end);
        if at != end {
            cluster_end = None;
        }
    }
    Ok(at)
}

/// What the parts say of the film, and what is to be learned from its pictures.
fn film(parts: &[u8]) -> Result<(VideoInfo, Blocks), Refusal> {
    let file = MatroskaFile::open(Cursor::new(parts)).map_err(|_| broken("what says how to play it can't be read"))?;
    let mut size = None;
    for track in file.tracks() {
        check_codec(track)?;
        if let (None, TrackType::Video, Some(video)) = (size, track.track_type(), track.video()) {
            size = Some(shown_size(video).ok_or_else(|| broken("its pictures have no size"))?);
        }
    }
    let (width, height) = size.ok_or_else(|| broken("it has no pictures"))?;
    let unit = file.info().timestamp_scale().get();
    let duration_ms = file.info().duration().and_then(|units| milliseconds(units, unit));
    Ok((VideoInfo { width, height, duration_ms }, Blocks::new(file.tracks(), unit, duration_ms.is_none())))
}

/// From units of so many nanoseconds; above four seconds it is none.
fn milliseconds(units: f64, unit: u64) -> Option<u64> {
    let unit = f64::from(u32::try_from(unit).ok()?);
    // `Duration` refuses what is no time.
    let lasts = std::time::Duration::try_from_secs_f64(units * unit / 1e9).ok()?;
    u64::try_from(lasts.as_millis()).ok().filter(|known| *known > 0)
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
mod tests;
