//! MP4s (ISO/IEC 14496-12, -14 and -15). The few boxes are read here: `re_mp4`, which reads them all, panics on tables that
//! disagree, and makes a list of as many samples as one number claims.

mod boxes;
mod codecs;
mod fragments;
mod redact;

use super::redaction::Redaction;
use super::video::{Failure, File, VideoInfo};
use super::{Refusal, array, broken, truncated};
use boxes::{Header, children, find};
use codecs::{check_picture, check_sound};
use fragments::Fragments;
use std::io::{Read, Seek};
use std::ops::Range;

/// An index of three hours at 60 pictures a second has about half.
const MAX_MOOV: u64 = 16 << 20;

/// An index of one fragment: a minute at 60 pictures a second has a tenth.
const MAX_MOOF: u64 = 1 << 20;

/// In fragments there are two for every one: half an hour of a second each.
const MAX_BOXES: u32 = 4096;

/// Padding up to here is looked at, for it is mostly zeros already.
const PADDING: u64 = 4096;

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

pub(super) fn inspect<R: Read + Seek>(file: &mut File<R>) -> Result<(VideoInfo, Redaction), Failure> {
    let mut found = Walk::default();
    let (mut at, mut count) = (0, 0);
    while at < file.size {
        count += 1;
        if count > MAX_BOXES {
            return Err(broken("it is in too many parts").into());
        }
        let head = file.up_to(at, 16)?;
        let header = Header::read(&head, file.size - at);
        let end = header.as_ref().and_then(|header| at.checked_add(header.length)).filter(|end| *end <= file.size);
        let (Some(header), Some(end)) = (&header, end) else {
            // What cameras and editors add behind a film need not be a box.
            if found.is_film() && header.is_none_or(|header| !redact::OF_FILE.contains(&&header.kind)) {
                break;
            }
            return Err(truncated().into());
        };
        if header.length < header.start {
            if found.is_film() {
                break;
            }
            return Err(broken("a part of it is shorter than its own header").into());
        }
        found.visit(file, header, at)?;
        at = end;
    }
    Ok(found.finish(at)?)
}

/// What was seen of a file.
#[derive(Default)]
struct Walk {
    /// The film's index, and where it lies.
    moov: Option<(u64, Vec<u8>)>,
    /// Media data.
    media: Vec<Range<u64>>,
    /// Indices of fragments, and where they lie.
    fragments: Vec<(u64, Vec<u8>)>,
    redaction: Redaction,
}

impl Walk {
    /// Whether nothing more has to come.
    fn is_film(&self) -> bool {
        self.moov.is_some() && !self.media.is_empty()
    }

    fn visit<R: Read + Seek>(&mut self, file: &mut File<R>, header: &Header, at: u64) -> Result<(), Failure> {
        let (start, content) = (at + header.start, header.length - header.start);
        let whole = |most, what: &str| {
            if content > most {
                Err(broken(&format!("{what} is too large")))
            } else {
                Ok(usize::try_from(content).unwrap_or(0))
            }
        };
        match &header.kind {
            b"moov" if self.moov.is_some() => return Err(broken("it has two indices").into()),
            b"moov" => self.moov = Some((start, file.exactly(start, whole(MAX_MOOV, "its index")?)?)),
            b"moof" => self.fragments.push((start, file.exactly(start, whole(MAX_MOOF, "a part of its index")?)?)),
            b"mdat" => self.media.push(start..start + content),
            kind if redact::OF_FILE.contains(&kind) => {}
            kind => {
                redact::free(kind, at, &mut self.redaction);
                if content <= PADDING {
                    let bytes = file.up_to(start, usize::try_from(content).unwrap_or(0))?;
                    self.redaction.zero_known(start, &bytes);
                } else {
                    self.redaction.zero(start, content);
                }
            }
        }
        Ok(())
    }

    fn finish(mut self, end: u64) -> Result<(VideoInfo, Redaction), Refusal> {
        let (at, moov) =
            self.moov.take().ok_or_else(|| broken("it has no index, as a recording that was broken off"))?;
        if self.media.is_empty() {
            return Err(broken("it has no pictures"));
        }
        let mut info = film(&moov, !self.fragments.is_empty())?;
        let bad = || broken("its index can't be read");
        redact::redact(b"moov", &moov, at, &mut self.redaction).ok_or_else(bad)?;
        if self.fragments.is_empty() {
            redact::redact_media(&moov, &self.media, &mut self.redaction).ok_or_else(bad)?;
        } else {
            info.duration_ms = self.in_fragments(&moov, info.duration_ms)?;
        }
        Ok((info, self.redaction.finish(end)))
    }

    /// How long a film in fragments lasts, of which the index alone tells this.
    fn in_fragments(&mut self, moov: &[u8], known: Option<u64>) -> Result<Option<u64>, Refusal> {
        let mut fragments = Fragments::read(moov).ok_or_else(|| broken("its index can't be read"))?;
        for (at, moof) in &self.fragments {
            let read = fragments.add(moof).and_then(|()| redact::redact(b"moof", moof, *at, &mut self.redaction));
            read.ok_or_else(|| broken("an index of a part of it can't be read"))?;
        }
        Ok(known.max(fragments.milliseconds(known.is_some())))
    }
}

fn film(moov: &[u8], in_fragments: bool) -> Result<VideoInfo, Refusal> {
    let bad = || broken("its index can't be read");
    let parts = children(moov).ok_or_else(bad)?;
    let (mut size, mut longest) = (None, None);
    for (_, track) in parts.iter().filter(|(kind, _)| kind == b"trak") {
        let handler = find(track, &[b"mdia", b"hdlr"]).and_then(|hdlr| array(hdlr, 8)).ok_or_else(bad)?;
        // Subtitles, timecodes, positions and the like: browsers leave them alone, and they are not served.
        if !matches!(&handler, b"vide" | b"soun") {
            if in_fragments {
                return Err(codecs::other_track(&handler));
            }
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
    let of_fragments =
        fragments.and_then(|mvex| clock.of_fragments(find(mvex, &[b"mehd"])?)).and_then(|c| c.milliseconds());
    let duration_ms = clock.milliseconds().or(longest).max(of_fragments);
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

#[cfg(test)]
mod tests;
