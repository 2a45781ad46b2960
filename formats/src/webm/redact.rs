//! What a WebM tells beside its pictures and sound: tags, attachments, chapters, names, dates, and the programs that made
//! it. What a player needs is kept, and all else is made `Void`, which every player skips.

use super::super::broken;
use super::super::redaction::Redaction;
use super::super::video::{Failure, File};
use super::elements::{CUES, Element, INFO, Place, SEEK_HEAD, TRACKS, VOID, places};
use std::io::{Read, Seek};

/// Padding up to here is looked at, for it is mostly zeros already.
const PADDING: u64 = 4096;

const TRACK: u32 = 0xae;
const TRACK_TYPE: u32 = 0x83;

/// Unit of time and duration; the programs stay as empty texts, for they must be there.
const OF_INFO: [u32; 4] = [0x002a_d7b1, 0x4489, MUXING_APP, WRITING_APP];
const MUXING_APP: u32 = 0x4d80;
const WRITING_APP: u32 = 0x5741;

/// Numbers, flags, times, languages, codecs, pictures and sound.
const OF_TRACK: [u32; 21] = [
    0xd7,
    0x73c5,
    TRACK_TYPE,
    0xb9,
    0x88,
    0x55aa,
    0x9c,
    0x6de7,
    0x6df8,
    0x0023_e383,
    0x0023_4e7a,
    0x0023_314f,
    0x55ee,
    0x41e4,
    0x0022_b59c,
    0x0022_b59d,
    0x86,
    0x63a2,
    0x56aa,
    0x56bb,
    0xe0,
];
const AUDIO: u32 = 0xe1;
const ENCODINGS: u32 = 0x6d80;

/// Overwrites what is not needed of a part of a film.
pub(super) fn of_segment<R: Read + Seek>(
    file: &mut File<R>,
    element: &Element,
    at: u64,
    out: &mut Redaction,
) -> Result<(), Failure> {
    let Some(length) = element.length else { return Err(broken("a part of it has no length").into()) };
    match element.id {
        SEEK_HEAD | CUES => {}
        INFO | TRACKS => {
            let content = element.content(file)?;
            of_part(element.id, &content, element.start, out).ok_or_else(|| broken("a part of it can't be read"))?;
        }
        _ => {
            let known = if length <= PADDING { Some(element.content(file)?) } else { None };
            void(element.id, at, element.start + length, known.as_deref(), out);
        }
    }
    Ok(())
}

fn of_part(id: u32, content: &[u8], at: u64, out: &mut Redaction) -> Option<()> {
    for Place { id: child, at: start, content: place } in places(content)? {
        let (body, begins) = (content.get(place.clone())?, at + place.start as u64);
        let is_kept = match id {
            INFO => OF_INFO.contains(&child),
            TRACKS => child == TRACK && is_shown(body),
            TRACK => OF_TRACK.contains(&child) || matches!(child, AUDIO | ENCODINGS),
            _ => true,
        };
        match child {
            // A checksum would be wrong.
            _ if !is_kept => void(child, at + start as u64, at + place.end as u64, Some(body), out),
            MUXING_APP | WRITING_APP => out.zero_known(begins, body),
            TRACK => of_part(TRACK, body, begins, out)?,
            _ => {}
        }
    }
    Some(())
}

/// Whether a track is of pictures or sound.
fn is_shown(track: &[u8]) -> bool {
    let parts = places(track).unwrap_or_default();
    let kind = parts.iter().find(|part| part.id == TRACK_TYPE).and_then(|part| track.get(part.content.clone()));
    kind.is_some_and(|kind| matches!(kind.last(), Some(1 | 2)))
}

/// Makes padding of what lies between two places, which are two bytes apart at least.
pub(super) fn void(id: u32, at: u64, end: u64, known: Option<&[u8]>, out: &mut Redaction) {
    let is_zeros = known.is_some_and(|content| content.iter().all(|byte| *byte == 0));
    if id == VOID && is_zeros {
        return;
    }
    let total = end.saturating_sub(at);
    // A length of one byte, or of eight.
    let head = match total {
        0..9 => [u8::try_from(VOID).unwrap_or(0), 0x80 | u8::try_from(total.saturating_sub(2)).unwrap_or(0)].to_vec(),
        _ => [[u8::try_from(VOID).unwrap_or(0)].as_slice(), &((total - 9) | 1 << 56).to_be_bytes()].concat(),
    };
    out.write(at, &head);
    out.zero(at + head.len() as u64, total.saturating_sub(head.len() as u64));
}
