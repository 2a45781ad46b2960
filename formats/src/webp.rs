//! WebPs ([RFC 9649](https://www.rfc-editor.org/rfc/rfc9649)): copied chunk by chunk, so that frames stay as they are. The
//! walk is shorter than a crate's use would be, for frames must be counted before anything is decoded.

use super::picture::{Picture, check_frames, check_size, refusal};
use super::profile::{self, Space};
use super::{FileType, Refusal, array, broken, jpeg};
use image::codecs::webp::{WebPDecoder, WebPEncoder};
use image::metadata::Orientation;
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageEncoder, ImageError};
use std::io::Cursor;

/// Which of the header's flags say what is kept: animation, alpha, and a profile where it is kept too.
const KEPT: u8 = 0x02 | 0x10;
const PROFILE: u8 = 0x20;

pub(super) fn develop(sent: &[u8], max_pixels: u64) -> Result<Picture, Refusal> {
    let (bytes, frames) = copied(sent).ok_or_else(|| broken("its chunks don't reach to its end"))?;
    let decoder = WebPDecoder::new(Cursor::new(&bytes)).map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    check_size((width, height), max_pixels)?;
    if frames > 0 {
        check_frames(u64::from(width) * u64::from(height) * frames, max_pixels)?;
    }
    if decoder.has_animation() {
        let first = decoder.into_frames().next().ok_or_else(|| broken("it has no frames"))?;
        first.map_err(refusal)?;
    } else {
        let image = DynamicImage::from_decoder(decoder).map_err(refusal)?;
        let orientation = orientation(sent);
        if orientation != Orientation::NoTransforms {
            return turned(image, orientation, &bytes);
        }
    }
    Ok(Picture { content_type: FileType::Webp, width, height, bytes, renditions: Vec::new() })
}

/// Which way is up, by the EXIF, which some begin as it begins in a JPEG.
fn orientation(sent: &[u8]) -> Orientation {
    let chunks = sent.get(12..).and_then(chunks).unwrap_or_default();
    let exif = chunks.iter().find(|(id, _)| *id == b"EXIF").map(|(_, body)| *body);
    let exif = exif.map(|exif| exif.strip_prefix(b"Exif\0\0").unwrap_or(exif));
    exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms)
}

/// A picture that lies on its side, encoded upright. There is no encoder of lossy WebPs in Rust: these become JPEGs of
/// about their size, and the others, and what can be seen through, lossless ones.
fn turned(mut image: DynamicImage, orientation: Orientation, sent: &[u8]) -> Result<Picture, Refusal> {
    image.apply_orientation(orientation);
    let (width, height) = (image.width(), image.height());
    let chunks = sent.get(12..).and_then(chunks).unwrap_or_default();
    let profile = chunks.iter().find(|(id, _)| *id == b"ICCP").map(|(_, body)| *body);
    let is_lossy = chunks.iter().any(|(id, _)| *id == b"VP8 ");
    let (content_type, bytes) = if is_lossy && !image.color().has_alpha() {
        (FileType::Jpeg, jpeg::within(&image, profile, sent.len() + sent.len() / 10)?)
    } else {
        let mut bytes = Vec::new();
        let mut encoder = WebPEncoder::new_lossless(&mut bytes);
        if let Some(profile) = profile {
            encoder.set_icc_profile(profile.to_vec()).map_err(|error| refusal(ImageError::Unsupported(error)))?;
        }
        image.write_with_encoder(encoder).map_err(refusal)?;
        (FileType::Webp, bytes)
    };
    Ok(Picture { content_type, width, height, bytes, renditions: Vec::new() })
}

/// The picture, or its frames with their delays, and its colours; and how many frames there are.
fn copied(bytes: &[u8]) -> Option<(Vec<u8>, u64)> {
    let length = usize::try_from(u32::from_le_bytes(array(bytes, 4)?)).ok()?;
    // From the `WEBP` on; what may follow is no part of the picture.
    let chunks = chunks(bytes.get(8..)?.get(..length)?.get(4..)?)?;
    let mut copy = Vec::new();
    let mut frames = 0;
    let profile = chunks.iter().find(|(id, _)| *id == b"ICCP").and_then(|(_, body)| profile::clean(body, Space::Rgb));
    for (id, body) in chunks {
        match id {
            b"VP8X" => {
                let mut header: [u8; 10] = array(body, 0)?;
                let kept = if profile.is_some() { KEPT | PROFILE } else { KEPT };
                if let Some(flags) = header.first_mut() {
                    *flags &= kept;
                }
                push(&mut copy, id, &header)?;
                if let Some(profile) = &profile {
                    push(&mut copy, b"ICCP", profile)?;
                }
            }
            b"ANIM" | b"ALPH" | b"VP8 " | b"VP8L" => push(&mut copy, id, body)?,
            b"ANMF" => {
                frames += 1;
                let (place, parts) = body.split_at_checked(16)?;
                let mut frame = place.to_vec();
                for (id, body) in self::chunks(parts)? {
                    if matches!(id, b"ALPH" | b"VP8 " | b"VP8L") {
                        push(&mut frame, id, body)?;
                    }
                }
                push(&mut copy, id, &frame)?;
            }
            _ => {}
        }
    }
    let mut whole = Vec::new();
    push(&mut whole, b"RIFF", &[b"WEBP", copy.as_slice()].concat())?;
    Some((whole, frames))
}

type Chunk<'a> = (&'a [u8; 4], &'a [u8]);

fn chunks(mut bytes: &[u8]) -> Option<Vec<Chunk<'_>>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (id, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (body, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        found.push((id, body));
        // A byte makes odd lengths even; at the very end some leave it out.
        bytes = rest.get(body.len() % 2..).unwrap_or_default();
    }
    Some(found)
}

fn push(to: &mut Vec<u8>, id: &[u8; 4], body: &[u8]) -> Option<()> {
    to.extend(id);
    to.extend(u32::try_from(body.len()).ok()?.to_le_bytes());
    to.extend(body);
    to.resize(to.len() + body.len() % 2, 0);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixture, holds, variants};
    use super::super::{develop, profile};
    use super::*;

    fn frames(bytes: &[u8]) -> Vec<(Vec<u8>, String)> {
        let decoder = WebPDecoder::new(Cursor::new(bytes)).unwrap();
        let frames = decoder.into_frames().map(|frame| frame.unwrap());
        frames.map(|frame| (frame.buffer().to_vec(), format!("{:?}", frame.delay()))).collect()
    }

    #[test]
    fn frames_stay_as_they_are_and_remarks_go() {
        let sent = fixture("moving.webp");
        assert!(holds(&sent, b"EXIF") && holds(&sent, b"XMP ") && holds(&sent, b"Ana"));
        let kept = develop(FileType::Webp, &sent).unwrap();
        assert_eq!((kept.width, kept.height, kept.renditions.len()), (80, 60, 0));
        for gone in ["EXIF", "XMP ", "Ana", "Perch"] {
            assert!(!holds(&kept.bytes, gone.as_bytes()), "{gone}");
        }
        assert_eq!(kept.bytes[20] & !KEPT, 0);
        assert_eq!(frames(&kept.bytes), frames(&sent));
        assert_eq!(frames(&kept.bytes).len(), 24);
        let repeats = |bytes: &[u8]| {
            let at = bytes.windows(4).position(|id| id == b"ANIM").unwrap();
            u16::from_le_bytes(array(bytes, at + 12).unwrap())
        };
        assert_eq!(repeats(&kept.bytes), 3);
        assert_eq!(develop(FileType::Webp, &kept.bytes).unwrap().bytes, kept.bytes);
        assert_eq!(develop(FileType::Webp, &[sent, b"hidden".to_vec()].concat()).unwrap().bytes, kept.bytes);
    }

    #[test]
    fn a_still_one_keeps_its_alpha_and_colours() {
        let sent = fixture("still.webp");
        let kept = develop(FileType::Webp, &sent).unwrap();
        assert_eq!((kept.width, kept.height), (200, 120));
        let pixels = |bytes: &[u8]| DynamicImage::from_decoder(WebPDecoder::new(Cursor::new(bytes)).unwrap()).unwrap();
        assert_eq!(pixels(&kept.bytes), pixels(&sent));
        assert!(pixels(&kept.bytes).color().has_alpha());

        let mut coloured = sent[12..30].to_vec();
        coloured[8] |= PROFILE;
        push(&mut coloured, b"ICCP", &profile::sample()).unwrap();
        coloured.extend(&sent[30..]);
        let mut whole = Vec::new();
        push(&mut whole, b"RIFF", &[b"WEBP", coloured.as_slice()].concat()).unwrap();
        let kept = develop(FileType::Webp, &whole).unwrap().bytes;
        assert!(holds(&kept, b"rXYZ") && !holds(&kept, b"Ana") && kept[20] & PROFILE != 0);
    }

    #[test]
    fn one_on_its_side_is_set_upright() {
        for (name, content_type) in [("turned.webp", FileType::Jpeg), ("turned-lossless.webp", FileType::Webp)] {
            let sent = fixture(name);
            let kept = develop(FileType::Webp, &sent).unwrap();
            assert_eq!((kept.width, kept.height, kept.content_type), (240, 320, content_type), "{name}");
            assert!(!holds(&kept.bytes, b"Ana") && !holds(&kept.bytes, b"Perch"), "{name}");
            let is_within = kept.bytes.len() <= sent.len() * 11 / 10;
            assert!(is_within || content_type == FileType::Webp, "{name}: {} of {}", kept.bytes.len(), sent.len());
            let image = image::load_from_memory(&kept.bytes).unwrap().into_rgb8();
            assert!(image.get_pixel(200, 40).0[0] > 200 && image.get_pixel(120, 280).0[2] > 200, "{name}");
            assert!(image.get_pixel(35, 35).0.iter().all(|value| *value > 200), "{name}");
        }
    }

    #[test]
    fn a_cut_off_one_is_truncated() {
        for sent in [fixture("moving.webp"), fixture("still.webp")] {
            for length in [12, 20, 31, sent.len() / 2, sent.len() - 3] {
                assert_eq!(develop(FileType::Webp, &sent[..length]).unwrap_err().0, "truncated", "{length}");
            }
        }
    }

    #[test]
    fn sizes_and_frames_are_bounded() {
        let mut sent = fixture("moving.webp");
        sent[24..30].copy_from_slice(&[0xff, 0x3f, 0, 0xff, 0x3f, 0]);
        assert_eq!(develop(FileType::Webp, &sent).unwrap_err().0, "too_many_pixels");
        // 24 frames of 16 megapixels each.
        sent[24..30].copy_from_slice(&[0x9f, 0x0f, 0, 0x9f, 0x0f, 0]);
        assert_eq!(develop(FileType::Webp, &sent).unwrap_err().0, "too_many_frames");
    }

    #[test]
    fn hostile_ones_are_borne() {
        for (name, count) in [("moving.webp", 2000), ("still.webp", 2000)] {
            variants(&fixture(name), count, |bytes| {
                let _ = super::develop(bytes, 1_000_000);
            });
        }
    }
}
