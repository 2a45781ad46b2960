//! JPEGs ([ITU-T T.81](https://www.w3.org/Graphics/JPEG/itu-t81.pdf)). One that lies upright keeps its data, bit by bit,
//! and loses its other segments; one that is turned is encoded with its own tables, so that it neither grows nor pales.

mod encode;
mod inks;
mod segments;

pub(super) use encode::{rendition, within};

use encode::Settings;

use super::picture::{Picture, check_size, refusal, renditions};
use super::profile::{self, Space};
use super::{FileType, Refusal, broken};
use image::codecs::jpeg::JpegDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder};
use segments::Segments;
use std::borrow::Cow;
use std::io::Cursor;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::options::DecoderOptions;

const END: [u8; 2] = [0xff, 0xd9];

pub(super) fn develop(bytes: &[u8], max_pixels: u64) -> Result<Picture, Refusal> {
    let decoder = JpegDecoder::new(Cursor::new(bytes)).map_err(refusal)?;
    check_size(decoder.dimensions(), max_pixels)?;
    let bytes = ended(bytes).ok_or_else(|| broken("it is cut off"))?;
    let mut decoder = JpegDecoder::new(Cursor::new(&*bytes)).map_err(refusal)?;
    // Neither a broken orientation nor a broken profile breaks the picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let found = decoder.icc_profile().ok().flatten();
    let space = if decoder.color_type().has_color() { Space::Rgb } else { Space::Grey };
    let profile = found.as_ref().and_then(|found| profile::clean(found, space));
    let segments = Segments::read(&bytes).ok_or_else(|| broken("its parts can't be read"))?;
    let of_inks = segments.components() == 4;
    let kept = segments.kept(profile.as_deref());
    // What is served is what is decoded.
    let decoder = JpegDecoder::new(Cursor::new(&kept)).map_err(refusal)?;
    let converted = found.filter(|_| of_inks).and_then(|found| inks::converted(&kept, &found));
    let mut image = match converted {
        Some(image) => image,
        None => DynamicImage::from_decoder(decoder).map_err(refusal)?,
    };
    image.apply_orientation(orientation);
    let settings = segments.settings(orientation);
    let kept = if orientation == Orientation::NoTransforms && !of_inks {
        kept
    } else {
        settings.encode_within(&image, profile.as_deref(), bytes.len() + bytes.len() / 10)?
    };
    let (width, height) = (image.width(), image.height());
    let renditions = renditions(FileType::Jpeg, image, profile.as_deref(), settings.quality())?;
    Ok(Picture { content_type: FileType::Jpeg, width, height, bytes: kept, renditions })
}

/// Whether a JPEG has its end: the marker can't stand within a picture's data, but does in the thumbnails of its segments,
/// which so are skipped by their lengths.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    Segments::read(bytes).is_some_and(|segments| segments.has_end())
}

/// The picture with its end, which some telephones leave out of a panorama. None where more is missing: the decoder would
/// paint it grey.
fn ended(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let segments = Segments::read(bytes)?;
    if segments.has_end() {
        return Some(Cow::Borrowed(bytes));
    }
    // Whether more scans were to come, nothing tells.
    if segments.scans() > 1 {
        return None;
    }
    // A decoder reads ahead, so it gets some bytes to read.
    let padded = [bytes, [0; 8].as_slice()].concat();
    let options = DecoderOptions::default().set_strict_mode(true);
    let options = options.set_max_width(usize::MAX).set_max_height(usize::MAX);
    let is_complete = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(&padded), options).decode().is_ok();
    is_complete.then(|| Cow::Owned([bytes, END.as_slice()].concat()))
}

#[cfg(test)]
mod tests;
