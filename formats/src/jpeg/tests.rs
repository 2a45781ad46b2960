use super::super::develop;
use super::super::testing::{fixture, holds};
use super::*;
use image::{Rgb, RgbImage};

fn pixels(bytes: &[u8]) -> DynamicImage {
    DynamicImage::from_decoder(JpegDecoder::new(Cursor::new(bytes)).unwrap()).unwrap()
}

/// A photo as busy as most are, of a quality.
fn photo(quality: u8) -> Vec<u8> {
    let image = RgbImage::from_fn(640, 400, |x, y| {
        let wave = |n: u32| u8::try_from((x * x / 97 + y * n + x * y / 61) % 200).unwrap();
        Rgb([wave(3), wave(2), u8::try_from(x / 4).unwrap()])
    });
    encode::rendition(&image.into(), None, quality).unwrap()
}

/// The photo, to be turned: with EXIF that says so behind its first two bytes.
fn turned(photo: &[u8], orientation: u8) -> Vec<u8> {
    let tiff = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0";
    let exif = [b"\xff\xe1\0\x22".as_slice(), tiff, &[orientation, 0, 0, 0, 0, 0, 0]].concat();
    [&photo[..2], &exif, &photo[2..]].concat()
}

#[test]
fn an_upright_one_keeps_its_data_and_loses_the_rest() {
    for sent in [turned(&photo(75), 1), fixture("progressive.jpg"), photo(95)] {
        let remarks = b"\xff\xfe\0\x0aPlymouth\xff\xed\0\x0aPlymouth";
        let hidden = [&sent[..2], remarks, &sent[2..], b"Plymouth"].concat();
        let kept = develop(FileType::Jpeg, &hidden).unwrap();
        assert!(!holds(&kept.bytes, b"Plymouth") && !holds(&kept.bytes, b"Exif"));
        assert!(kept.bytes.len() <= sent.len());
        assert_eq!(pixels(&kept.bytes), pixels(&sent), "not a bit is changed");
        assert_eq!(develop(FileType::Jpeg, &kept.bytes).unwrap().bytes, kept.bytes);
    }
}

#[test]
fn a_turned_one_grows_by_a_tenth_at_most() {
    for quality in [30, 60, 75, 88, 95] {
        let sent = photo(quality);
        for orientation in 2..=8 {
            let kept = develop(FileType::Jpeg, &turned(&sent, orientation)).unwrap();
            let (length, most) = (kept.bytes.len(), sent.len() * 11 / 10 + 8);
            assert!(length <= most, "{quality} {orientation}: {length} of {}", sent.len());
            let mut expected = pixels(&sent);
            expected.apply_orientation(Orientation::from_exif(orientation).unwrap());
            let (found, wanted) = (pixels(&kept.bytes).into_rgb8(), expected.into_rgb8());
            let far: u64 = found.iter().zip(wanted.iter()).map(|(one, other)| u64::from(one.abs_diff(*other))).sum();
            let mean = far / u64::try_from(wanted.len()).unwrap();
            assert!(mean <= 4, "{quality} {orientation}: {mean} a sample");
        }
    }
}

#[test]
fn one_that_lacks_its_end_alone_is_taken() {
    for sent in [photo(88), fixture("photo.jpg")] {
        let whole = develop(FileType::Jpeg, &sent).unwrap();
        let kept = develop(FileType::Jpeg, &sent[..sent.len() - 2]).unwrap();
        assert_eq!(kept.bytes, whole.bytes);
        for cut in [sent.len() / 2, sent.len() * 3 / 4, sent.len() * 9 / 10] {
            let found = develop(FileType::Jpeg, &sent[..cut]).map(|kept| kept.bytes.len());
            assert_eq!(found.unwrap_err().0, "truncated", "{cut} of {}", sent.len());
        }
    }
}

#[test]
fn four_inks_are_shown_by_their_profile() {
    // A press whose inks are dull: `fixtures/README.md`.
    let sent = fixture("press.jpg");
    let kept = develop(FileType::Jpeg, &sent).unwrap();
    assert!(!holds(&kept.bytes, b"ICC_PROFILE") && kept.bytes.len() <= sent.len());
    let image = pixels(&kept.bytes).into_rgb8();
    for ((x, y), wanted) in [((20, 20), [0, 118, 148]), ((60, 20), [255, 255, 255]), ((20, 60), [30, 30, 30])] {
        let found = image.get_pixel(x, y).0;
        let far = found.iter().zip(wanted).any(|(found, wanted): (&u8, u8)| found.abs_diff(wanted) > 16);
        assert!(!far, "({x}, {y}) is {found:?}, not {wanted:?}");
    }
}
