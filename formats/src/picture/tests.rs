use super::super::testing::{fixture, holds, variants};
use super::*;
use image::{ColorType, GenericImageView, ImageFormat, ImageReader, Rgba, RgbaImage};

fn open(bytes: &[u8]) -> DynamicImage {
    ImageReader::new(Cursor::new(bytes)).with_guessed_format().unwrap().decode().unwrap()
}

fn write(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn near(image: &DynamicImage, (x, y): (u32, u32), colour: [u8; 3]) {
    let found = image.get_pixel(x, y).0;
    let far = found.iter().zip(colour).any(|(found, wanted)| found.abs_diff(wanted) > 8);
    assert!(!far, "({x}, {y}) is {found:?}, not {colour:?}");
}

const RED: [u8; 3] = [254, 0, 0];
const BLUE: [u8; 3] = [0, 0, 254];
const WHITE: [u8; 3] = [255; 3];

#[test]
fn a_photograph_is_set_upright_and_tells_nothing_else() {
    let sent = fixture("photo.jpg");
    let private: [&[u8]; 6] = [b"Exif", b"Perch", b"Ana", b"Plymouth", b"A private remark", b"Photoshop"];
    assert!(private.iter().all(|part| holds(&sent, part)));
    let kept = develop(FileType::Jpeg, &sent).unwrap();
    assert!(!private.iter().any(|part| holds(&kept.bytes, part)));
    assert_eq!((kept.width, kept.height), (240, 320));
    let image = open(&kept.bytes);
    assert_eq!((image.width(), image.height()), (240, 320));
    near(&image, (200, 40), RED);
    near(&image, (120, 280), BLUE);
    near(&image, (35, 35), WHITE);
    assert!(kept.renditions.is_empty());
}

#[test]
fn renditions_are_smaller_and_upright() {
    let mut encoder = Vec::new();
    let large = open(&fixture("photo.jpg")).resize_exact(2000, 1500, FilterType::Triangle);
    image::codecs::jpeg::JpegEncoder::new(&mut encoder).encode_image(&large).unwrap();
    // The segment with the orientation, from behind the first one.
    let (sent, photo) = (encoder, fixture("photo.jpg"));
    let at = photo.windows(6).position(|part| part == b"Exif\0\0").unwrap() - 4;
    let length = usize::from(u16::from_be_bytes([photo[at + 2], photo[at + 3]])) + 2;
    let sent = [&sent[..2], &photo[at..at + length], &sent[2..]].concat();
    let kept = develop(FileType::Jpeg, &sent).unwrap();
    assert_eq!((kept.width, kept.height), (1500, 2000));
    let sizes: Vec<_> = kept.renditions.iter().map(|r| (r.name, r.width, r.height)).collect();
    assert_eq!(sizes, [("medium", 960, 1280), ("small", 240, 320)]);
    for rendition in &kept.renditions {
        assert!(rendition.bytes.starts_with(&[0xff, 0xd8]) && !holds(&rendition.bytes, b"Exif"));
        let image = open(&rendition.bytes);
        assert_eq!((image.width(), image.height()), (rendition.width, rendition.height));
        near(&image, (rendition.width - 20, 20), RED);
        near(&image, (rendition.width / 2, rendition.height - 20), BLUE);
        near(&image, (rendition.width / 7, rendition.width / 7), WHITE);
    }
}

#[test]
fn a_very_long_picture_keeps_a_pixel_of_width() {
    let sent = write(&DynamicImage::new_rgb8(2, 5000), ImageFormat::Png);
    let kept = develop(FileType::Png, &sent).unwrap();
    let sizes: Vec<_> = kept.renditions.iter().map(|r| (r.width, r.height)).collect();
    assert_eq!(sizes, [(1, 1280), (1, 320)]);
}

#[test]
fn a_drawing_keeps_its_alpha_and_every_pixel() {
    let sent = fixture("drawing.png");
    let private: [&[u8]; 4] = [b"Ana", b"A private remark", b"eXIf", b"Author"];
    assert!(private.iter().all(|part| holds(&sent, part)));
    let kept = develop(FileType::Png, &sent).unwrap();
    assert!(!private.iter().any(|part| holds(&kept.bytes, part)));
    assert_eq!(open(&kept.bytes), open(&sent));
    assert!(open(&kept.bytes).color().has_alpha());
    for chunk in ["tEXt", "zTXt", "iTXt", "tIME", "pHYs"] {
        assert!(!holds(&kept.bytes, chunk.as_bytes()), "{chunk}");
    }
}

#[test]
fn a_png_does_not_grow() {
    for name in ["drawing.png", "palette.png", "grey16.png"] {
        let sent = fixture(name);
        let kept = develop(FileType::Png, &[sent.as_slice(), b"Plymouth"].concat()).unwrap().bytes;
        assert!(kept.len() <= sent.len() && !holds(&kept, b"Plymouth"), "{name}: {} of {}", kept.len(), sent.len());
        assert_eq!(develop(FileType::Png, &kept).unwrap().bytes, kept, "{name}");
    }
}

#[test]
fn depths_are_kept_and_renditions_have_eight_bits() {
    let sent = fixture("grey16.png");
    let kept = develop(FileType::Png, &sent).unwrap();
    assert_eq!(open(&kept.bytes), open(&sent));
    assert_eq!(open(&kept.bytes).color(), ColorType::L16);
    let palette = develop(FileType::Png, &fixture("palette.png")).unwrap();
    assert_eq!(open(&palette.bytes), open(&fixture("palette.png")));

    let large = write(&DynamicImage::new_rgba16(400, 300), ImageFormat::Png);
    let kept = develop(FileType::Png, &large).unwrap();
    assert_eq!(open(&kept.bytes).color(), ColorType::Rgba16);
    assert_eq!(open(&kept.renditions[0].bytes).color(), ColorType::Rgba8);
}

#[test]
fn what_is_not_seen_colours_no_rim() {
    // Opaque white beside green that can't be seen.
    let image = RgbaImage::from_fn(1000, 1000, |x, _| if x < 500 { Rgba([255; 4]) } else { Rgba([0, 255, 0, 0]) });
    let kept = develop(FileType::Png, &write(&image.into(), ImageFormat::Png)).unwrap();
    let small = open(&kept.renditions[0].bytes).into_rgba8();
    assert!(small.pixels().any(|pixel| pixel.0[3] == 255));
    assert!(small.pixels().all(|pixel| pixel.0[3] == 0 || pixel.0[0] > 250), "a green rim");
}

#[test]
fn a_profile_is_kept_where_it_fits_the_pixels() {
    let image = DynamicImage::new_rgb8(400, 400);
    let encoded = |file_type, image: &DynamicImage| match file_type {
        FileType::Png => encode_png(image, Some(&profile::sample()), CompressionType::Fast).unwrap(),
        _ => jpeg::rendition(image, Some(&profile::sample()), 88).unwrap(),
    };
    for file_type in [FileType::Png, FileType::Jpeg] {
        let sent = encoded(file_type, &image);
        let kept = develop(file_type, &sent).unwrap();
        let clean = profile::clean(&profile::sample(), Space::Rgb).unwrap();
        for bytes in [&kept.bytes, &kept.renditions[0].bytes] {
            let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().unwrap();
            assert_eq!(reader.into_decoder().unwrap().icc_profile().unwrap().as_ref(), Some(&clean));
        }
        let grey = encoded(file_type, &DynamicImage::new_luma8(4, 4));
        let kept = develop(file_type, &grey).unwrap().bytes;
        assert!(!holds(&kept, b"iCCP") && !holds(&kept, b"ICC_PROFILE"));
    }
}

#[test]
fn progressive_and_four_inks_are_decoded() {
    for name in ["progressive.jpg", "cmyk.jpg"] {
        let kept = develop(FileType::Jpeg, &fixture(name)).unwrap();
        let image = open(&kept.bytes);
        assert_eq!((image.width(), image.height(), image.color()), (320, 240, ColorType::Rgb8), "{name}");
        // As it lies: nothing says which way is up.
        near(&image, (80, 120), RED);
        near(&image, (240, 120), BLUE);
    }
}

#[test]
fn a_moving_png_is_refused() {
    let (code, detail) = develop(FileType::Png, &fixture("moving.png")).unwrap_err();
    assert_eq!(code, "unsupported_type");
    assert!(detail.starts_with("Animated PNGs"), "{detail}");
}

#[test]
fn a_cut_off_one_is_truncated() {
    for (file_type, name) in
        [(FileType::Jpeg, "photo.jpg"), (FileType::Jpeg, "progressive.jpg"), (FileType::Png, "drawing.png")]
    {
        let sent = fixture(name);
        for length in [20, 60, sent.len() / 2, sent.len() * 9 / 10] {
            assert_eq!(develop(file_type, &sent[..length]).unwrap_err().0, "truncated", "{name} {length}");
        }
    }
    assert_eq!(develop(FileType::Mp4, &fixture("tide.mp4")).unwrap_err().0, "wrong_type");
}

/// A PNG that claims a size.
fn claiming(width: u32, height: u32) -> Vec<u8> {
    let mut png = fixture("drawing.png");
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = !png[12..29].iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    });
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    png
}

#[test]
fn a_size_is_refused_before_anything_is_decoded() {
    let started = std::time::Instant::now();
    for (width, height) in [(50_000, 50_000), (65_536, 10), (10, 65_536), (7_072, 7_072), (1_000_000, 1_000_000)] {
        let (code, detail) = develop(FileType::Png, &claiming(width, height)).unwrap_err();
        assert_eq!(code, "too_many_pixels", "{detail}");
    }
    let mut jpeg = fixture("photo.jpg");
    let at = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    jpeg[at + 5..at + 9].copy_from_slice(&[0xff; 4]);
    assert_eq!(develop(FileType::Jpeg, &jpeg).unwrap_err().0, "too_many_pixels");
    assert!(started.elapsed().as_millis() < 200, "{:?}", started.elapsed());
    // The drawing has 16 bits and alpha.
    assert!(develop(FileType::Png, &claiming(6000, 6000)).unwrap_err().1.contains("16 bits"));
    // What is claimed and may be, but isn't there.
    assert_eq!(develop(FileType::Png, &claiming(1000, 1000)).unwrap_err().0, "broken");
}

#[test]
fn hostile_ones_are_borne() {
    let names = ["photo.jpg", "progressive.jpg", "cmyk.jpg", "drawing.png", "palette.png", "grey16.png", "moving.png"];
    for name in names {
        let file_type = FileType::sniff(&fixture(name)).unwrap();
        let count = if file_type == FileType::Jpeg { 700 } else { 1500 };
        variants(&fixture(name), count, |bytes| {
            let _ = develop_within(file_type, bytes, 200_000);
        });
    }
}
