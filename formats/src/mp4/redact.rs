//! What an MP4 tells beside its pictures and sound: where, when and with what it was taken. It stands in `udta` and `meta`
//! on several levels, in `uuid`s, in the names and times of tracks, in tracks of their own (action cameras write a
//! position a second), and behind it all. Rather than to know each, what a player needs is kept, and all else is
//! overwritten, in the media data as well.

use super::super::Redaction;
use super::boxes::{Kind, Place, children, find, number, places};
use std::ops::Range;

/// Boxes of a file.
pub(super) const OF_FILE: [&Kind; 9] =
    [b"ftyp", b"moov", b"mdat", b"moof", b"sidx", b"ssix", b"styp", b"mfra", b"pdin"];

/// What is kept in a box that holds boxes; None for one that is kept whole.
fn kept_in(kind: &Kind) -> Option<&'static [&'static Kind]> {
    Some(match kind {
        b"moov" => &[b"mvhd", b"iods", b"trak", b"mvex"],
        b"trak" => &[b"tkhd", b"edts", b"mdia"],
        b"mdia" => &[b"mdhd", b"elng", b"hdlr", b"minf"],
        b"minf" => &[b"vmhd", b"smhd", b"hdlr", b"dinf", b"stbl"],
        b"dinf" => &[b"dref"],
        b"stbl" => &[
            b"stsd", b"stts", b"ctts", b"cslg", b"stss", b"stsc", b"stsz", b"stz2", b"stco", b"co64", b"sgpd", b"sbgp",
            b"sdtp", b"subs", b"stps", b"saiz", b"saio",
        ],
        b"mvex" => &[b"mehd", b"trex", b"leva"],
        b"moof" => &[b"mfhd", b"traf"],
        b"traf" => &[b"tfhd", b"tfdt", b"trun", b"sgpd", b"sbgp", b"sdtp", b"subs", b"saiz", b"saio"],
        _ => return None,
    })
}

/// Whether it is a track of pictures or sound.
pub(super) fn is_shown(track: &[u8]) -> bool {
    find(track, &[b"mdia", b"hdlr"])
        .and_then(|hdlr| hdlr.get(8..12))
        .is_some_and(|kind| matches!(kind, b"vide" | b"soun"))
}

/// Overwrites what is not needed in a box, whose content begins at a place of the file. None if it can't be read.
pub(super) fn redact(kind: &Kind, content: &[u8], at: u64, out: &mut Redaction) -> Option<()> {
    let Some(kept) = kept_in(kind) else {
        of_leaf(kind, content, at, out);
        return Some(());
    };
    let mut end = 0;
    for Place { kind, at: start, content: place } in places(content)? {
        let child = content.get(place.clone())?;
        if kept.contains(&&kind) && (&kind != b"trak" || is_shown(child)) {
            redact(&kind, child, at + place.start as u64, out)?;
        } else {
            free(&kind, at + start as u64, out);
            out.zero_known(at + place.start as u64, child);
        }
        end = place.end;
    }
    out.zero_known(at + end as u64, content.get(end..)?);
    Some(())
}

/// Makes a box one that players skip.
pub(super) fn free(kind: &Kind, at: u64, out: &mut Redaction) {
    if kind != b"free" {
        out.write(at + 4, b"free");
    }
}

/// Times at which it was made and changed, and what names its maker.
fn of_leaf(kind: &Kind, content: &[u8], at: u64, out: &mut Redaction) {
    let mut zero = |range: Range<usize>| {
        if let Some(bytes) = content.get(range.clone()) {
            out.zero_known(at + range.start as u64, bytes);
        }
    };
    match kind {
        b"mvhd" | b"tkhd" | b"mdhd" => zero(4..if content.first() == Some(&1) { 20 } else { 12 }),
        // Behind the kind of a track, which decides how it is read, its name.
        b"hdlr" => zero(12..content.len()),
        b"dref" => each(content, |_, entry| {
            // Data in this very file need no address.
            if content.get(entry.start + 3).is_some_and(|flags| flags & 1 == 1) {
                zero(entry.start + 4..entry.end);
            }
        }),
        b"stsd" => each(content, |kind, entry| {
            if matches!(kind, b"avc1" | b"avc3") {
                // The maker, and the name of the encoder.
                zero(entry.start + 12..entry.start + 16);
                zero(entry.start + 42..entry.start + 74);
            }
        }),
        _ => {}
    }
}

/// The entries of a table, which its version and their count precede.
fn each(content: &[u8], mut visit: impl FnMut(&Kind, Range<usize>)) {
    for entry in content.get(8..).and_then(places).unwrap_or_default() {
        visit(&entry.kind, entry.content.start + 8..entry.content.end + 8);
    }
}

/// Overwrites the media data that no picture and no sound lies in. None if a table can't be read.
pub(super) fn redact_media(moov: &[u8], media: &[Range<u64>], out: &mut Redaction) -> Option<()> {
    let mut chunks = Vec::new();
    for (_, track) in children(moov)?.iter().filter(|(kind, track)| kind == b"trak" && is_shown(track)) {
        chunks_of(find(track, &[b"mdia", b"minf", b"stbl"])?, &mut chunks)?;
    }
    chunks.sort_unstable_by_key(|chunk| chunk.start);
    for data in media {
        let mut at = data.start;
        let first = chunks.partition_point(|chunk| chunk.start < data.start);
        for chunk in chunks.iter().skip(first).take_while(|chunk| chunk.start < data.end) {
            out.zero(at, chunk.start.saturating_sub(at));
            at = at.max(chunk.end);
        }
        out.zero(at, data.end.saturating_sub(at));
    }
    Some(())
}

/// Where a track's pictures or sounds lie: a chunk is several of them in a row.
fn chunks_of(table: &[u8], chunks: &mut Vec<Range<u64>>) -> Option<()> {
    let parts = children(table)?;
    let part = |wanted: &Kind| parts.iter().find(|(kind, _)| kind == wanted).map(|(_, content)| *content);
    let mut sizes = Sizes::read(part(b"stsz"), part(b"stz2"))?;
    let (offsets, width) = part(b"stco").map(|table| (table, 4)).or_else(|| part(b"co64").map(|table| (table, 8)))?;
    let runs = part(b"stsc")?;
    let (runs, _) = runs.get(8..)?.as_chunks::<12>();
    let mut runs = runs.iter().peekable();
    let mut in_each = 0;
    let count = usize::try_from(number(offsets, 4)?).ok()?;
    for (n, offset) in offsets.get(8..)?.chunks_exact(width).take(count).enumerate() {
        while runs.peek().is_some_and(|run| number(*run, 0).is_some_and(|first| first as usize <= n + 1)) {
            in_each = number(runs.next()?, 4)?;
        }
        let start = offset.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        chunks.push(start..start.saturating_add(sizes.next(in_each)));
    }
    Some(())
}

/// Bytes of pictures or sounds, one after the other.
enum Sizes<'a> {
    /// All alike, and how many are left.
    Constant(u64, u32),
    /// Entries of so many bits.
    Table { entries: &'a [u8], bits: usize, at: usize, count: usize },
}

impl<'a> Sizes<'a> {
    fn read(stsz: Option<&'a [u8]>, stz2: Option<&'a [u8]>) -> Option<Self> {
        let table = stsz.or(stz2)?;
        let (size, count) = (number(table, 4)?, number(table, 8)?);
        let bits = match (stsz, size) {
            (Some(_), 0) => 32,
            (Some(_), size) => return Some(Self::Constant(size.into(), count)),
            (None, size @ (4 | 8 | 16)) => usize::try_from(size).ok()?,
            (None, _) => return None,
        };
        Some(Self::Table { entries: table.get(12..)?, bits, at: 0, count: usize::try_from(count).ok()? })
    }

    /// Those of the next ones together.
    fn next(&mut self, wanted: u32) -> u64 {
        match self {
            Self::Constant(size, left) => {
                let taken = wanted.min(*left);
                *left -= taken;
                size.saturating_mul(taken.into())
            }
            Self::Table { entries, bits, at, count } => {
                let end = at.saturating_add(wanted as usize).min(*count);
                let (mut sum, width) = (0_u64, (*bits).div_ceil(8));
                while *at < end {
                    let from = *at * *bits / 8;
                    let Some(bytes) = entries.get(from..from + width) else { break };
                    let mut size = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
                    if *bits == 4 {
                        size = if *at % 2 == 0 { size >> 4 } else { size & 0xf };
                    }
                    sum = sum.saturating_add(size);
                    *at += 1;
                }
                sum
            }
        }
    }
}
