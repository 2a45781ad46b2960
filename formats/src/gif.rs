//! GIFs ([GIF89a](https://www.w3.org/Graphics/GIF/spec-gif89a.txt)): copied block by block, so that frames stay bit by bit
//! as they are. Encoding them anew would not: neither their palettes nor their ways of packing pixels are unique.

use super::picture::{Picture, check_frames, check_size};
use super::{FileType, Refusal, array, broken};
use ::gif::{ColorOutput, DecodeOptions, MemoryLimit};
use std::num::NonZeroU64;

/// Decodes frame by frame; a frame takes a byte a pixel.
const MEMORY: u64 = 64 << 20;

struct Copy {
    bytes: Vec<u8>,
    frames: u64,
    /// What drawing it all takes.
    pixels: u64,
}

pub(super) fn develop(bytes: &[u8], max_pixels: u64) -> Result<Picture, Refusal> {
    let side = |at| array(bytes, at).map(|side| u32::from(u16::from_le_bytes(side)));
    let size = side(6).zip(side(8)).ok_or_else(|| broken("it is cut off"))?;
    check_size(size, max_pixels)?;
    let copy = copied(bytes, size).ok_or_else(|| broken("its blocks don't reach to its end"))?;
    check_frames(copy.pixels, max_pixels)?;
    if decoded(&copy.bytes) != Some(copy.frames) {
        return Err(broken("a frame can't be decoded"));
    }
    Ok(Picture {
        content_type: FileType::Gif,
        width: size.0,
        height: size.1,
        bytes: copy.bytes,
        renditions: Vec::new(),
    })
}

/// The frames, their delays and how often they are repeated; not the comments, texts and applications' own.
fn copied(bytes: &[u8], (width, height): (u32, u32)) -> Option<Copy> {
    let canvas = u64::from(width) * u64::from(height);
    let mut at = 13 + colours(*bytes.get(10)?);
    let mut copy = Copy { bytes: bytes.get(..at)?.to_vec(), frames: 0, pixels: 0 };
    loop {
        let start = at;
        match bytes.get(start..)? {
            // The end; what may follow it is no part of the picture.
            [0x3b, ..] => {
                copy.bytes.push(0x3b);
                return (copy.frames > 0).then_some(copy);
            }
            [0x2c, place @ ..] => {
                let side = |at| Some(u64::from(u16::from_le_bytes(array(place, at)?)));
                // Its palette, and the byte that says how wide its codes are.
                at = blocks_end(bytes, start + 10 + colours(*place.get(8)?) + 1)?;
                copy.frames += 1;
                copy.pixels += canvas.max(side(4)? * side(6)?);
                copy.bytes.extend(bytes.get(start..at)?);
            }
            // A delay, and what a frame leaves behind.
            [0x21, 0xf9, 4, ..] => {
                at = blocks_end(bytes, start + 2)?;
                copy.bytes.extend(bytes.get(start..start + 7)?);
                copy.bytes.push(0);
            }
            // How often it is repeated, without what may follow that.
            [0x21, 0xff, 11, b'N', b'E', b'T', b'S', b'C', b'A', b'P', b'E', b'2', b'.', b'0', 3, 1, ..] => {
                at = blocks_end(bytes, start + 2)?;
                copy.bytes.extend(bytes.get(start..start + 18)?);
                copy.bytes.push(0);
            }
            [0x21, _, ..] => at = blocks_end(bytes, start + 2)?,
            _ => return None,
        }
    }
}

/// The bytes of a palette, by the flags before it.
fn colours(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

fn blocks_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1 + length;
        if length == 0 {
            return Some(at);
        }
    }
}

/// How many frames can be decoded.
fn decoded(bytes: &[u8]) -> Option<u64> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(MemoryLimit::Bytes(NonZeroU64::new(MEMORY)?));
    let mut decoder = options.read_info(bytes).ok()?;
    let mut frames = 0;
    while decoder.read_next_frame().ok()?.is_some() {
        frames += 1;
    }
    Some(frames)
}

#[cfg(test)]
mod tests {
    use super::super::develop;
    use super::super::testing::{fixture, holds, variants};
    use super::*;

    /// Each frame's pixels, palette, place, delay and way of leaving, and how often all are repeated.
    fn frames(bytes: &[u8]) -> (Vec<String>, ::gif::Repeat) {
        let mut decoder = DecodeOptions::new().read_info(bytes).unwrap();
        let mut frames = Vec::new();
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            frames.push(format!("{frame:?}"));
        }
        (frames, decoder.repeat())
    }

    #[test]
    fn frames_stay_as_they_are_and_remarks_go() {
        let sent = fixture("moving.gif");
        assert!(holds(&sent, b"A private remark") && holds(&sent, b"XMP Data"));
        let kept = develop(FileType::Gif, &sent).unwrap();
        assert_eq!((kept.width, kept.height, kept.renditions.len()), (80, 60, 0));
        assert!(!holds(&kept.bytes, b"private") && !holds(&kept.bytes, b"XMP") && !holds(&kept.bytes, b"Ana"));
        assert_eq!(frames(&kept.bytes), frames(&sent));
        assert_eq!(frames(&kept.bytes).0.len(), 24);
        assert_eq!(frames(&kept.bytes).1, ::gif::Repeat::Finite(3));
        assert_eq!(develop(FileType::Gif, &kept.bytes).unwrap().bytes, kept.bytes);
        // What follows the end is no part of it.
        assert_eq!(develop(FileType::Gif, &[sent, b"hidden".to_vec()].concat()).unwrap().bytes, kept.bytes);
    }

    #[test]
    fn a_cut_off_one_is_truncated() {
        let sent = fixture("moving.gif");
        for length in [7, 12, 100, sent.len() / 2, sent.len() - 1] {
            assert_eq!(develop(FileType::Gif, &sent[..length]).unwrap_err().0, "truncated", "{length}");
        }
    }

    #[test]
    fn sizes_and_frames_are_bounded() {
        let mut sent = fixture("moving.gif");
        sent[6..10].copy_from_slice(&[0xff; 4]);
        assert_eq!(develop(FileType::Gif, &sent).unwrap_err().0, "too_many_pixels");
        // 24 frames of 16 megapixels each.
        sent[6..10].copy_from_slice(&[0xa0, 0x0f, 0xa0, 0x0f]);
        assert_eq!(develop(FileType::Gif, &sent).unwrap_err().0, "too_many_frames");
        // A frame that is larger than its picture.
        let mut sent = fixture("moving.gif");
        let place = sent.windows(9).position(|w| w == [0x2c, 0, 0, 0, 0, 80, 0, 60, 0]).unwrap();
        sent[place + 5..place + 9].copy_from_slice(&[0xff; 4]);
        assert_eq!(develop(FileType::Gif, &sent).unwrap_err().0, "too_many_frames");
    }

    #[test]
    fn hostile_ones_are_borne() {
        variants(&fixture("moving.gif"), 1500, |bytes| {
            let _ = super::develop(bytes, 1_000_000);
        });
    }
}
