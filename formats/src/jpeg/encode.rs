//! Encoding with tables of one's own.

use super::super::{Refusal, broken};
use image::DynamicImage;
use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, QuantizationTableType, SamplingFactor};

/// Hardly told from the original by eye, and about half of what 95 takes.
const QUALITY: u8 = 88;

/// How a picture is encoded: as it was before.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    tables: [[u16; 64]; 2],
    sampling: SamplingFactor,
    quality: u8,
}

impl Settings {
    /// Of a luminance's samples, so many across and down share colours.
    pub(super) fn new(tables: [[u16; 64]; 2], (across, down): (u8, u8), quality: u8) -> Self {
        let sampling = SamplingFactor::from_factors(across, down).unwrap_or(SamplingFactor::F_1_1);
        Self { tables, sampling, quality }
    }

    /// What smaller forms are encoded with: no better than the picture itself, which would only make them larger.
    pub(super) fn quality(&self) -> u8 {
        self.quality.min(QUALITY)
    }

    /// The picture in at most so many bytes: coarser by steps, if its own tables don't do.
    pub(super) fn encode_within(
        &self,
        image: &DynamicImage,
        profile: Option<&[u8]>,
        most: usize,
    ) -> Result<Vec<u8>, Refusal> {
        let mut scale = 100;
        loop {
            let tables = self.tables.map(|table| {
                let scaled = table.map(|entry| u16::try_from(u32::from(entry) * scale / 100).unwrap_or(255).min(255));
                QuantizationTableType::Custom(Box::new(scaled))
            });
            let bytes = encode(image, profile, |encoder| {
                let [luminance, colours] = tables;
                encoder.set_quantization_tables(luminance, colours);
                encoder.set_sampling_factor(self.sampling);
            })?;
            if bytes.len() <= most || scale > 300 {
                return Ok(bytes);
            }
            scale = scale * 5 / 4;
        }
    }
}

/// A smaller form of a picture.
pub(in super::super) fn rendition(
    image: &DynamicImage,
    profile: Option<&[u8]>,
    quality: u8,
) -> Result<Vec<u8>, Refusal> {
    encode(image, profile, |encoder| encoder.set_quality(quality))
}

/// A picture of another type in at most so many bytes: coarser by steps, as far as it still looks well.
pub(in super::super) fn within(image: &DynamicImage, profile: Option<&[u8]>, most: usize) -> Result<Vec<u8>, Refusal> {
    let mut quality = QUALITY;
    loop {
        let bytes = rendition(image, profile, quality)?;
        if bytes.len() <= most || quality <= 56 {
            return Ok(bytes);
        }
        quality -= 8;
    }
}

fn encode(
    image: &DynamicImage,
    profile: Option<&[u8]>,
    set: impl FnOnce(&mut Encoder<&mut Vec<u8>>),
) -> Result<Vec<u8>, Refusal> {
    let bad = || broken("its picture can't be encoded");
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, QUALITY);
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    set(&mut encoder);
    if let Some(profile) = profile {
        encoder.add_icc_profile(profile).map_err(|_| bad())?;
    }
    let side = |length: u32| u16::try_from(length).map_err(|_| bad());
    let (width, height) = (side(image.width())?, side(image.height())?);
    let encoded = match image {
        DynamicImage::ImageLuma8(pixels) => encoder.encode(pixels, width, height, ColorType::Luma),
        DynamicImage::ImageRgb8(pixels) => encoder.encode(pixels, width, height, ColorType::Rgb),
        other => encoder.encode(&other.to_rgb8(), width, height, ColorType::Rgb),
    };
    encoded.map(|()| bytes).map_err(|_| bad())
}
