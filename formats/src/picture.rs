//! Pictures: upright, without what is not seen, and smaller ones of them.

use super::profile::{self, Space};
use super::{FileType, Refusal, array, broken, gif, jpeg, png, truncated, webp};
use image::codecs::png::{CompressionType, FilterType as RowFilter, PngDecoder, PngEncoder};
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageEncoder, ImageError, Limits};
use std::io::Cursor;

/// What a picture may measure: as much as a telephone's camera takes (48 and 50 megapixels are common), and 150 MB as it is
/// decoded.
pub const MAX_PIXELS: u64 = 50_000_000;

/// For a pixel, decoded: 16 bits a channel with alpha take eight, and encoding them as much again. A picture of the largest
/// size would take a gigabyte in all.
const MAX_BYTES: u64 = 4;

/// No JPEG and no GIF can be larger, and browsers draw nothing that is.
const MAX_SIDE: u32 = 65_535;

/// What a PNG's chunks beside its pixels may take, unpacked: profiles, palettes and a row.
const MAX_CHUNKS: u64 = 4 << 20;

/// Names and longest sides, in falling order.
const SIDES: [(&str, u32); 2] = [("medium", 1280), ("small", 320)];

/// Their names.
pub const RENDITIONS: [&str; 2] = [SIDES[0].0, SIDES[1].0];

/// A smaller picture of the same type.
#[derive(Clone, Debug)]
pub struct Rendition {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    pub width: u32,
    pub height: u32,
}

/// What is kept of a picture. One that is no larger than a rendition would be has no such rendition: it serves itself.
#[derive(Clone, Debug)]
pub struct Picture {
    /// What its bytes are, whatever they were called.
    pub content_type: FileType,
    pub width: u32,
    pub height: u32,
    pub bytes: Vec<u8>,
    pub renditions: Vec<Rendition>,
}

/// Checks a picture that is said to be of a type, and is one of what its bytes say, and makes what is kept of it. GIFs and WebPs keep their frames bit by
/// bit and get no renditions.
///
/// # Errors
/// `wrong_type`, `unsupported_type`, `too_many_pixels`, `too_many_frames`, `truncated` or `broken`.
pub fn develop(declared: FileType, bytes: &[u8]) -> Result<Picture, Refusal> {
    let found = declared.check(bytes)?;
    develop_within(found, bytes, MAX_PIXELS).map_err(|refusal| match refusal.0 {
        "broken" if is_cut(found, bytes) => truncated(),
        _ => refusal,
    })
}

/// Whether a picture that can't be read ends too early.
fn is_cut(file_type: FileType, bytes: &[u8]) -> bool {
    match file_type {
        FileType::Jpeg => !jpeg::is_whole(bytes),
        FileType::Png => !has_last_chunk(bytes),
        FileType::Gif => !bytes.ends_with(&[0x3b]),
        FileType::Webp => {
            array(bytes, 4).is_none_or(|size| u64::from(u32::from_le_bytes(size)) + 8 > bytes.len() as u64)
        }
        FileType::Mp4 | FileType::Webm => false,
    }
}

/// Whether a PNG's chunks lead to its last one.
fn has_last_chunk(bytes: &[u8]) -> bool {
    let mut at = 8;
    while let Some(length) = array(bytes, at).map(u32::from_be_bytes) {
        if bytes.get(at + 4..at + 12).is_some_and(|chunk| chunk.starts_with(b"IEND")) {
            return true;
        }
        at = at.saturating_add(12).saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
    }
    false
}

fn develop_within(file_type: FileType, bytes: &[u8], max_pixels: u64) -> Result<Picture, Refusal> {
    match file_type {
        FileType::Png => {
            // The first chunk's; the decoder would refuse some of these as broken.
            let side = |at| array(bytes, at).map(u32::from_be_bytes);
            let size = side(16).zip(side(20)).ok_or_else(|| broken("it is cut off"))?;
            check_size(size, max_pixels)?;
            let mut limits = Limits::no_limits();
            limits.max_alloc = Some(MAX_CHUNKS);
            let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits).map_err(refusal)?;
            // Drawn anew it would stand still, which nobody asked for.
            if decoder.is_apng().map_err(refusal)? {
                let detail = "Animated PNGs are not taken; send the picture as GIF or WebP.";
                return Err(("unsupported_type", detail.into()));
            }
            of_png(bytes, decoder, max_pixels)
        }
        FileType::Jpeg => jpeg::develop(bytes, max_pixels),
        FileType::Gif => gif::develop(bytes, max_pixels),
        FileType::Webp => webp::develop(bytes, max_pixels),
        FileType::Mp4 | FileType::Webm => {
            Err(("wrong_type", format!("{} is not a picture's type.", file_type.content_type())))
        }
    }
}

/// Whether a picture's size, as its header gives it, may be decoded at all.
pub(super) fn check_size((width, height): (u32, u32), max_pixels: u64) -> Result<(), Refusal> {
    if width == 0 || height == 0 {
        return Err(broken("it has no pixels"));
    }
    if u64::from(width) * u64::from(height) > max_pixels || width > MAX_SIDE || height > MAX_SIDE {
        let most = max_pixels / 1_000_000;
        let detail = format!(
            "The picture is {width} × {height}; at most {most} megapixels are taken, and {MAX_SIDE} pixels a side."
        );
        return Err(("too_many_pixels", detail));
    }
    Ok(())
}

/// What all frames of a moving picture may measure together: what [X takes of
/// GIFs](https://docs.x.com/x-api/media/quickstart/best-practices), for each frame is drawn by every reader, over and over.
const MAX_FRAMES: u64 = 300_000_000;

pub(super) fn check_frames(pixels: u64, max_pixels: u64) -> Result<(), Refusal> {
    let most = MAX_FRAMES.min(max_pixels.saturating_mul(MAX_FRAMES / MAX_PIXELS));
    if pixels <= most {
        return Ok(());
    }
    let most = most / 1_000_000;
    Err((
        "too_many_frames",
        format!("All frames together may have {most} megapixels; send a shorter or smaller picture."),
    ))
}

pub(super) fn refusal(error: ImageError) -> Refusal {
    match error {
        // What the formats allow and nearly nobody writes: arithmetic coding, lossless JPEG, 12 bits.
        ImageError::Unsupported(_) => {
            ("unsupported_type", "The picture is of a rare kind that browsers can't be trusted to show.".into())
        }
        _ => broken("its picture can't be decoded"),
    }
}

/// Decodes a PNG whose size is checked and sets it upright. Only pixels and colours pass through.
fn of_png(sent: &[u8], mut decoder: impl ImageDecoder, max_pixels: u64) -> Result<Picture, Refusal> {
    if decoder.total_bytes() > max_pixels.saturating_mul(MAX_BYTES) {
        let detail = "With 16 bits a channel, at most half as many pixels are taken; send it with 8.";
        return Err(("too_many_pixels", detail.into()));
    }
    // Neither a broken orientation nor a broken profile breaks the picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let space = if decoder.color_type().has_color() { Space::Rgb } else { Space::Grey };
    let profile = decoder.icc_profile().ok().flatten().and_then(|found| profile::clean(&found, space));
    let mut image = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width(), image.height());
    let bytes = if orientation == Orientation::NoTransforms {
        png::kept(sent, profile.as_deref()).ok_or_else(|| broken("its parts don't reach to its end"))?
    } else {
        let quick = encode_png(&image, profile.as_deref(), CompressionType::Fast)?;
        if quick.len() <= sent.len() { quick } else { encode_png(&image, profile.as_deref(), CompressionType::Best)? }
    };
    let renditions = renditions(FileType::Png, image, profile.as_deref(), u8::MAX)?;
    Ok(Picture { content_type: FileType::Png, width, height, bytes, renditions })
}

/// Smaller ones of a type; `quality` is a JPEG's.
pub(super) fn renditions(
    file_type: FileType,
    image: DynamicImage,
    profile: Option<&[u8]>,
    quality: u8,
) -> Result<Vec<Rendition>, Refusal> {
    let longest = image.width().max(image.height());
    let wanted: Vec<_> = SIDES.into_iter().filter(|(_, side)| longest > *side).collect();
    let mut made = Vec::new();
    if wanted.is_empty() {
        return Ok(made);
    }
    let mut image = multiplied(image);
    for (name, side) in wanted {
        // Each from the one before: the largest is gone over once.
        image = shrunk(&image, side);
        let (width, height) = (image.width(), image.height());
        let shown = divided(image.clone());
        let bytes = match file_type {
            FileType::Jpeg => jpeg::rendition(&shown, profile, quality)?,
            _ => encode_png(&shown, profile, CompressionType::Fast)?,
        };
        made.push(Rendition { name, bytes, width, height });
    }
    Ok(made)
}

fn encode_png(image: &DynamicImage, profile: Option<&[u8]>, effort: CompressionType) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new_with_quality(&mut bytes, effort, RowFilter::Adaptive);
    if let Some(profile) = profile {
        encoder.set_icc_profile(profile.to_vec()).map_err(|error| refusal(ImageError::Unsupported(error)))?;
    }
    image.write_with_encoder(encoder).map(|()| bytes).map_err(refusal)
}

/// To a longest side: coarsely to twice that, then finely, which takes a fraction of the time and looks the same.
fn shrunk(image: &DynamicImage, side: u32) -> DynamicImage {
    let longest = image.width().max(image.height());
    let scaled = |length: u32| {
        let exact = (u64::from(length) * u64::from(side) + u64::from(longest) / 2) / u64::from(longest.max(1));
        u32::try_from(exact).unwrap_or(side).max(1)
    };
    let (width, height) = (scaled(image.width()), scaled(image.height()));
    let fine = FilterType::CatmullRom;
    if image.width() / 3 > width && image.height() / 3 > height {
        image.thumbnail_exact(width * 2, height * 2).resize_exact(width, height, fine)
    } else {
        image.resize_exact(width, height, fine)
    }
}

/// In eight bits, and by its alpha: else what can't be seen through would take the colour of what isn't seen at its rim.
fn multiplied(image: DynamicImage) -> DynamicImage {
    let colour = image.color();
    let mut image = match (colour.has_color(), colour.has_alpha()) {
        (false, false) => DynamicImage::from(image.into_luma8()),
        (false, true) => DynamicImage::from(image.into_luma_alpha8()),
        (true, false) => DynamicImage::from(image.into_rgb8()),
        (true, true) => DynamicImage::from(image.into_rgba8()),
    };
    each_alpha(&mut image, |value, alpha| (value * alpha + 127) / 255);
    image
}

fn divided(mut image: DynamicImage) -> DynamicImage {
    each_alpha(&mut image, |value, alpha| (value * 255 + alpha / 2).checked_div(alpha).unwrap_or(0));
    image
}

fn each_alpha(image: &mut DynamicImage, change: impl Fn(u32, u32) -> u32) {
    let (samples, channels): (&mut [u8], usize) = match image {
        DynamicImage::ImageLumaA8(pixels) => (pixels, 2),
        DynamicImage::ImageRgba8(pixels) => (pixels, 4),
        _ => return,
    };
    for pixel in samples.chunks_exact_mut(channels) {
        if let Some((alpha, values)) = pixel.split_last_mut()
            && *alpha < 255
        {
            for value in values {
                *value = u8::try_from(change(u32::from(*value), u32::from(*alpha))).unwrap_or(u8::MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests;
