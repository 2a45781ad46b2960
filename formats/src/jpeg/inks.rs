//! Pictures of four inks, whose profile says what these look like.

use image::{DynamicImage, RgbImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Larger ones are left aside. Those of presses have half a megabyte to three.
const MAX_PROFILE: usize = 4 << 20;

/// Pixels that are converted at once.
const AT_ONCE: usize = 4096;

/// A JPEG of four inks in sRGB, by its profile. None where that is of something else, or can't be read: then the colours
/// are reckoned without it.
pub(super) fn converted(jpeg: &[u8], profile: &[u8]) -> Option<DynamicImage> {
    if profile.len() > MAX_PROFILE {
        return None;
    }
    let profile =
        ColorProfile::new_from_slice(profile).ok().filter(|found| found.color_space == DataColorSpace::Cmyk)?;
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    let transform = profile.create_transform_8bit(Layout::Rgba, &srgb, Layout::Rgb, options).ok()?;
    let options = DecoderOptions::default().set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    decoder.decode_headers().ok()?;
    let coded = decoder.input_colorspace().filter(|space| matches!(space, ColorSpace::CMYK | ColorSpace::YCCK))?;
    let (width, height) = decoder.dimensions()?;
    decoder.set_options(options.jpeg_set_out_colorspace(coded));
    let mut inks = decoder.decode().ok()?;
    for pixel in inks.as_chunks_mut::<4>().0 {
        if coded == ColorSpace::YCCK {
            *pixel = from_ycck(*pixel);
        }
        // Stored as what is left of white, since Photoshop does so.
        *pixel = pixel.map(|ink| 255 - ink);
    }
    let mut image = RgbImage::new(u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    for (inks, pixels) in inks.chunks(4 * AT_ONCE).zip(image.chunks_mut(3 * AT_ONCE)) {
        transform.transform(inks, pixels).ok()?;
    }
    Some(image.into())
}

/// Three inks are coded as the colours of other JPEGs are (JFIF 1.02), the fourth as it is.
fn from_ycck([y, cb, cr, k]: [u8; 4]) -> [u8; 4] {
    let [y, cb, cr] = [i32::from(y) << 16, i32::from(cb) - 128, i32::from(cr) - 128];
    let byte = |value: i32| u8::try_from(((value + (1 << 15)) >> 16).clamp(0, 255)).unwrap_or(0);
    [byte(y + 91_881 * cr), byte(y - 22_554 * cb - 46_802 * cr), byte(y + 116_130 * cb), k]
}
