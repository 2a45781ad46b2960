//! Pictures, drawn: a sky, a sun, hills, water and birds. The same for the same seed.

use fastrand::Rng;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageError, Rgb, RgbImage};

/// Smaller than the smallest form that the service makes of a picture, so that it makes none.
const WIDTH: u32 = 208;
const HEIGHT: u32 = 156;
const AVATAR: u32 = 96;
const QUALITY: u8 = 80;

type Color = [u8; 3];

/// A light: its name, the sky from top to horizon, and the water.
const LIGHTS: [(&str, Color, Color, Color); 6] = [
    ("at dawn", [74, 86, 130], [247, 188, 150], [104, 112, 140]),
    ("at noon", [92, 156, 214], [206, 229, 242], [52, 110, 150]),
    ("at dusk", [48, 44, 92], [236, 122, 92], [70, 58, 96]),
    ("in the fog", [176, 184, 188], [212, 216, 216], [150, 160, 164]),
    ("before a storm", [62, 70, 82], [138, 148, 150], [58, 76, 84]),
    ("in winter light", [150, 178, 206], [244, 236, 214], [96, 132, 150]),
];

/// What is in a picture.
#[derive(Clone, Copy)]
pub(super) struct Scene {
    seed: u64,
    light: usize,
    hills: bool,
    birds: u32,
}

fn mix(a: Color, b: Color, part: f32) -> Color {
    std::array::from_fn(|n| (f32::from(a[n]) * (1.0 - part) + f32::from(b[n]) * part) as u8)
}

impl Scene {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        Self { seed, light: rng.usize(..LIGHTS.len()), hills: rng.bool(), birds: rng.u32(0..7) }
    }

    /// In words, for those who don't see it.
    pub(super) fn described(&self) -> String {
        let shore = if self.hills { "Water and hills" } else { "Open water" };
        let birds = match self.birds {
            0 => "nothing in the sky".to_owned(),
            1 => "one bird in the sky".to_owned(),
            n => format!("{n} birds in the sky"),
        };
        format!("{shore} {}, {birds}.", LIGHTS[self.light].0)
    }

    /// As a JPEG.
    pub(super) fn drawn(&self) -> Result<Vec<u8>, ImageError> {
        let mut rng = Rng::with_seed(self.seed ^ 1);
        let (_, top, low, water) = LIGHTS[self.light];
        let horizon = rng.u32(72..104);
        let (sun, radius) = ((rng.u32(26..182), horizon.saturating_sub(rng.u32(6..52))), rng.u32(6..17));
        let (height, length, shift) = (rng.u32(5..22) as f32, rng.u32(20..46) as f32, rng.f32() * 6.0);
        let hill = |x: u32| (x as f32 / length + shift).sin().mul_add(0.5, 0.5) * height;
        let hills: Vec<f32> = (0..WIDTH).map(|x| if self.hills { hill(x) } else { 0.0 }).collect();
        let mut picture = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
            let hill = hills[x as usize];
            let color = if y >= horizon {
                // Brighter far out, with lines where waves are.
                let near = (y - horizon) as f32 / (HEIGHT - horizon) as f32;
                let wave = if (y * 7 + x / 9 + (x * y) % 5) % 11 == 0 { 0.25 } else { 0.0 };
                mix(water, low, (1.0 - near).mul_add(0.35, wave))
            } else if y as f32 >= horizon as f32 - hill {
                mix(water, [30, 36, 40], 0.45)
            } else if x.abs_diff(sun.0).pow(2) + y.abs_diff(sun.1).pow(2) < radius.pow(2) {
                mix(low, [255, 250, 235], 0.7)
            } else {
                mix(top, low, y as f32 / horizon as f32)
            };
            Rgb(color)
        });
        for _ in 0..self.birds {
            let (x, y, wing) = (rng.u32(13..195), rng.u32(10..62), rng.u32(3..7));
            for step in 0..wing {
                for side in [x - step, x + step] {
                    picture.put_pixel(side, y - step / 2, Rgb([24, 24, 28]));
                    picture.put_pixel(side, y - step / 2 + 1, Rgb([24, 24, 28]));
                }
            }
        }
        encoded(&picture)
    }
}

/// A picture of somebody: a bird's head before a colour of its own.
pub(super) fn avatar(seed: u64) -> Result<Vec<u8>, ImageError> {
    let mut rng = Rng::with_seed(seed);
    let mut color = || [rng.u8(60..220), rng.u8(60..220), rng.u8(60..220)];
    let (behind, head, beak) = (color(), color(), [236, 160, 40]);
    let near =
        |x: u32, y: u32, of: (u32, u32), radius: u32| x.abs_diff(of.0).pow(2) + y.abs_diff(of.1).pow(2) < radius.pow(2);
    let picture = RgbImage::from_fn(AVATAR, AVATAR, |x, y| {
        let color = if near(x, y, (50, 40), 4) {
            [16, 16, 20]
        } else if near(x, y, (44, 46), 24) || near(x, y, (36, 96), 36) {
            head
        } else if x >= 62 && y.abs_diff(48) * 3 < 90_u32.saturating_sub(x) {
            beak
        } else {
            behind
        };
        Rgb(color)
    });
    encoded(&picture)
}

fn encoded(picture: &RgbImage) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(picture)?;
    Ok(bytes)
}
