//! Which codecs are taken: what Chrome, Edge, Firefox and Safari play on every device.

use super::super::video::{printable, unsupported};
use super::super::{Refusal, array, broken};
use super::boxes::find;

const TAKEN: &str = "an MP4 may have H.264 and AAC";
const TAKEN_AVC: &str = "send it in 4:2:0 with 8 bits";

pub(super) fn check_picture(codec: &[u8; 4], entry: &[u8]) -> Result<(), Refusal> {
    if !matches!(codec, b"avc1" | b"avc3") {
        return Err(unsupported(&named(codec), TAKEN));
    }
    let configuration = entry.get(78..).and_then(|boxes| find(boxes, &[b"avcC"]));
    let bad = || broken("its pictures can't be decoded without their configuration");
    check_avc(configuration.ok_or_else(bad)?)
}

/// H.264 of 8 bits a sample and half as many colours each way, which every decoder has.
fn check_avc(configuration: &[u8]) -> Result<(), Refusal> {
    let bad = || broken("the configuration of its pictures can't be read");
    let mut found = vec![Avc::of_profile(*configuration.get(1).ok_or_else(bad)?)];
    let count = configuration.get(5).ok_or_else(bad)? & 0x1f;
    let mut rest = configuration.get(6..).ok_or_else(bad)?;
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk().ok_or_else(bad)?;
        let (parameters, after) = after.split_at_checked(u16::from_be_bytes(*length).into()).ok_or_else(bad)?;
        found.push(Avc::read(parameters).ok_or_else(bad)?);
        rest = after;
    }
    match found.into_iter().find(|avc| !avc.is_played()) {
        None => Ok(()),
        Some(avc) => Err(unsupported(&format!("H.264 {}", avc.told()), TAKEN_AVC)),
    }
}

/// What a sequence parameter set (ITU-T H.264, 7.3.2.1.1) says of the pictures.
struct Avc {
    profile: u8,
    /// 1 is 4:2:0, 2 is 4:2:2, 3 is 4:4:4.
    chroma: u32,
    /// Above eight a sample.
    more_bits: u32,
}

impl Avc {
    fn of_profile(profile: u8) -> Self {
        Self { profile, chroma: 1, more_bits: 0 }
    }

    fn read(parameters: &[u8]) -> Option<Self> {
        let mut avc = Self::of_profile(*parameters.get(1)?);
        if matches!(avc.profile, 66 | 77 | 88) {
            return Some(avc);
        }
        let mut bits = Bits::new(parameters.get(4..)?);
        let _id = bits.number()?;
        avc.chroma = bits.number()?;
        if avc.chroma == 3 {
            bits.bit()?;
        }
        avc.more_bits = bits.number()?.max(bits.number()?);
        Some(avc)
    }

    /// Baseline, Main and High.
    fn is_played(&self) -> bool {
        matches!(self.profile, 66 | 77 | 100) && self.chroma <= 1 && self.more_bits == 0
    }

    fn told(&self) -> String {
        let colours = match (self.chroma, self.profile) {
            (2, _) | (_, 122) => "4:2:2",
            (3, _) | (_, 244 | 44) => "4:4:4",
            _ => "4:2:0",
        };
        let bits = if self.profile == 110 { self.more_bits.max(2) } else { self.more_bits };
        format!("in {colours} with {} bits (profile {})", bits.saturating_add(8), self.profile)
    }
}

/// Bits of a parameter set, without the bytes that keep it apart from what follows.
struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    fn new(coded: &[u8]) -> Self {
        let mut bytes: Vec<u8> = Vec::new();
        // What is read stands in the first few.
        for byte in coded.iter().take(32) {
            if !(*byte == 3 && bytes.ends_with(&[0, 0])) {
                bytes.push(*byte);
            }
        }
        Self { bytes, at: 0 }
    }

    fn bit(&mut self) -> Option<u32> {
        let byte = *self.bytes.get(self.at / 8)?;
        self.at += 1;
        Some(u32::from(byte >> (7 - (self.at - 1) % 8) & 1))
    }

    /// In Exp-Golomb code (9.1).
    fn number(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
        }
        let rest = (0..zeros).try_fold(0_u32, |number, _| Some(number.checked_mul(2)? | self.bit()?))?;
        Some(rest + ((1_u32.checked_shl(zeros)?) - 1))
    }
}

/// A track that would stay in the fragments, where there is no table of what belongs to it.
pub(super) fn other_track(handler: &[u8; 4]) -> Refusal {
    let detail = "a film in fragments may have pictures and sound alone";
    ("unsupported_codec", format!("It has a track of {}; {detail}.", printable(handler)))
}

pub(super) fn check_sound(codec: &[u8; 4], entry: &[u8], may_be_quicktime: bool) -> Result<(), Refusal> {
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
