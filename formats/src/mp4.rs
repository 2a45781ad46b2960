//! MP4s (ISO/IEC 14496-12, -14 and -15). The few boxes are read here, and no sample tables: `re_mp4`, which reads them
//! all, panics on tables that disagree, and makes a list of as many samples as one number claims.

use super::video::{Failure, File, VideoInfo, printable, unsupported};
use super::{Refusal, array, broken, truncated};
use std::io::{Read, Seek};

/// An index of three hours at 60 pictures a second has about half.
const MAX_MOOV: u64 = 16 << 20;

/// In fragments there are two for every one: half an hour of a second each.
const MAX_BOXES: u32 = 4096;

/// Within one box. Those looked into have a dozen.
const MAX_CHILDREN: usize = 1024;

const TAKEN: &str = "an MP4 may have H.264 and AAC";

/// [Brands](https://mp4ra.org/registered-types/brands) of films in MP4.
const BRANDS: [&[u8; 4]; 21] = [
    b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"iso7", b"iso8", b"iso9", b"mp41", b"mp42", b"avc1",
    b"M4V ", b"M4VH", b"M4VP", b"f4v ", b"dash", b"msdh", b"MSNV", b"cmfc", b"XAVC",
];

/// Brands of pictures and QuickTime, some of which name a film's as well.
const OTHERS: [&[u8; 4]; 11] =
    [b"qt  ", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"];

/// Whether a file that begins with `ftyp` is a film's.
pub(super) fn is_of_brand(head: &[u8]) -> bool {
    let end = array(head, 0).and_then(|length| usize::try_from(u32::from_be_bytes(length)).ok()).unwrap_or(0);
    let Some(brands) = head.get(8..end.min(head.len())) else { return false };
    let (brands, _) = brands.as_chunks::<4>();
    let major_is_other = brands.first().is_some_and(|major| OTHERS.contains(&major));
    // The second is a version.
    let mut named = brands.iter().enumerate().filter(|(n, _)| *n != 1).map(|(_, brand)| brand);
    !major_is_other && named.any(|brand| BRANDS.contains(&brand))
}

pub(super) fn inspect<R: Read + Seek>(file: &mut File<R>) -> Result<VideoInfo, Failure> {
    let (mut at, mut count) = (0, 0);
    let (mut moov, mut has_media) = (None, false);
    while at < file.size {
        count += 1;
        if count > MAX_BOXES {
            return Err(broken("it is in too many parts").into());
        }
        let head = file.up_to(at, 16)?;
        let Header { kind, start, length } = Header::read(&head, file.size - at).ok_or_else(truncated)?;
        let end = at.checked_add(length).filter(|end| *end <= file.size).ok_or_else(truncated)?;
        let content = length.checked_sub(start).ok_or_else(|| broken("a part of it is shorter than its own header"))?;
        match &kind {
            b"moov" if moov.is_some() => return Err(broken("it has two indices").into()),
            b"moov" if content > MAX_MOOV => return Err(broken("its index is too large").into()),
            b"moov" => moov = Some(file.exactly(at + start, usize::try_from(content).unwrap_or(0))?),
            b"mdat" | b"moof" => has_media = true,
            _ => {}
        }
        at = end;
    }
    let moov = moov.ok_or_else(|| broken("it has no index, as a recording that was broken off"))?;
    if !has_media {
        return Err(broken("it has no pictures").into());
    }
    Ok(film(&moov)?)
}

/// A box's header.
struct Header {
    kind: [u8; 4],
    start: u64,
    length: u64,
}

impl Header {
    /// None where the bytes end.
    fn read(head: &[u8], left: u64) -> Option<Self> {
        let kind = array(head, 4)?;
        Some(match u32::from_be_bytes(array(head, 0)?) {
            0 => Self { kind, start: 8, length: left },
            1 => Self { kind, start: 16, length: u64::from_be_bytes(array(head, 8)?) },
            length => Self { kind, start: 8, length: length.into() },
        })
    }
}

type Child<'a> = ([u8; 4], &'a [u8]);

/// The boxes in a box. None if one doesn't fit.
fn children(mut bytes: &[u8]) -> Option<Vec<Child<'_>>> {
    let mut found = Vec::new();
    // QuickTime ends some with four bytes of nought.
    while bytes.len() >= 8 {
        let Header { kind, start, length } = Header::read(bytes, u64::try_from(bytes.len()).ok()?)?;
        let (child, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
        found.push((kind, child.get(usize::try_from(start).ok()?..)?));
        if found.len() > MAX_CHILDREN {
            return None;
        }
        bytes = rest;
    }
    Some(found)
}

/// The first of a kind on a path.
fn find<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, wanted| {
        children(bytes)?.into_iter().find(|(kind, _)| kind == *wanted).map(|(_, body)| body)
    })
}

fn film(moov: &[u8]) -> Result<VideoInfo, Refusal> {
    let bad = || broken("its index can't be read");
    let parts = children(moov).ok_or_else(bad)?;
    let (mut size, mut longest) = (None, None);
    for (_, track) in parts.iter().filter(|(kind, _)| kind == b"trak") {
        let handler = find(track, &[b"mdia", b"hdlr"]).and_then(|hdlr| array(hdlr, 8)).ok_or_else(bad)?;
        // Subtitles, timecodes and the like; browsers leave them alone.
        if !matches!(&handler, b"vide" | b"soun") {
            continue;
        }
        let stsd = find(track, &[b"mdia", b"minf", b"stbl", b"stsd"]).ok_or_else(bad)?;
        let entries = children(stsd.get(8..).ok_or_else(bad)?).ok_or_else(bad)?;
        for (codec, entry) in &entries {
            if &handler == b"vide" {
                check_picture(codec, entry)?;
            } else {
                check_sound(codec, entry, stsd.first() == Some(&0))?;
            }
        }
        let (_, first) = entries.first().ok_or_else(bad)?;
        if &handler == b"vide" && size.is_none() {
            size = Some(shown_size(find(track, &[b"tkhd"]).ok_or_else(bad)?, first).ok_or_else(bad)?);
        }
        let lasts = find(track, &[b"mdia", b"mdhd"]).and_then(Clock::read).ok_or_else(bad)?.milliseconds();
        longest = longest.max(lasts);
    }
    let (width, height) = size.ok_or_else(|| broken("it has no pictures, only sound"))?;
    let clock = find(moov, &[b"mvhd"]).and_then(Clock::read).ok_or_else(bad)?;
    let fragments = find(moov, &[b"mvex"]);
    let in_fragments =
        fragments.and_then(|mvex| clock.of_fragments(find(mvex, &[b"mehd"])?)).and_then(|c| c.milliseconds());
    let duration_ms = clock.milliseconds().or(longest).or(in_fragments);
    if duration_ms.is_none() && fragments.is_none() {
        return Err(broken("it lasts no time"));
    }
    Ok(VideoInfo { width, height, duration_ms })
}

/// A duration in units of a second.
struct Clock {
    scale: u32,
    duration: u64,
}

impl Clock {
    /// From `mvhd` or `mdhd`, which begin alike.
    fn read(body: &[u8]) -> Option<Self> {
        let (scale, duration) = match body.first()? {
            0 => (array(body, 12)?, whole(array(body, 16)?)),
            1 => (array(body, 20)?, u64::from_be_bytes(array(body, 24)?)),
            _ => return None,
        };
        Some(Self { scale: u32::from_be_bytes(scale), duration })
    }

    fn of_fragments(&self, mehd: &[u8]) -> Option<Self> {
        let duration = match mehd.first()? {
            0 => whole(array(mehd, 4)?),
            _ => u64::from_be_bytes(array(mehd, 4)?),
        };
        Some(Self { scale: self.scale, duration })
    }

    /// None when it isn't known: nought, or all ones.
    fn milliseconds(&self) -> Option<u64> {
        if self.duration == u64::MAX {
            return None;
        }
        let exact = (u128::from(self.duration) * 1000).checked_div(self.scale.into())?;
        u64::try_from(exact).ok().filter(|known| *known > 0)
    }
}

/// All ones stay all ones.
fn whole(duration: [u8; 4]) -> u64 {
    if duration == [0xff; 4] { u64::MAX } else { u32::from_be_bytes(duration).into() }
}

/// By the track's header and matrix, or as it is coded where the header leaves it open.
fn shown_size(tkhd: &[u8], entry: &[u8]) -> Option<(u32, u32)> {
    let matrix = match tkhd.first()? {
        0 => 40,
        1 => 52,
        _ => return None,
    };
    let of_matrix = |n: usize| array(tkhd, matrix + 4 * n).map(i32::from_be_bytes).map(i32::unsigned_abs);
    let side = |header, coded| {
        let shown = u32::from_be_bytes(array(tkhd, header)?) >> 16;
        if shown > 0 { Some(shown) } else { Some(u16::from_be_bytes(array(entry, coded)?).into()) }
    };
    let (width, height) = (side(matrix + 36, 24)?, side(matrix + 40, 26)?);
    if width == 0 || height == 0 {
        return None;
    }
    // A quarter either way: the first row moves what is right down, not right.
    Some(if of_matrix(1)? > of_matrix(0)? { (height, width) } else { (width, height) })
}

fn check_picture(codec: &[u8; 4], entry: &[u8]) -> Result<(), Refusal> {
    if !matches!(codec, b"avc1" | b"avc3") {
        return Err(unsupported(&named(codec), TAKEN));
    }
    let configuration = entry.get(78..).and_then(|boxes| find(boxes, &[b"avcC"]));
    configuration.map(|_| ()).ok_or_else(|| broken("its pictures can't be decoded without their configuration"))
}

fn check_sound(codec: &[u8; 4], entry: &[u8], may_be_quicktime: bool) -> Result<(), Refusal> {
    if codec != b"mp4a" {
        return Err(unsupported(&named(codec), TAKEN));
    }
    // QuickTime's later versions of the entry are longer.
    let version = if may_be_quicktime { array(entry, 8).map(u16::from_be_bytes) } else { None };
    let start = match version {
        Some(1) => 28 + 16,
        Some(2) => 28 + 36,
        _ => 28,
    };
    let boxes = entry.get(start..).unwrap_or_default();
    let esds = find(boxes, &[b"esds"]).or_else(|| find(boxes, &[b"wave", b"esds"]));
    match esds.and_then(sound_type) {
        Some((0x67, _) | (0x40, None | Some(2 | 5 | 29))) => Ok(()),
        Some((0x69 | 0x6b, _)) => Err(unsupported("mp4a (MP3)", TAKEN)),
        Some((0x40, Some(kind))) => Err(unsupported(&format!("mp4a (MPEG-4 Audio {kind})"), TAKEN)),
        Some((kind, _)) => Err(unsupported(&format!("mp4a ({kind:#04x})"), TAKEN)),
        None => Err(broken("its sound can't be decoded without its configuration")),
    }
}

/// The object type that stands for a family, and of MPEG-4's own the one within: AAC-LC is 2, HE-AAC 5 and 29.
fn sound_type(esds: &[u8]) -> Option<(u8, Option<u8>)> {
    let stream = descriptor(esds.get(4..)?, 3)?;
    let flags = *stream.get(2)?;
    let depends = if flags & 0x80 == 0 { 0 } else { 2 };
    let address = if flags & 0x40 == 0 { 0 } else { 1 + usize::from(*stream.get(3 + depends)?) };
    let clock = if flags & 0x20 == 0 { 0 } else { 2 };
    let decoder = descriptor(stream.get(3 + depends + address + clock..)?, 4)?;
    let kind = decoder.get(13..).and_then(|rest| descriptor(rest, 5)).and_then(|specific| specific.first());
    Some((*decoder.first()?, kind.map(|first| first >> 3)))
}

/// What a descriptor holds; its length has seven bits a byte.
fn descriptor(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (found, mut rest) = bytes.split_first()?;
    let mut length = 0;
    for _ in 0..4 {
        let (byte, after) = rest.split_first()?;
        length = length << 7 | usize::from(byte & 0x7f);
        rest = after;
        if byte & 0x80 == 0 {
            break;
        }
    }
    (*found == tag).then_some(rest)?.get(..length)
}

/// A codec's code, and what it is called. Names: [MP4 registration authority](https://mp4ra.org/registered-types/sampleentries).
fn named(codec: &[u8; 4]) -> String {
    let name = match codec {
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => "HEVC",
        b"vvc1" | b"vvi1" => "VVC",
        b"av01" => "AV1",
        b"vp08" => "VP8",
        b"vp09" => "VP9",
        b"mp4v" => "MPEG-4 Visual",
        b"s263" => "H.263",
        b"Opus" => "Opus",
        b"fLaC" => "FLAC",
        b"alac" => "ALAC",
        b"ac-3" | b"ec-3" | b"ac-4" => "Dolby",
        b".mp3" => "MP3",
        b"samr" | b"sawb" => "AMR",
        b"encv" | b"enca" => "encrypted",
        _ => return printable(codec),
    };
    format!("{} ({name})", printable(codec))
}

#[cfg(test)]
mod tests;
