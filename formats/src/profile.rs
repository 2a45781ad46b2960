//! Colour profiles ([ICC.1:2022](https://www.color.org/specification/ICC.1-2022-05.pdf)): a photograph of a wide gamut
//! looks pale without its own. They also hold texts, dates, and in a screen's own profile its maker's and serial numbers:
//! so only what a colour is reckoned from is kept, in a profile written anew.

use super::array;

/// Larger ones are dropped. sRGB's and Display P3's have 3 kB at most; of the ICC's own the largest for RGB, the sRGB v4
/// preference profile, has 60,960 bytes; and each rendition carries a copy.
const MAX: usize = 64 * 1024;

const HEADER: usize = 128;

/// From a device's colours to those of the profile: by matrix and curves, by tables, or by a code of ITU-T H.273.
const KEPT: [&[u8; 4]; 14] = [
    b"wtpt", b"bkpt", b"chad", b"cicp", b"kTRC", b"rTRC", b"gTRC", b"bTRC", b"rXYZ", b"gXYZ", b"bXYZ", b"A2B0",
    b"A2B1", b"A2B2",
];

/// The colours a profile must be of to be read with the pixels: a picture of four inks is RGB once it is decoded.
#[derive(Clone, Copy)]
pub(super) enum Space {
    Grey,
    Rgb,
}

/// What is kept of a profile; nothing of one that can't be right.
pub(super) fn clean(profile: &[u8], space: Space) -> Option<Vec<u8>> {
    let name = match space {
        Space::Grey => b"GRAY",
        Space::Rgb => b"RGB ",
    };
    if profile.len() > MAX || array(profile, 36)? != *b"acsp" || array(profile, 16)? != *name {
        return None;
    }
    let count = usize::try_from(u32::from_be_bytes(array(profile, HEADER)?)).ok()?;
    let table = profile.get(HEADER + 4..)?.get(..count.checked_mul(12)?)?;
    let place = |entry: &[u8], at| usize::try_from(u32::from_be_bytes(array(entry, at)?)).ok();
    let mut tags = Vec::new();
    for entry in table.chunks_exact(12) {
        let tag: [u8; 4] = array(entry, 0)?;
        if KEPT.contains(&&tag) && !tags.iter().any(|(known, _)| *known == tag) {
            tags.push((tag, profile.get(place(entry, 4)?..)?.get(..place(entry, 8)?)?));
        }
    }
    if tags.is_empty() {
        return None;
    }
    let mut kept = profile.get(..HEADER)?.to_vec();
    // The profile's length, filled in below, and by the header's table: maker of the software, date, platform,
    // manufacturer, model, creator and digest, which may all be nought.
    for unknown in [0..8, 24..36, 40..44, 48..56, 80..HEADER] {
        kept.get_mut(unknown)?.fill(0);
    }
    kept.extend(u32::try_from(tags.len()).ok()?.to_be_bytes());
    let mut data: Vec<u8> = Vec::new();
    let mut written: Vec<(&[u8], usize)> = Vec::new();
    let start = HEADER + 4 + 12 * tags.len();
    for (tag, content) in tags {
        // The three curves are often one.
        let known = written.iter().find(|(other, _)| *other == content).map(|(_, at)| *at);
        let at = known.unwrap_or_else(|| {
            let at = start + data.len();
            data.extend(content);
            data.resize(data.len().next_multiple_of(4), 0);
            written.push((content, at));
            at
        });
        kept.extend(tag);
        kept.extend(u32::try_from(at).ok()?.to_be_bytes());
        kept.extend(u32::try_from(content.len()).ok()?.to_be_bytes());
    }
    kept.extend(data);
    let length = u32::try_from(kept.len()).ok()?.to_be_bytes();
    kept.get_mut(..4)?.copy_from_slice(&length);
    Some(kept)
}

/// A small profile for tests: Display P3's colours, a text, and a private tag.
#[cfg(test)]
pub(super) fn sample() -> Vec<u8> {
    let point = |x: f64, y: f64, z: f64| {
        let mut tag = b"XYZ \0\0\0\0".to_vec();
        tag.extend([x, y, z].map(|v| format!("{:.0}", v * 65536.0).parse::<i32>().unwrap().to_be_bytes()).concat());
        tag
    };
    let curve = [b"curv\0\0\0\0\0\0\0\x01".as_slice(), &563_u16.to_be_bytes()].concat();
    let tags: [(&[u8; 4], Vec<u8>); 9] = [
        (b"desc", b"desc\0\0\0\0\0\0\0\x0fAna's computer\0".to_vec()),
        (b"wtpt", point(0.9642, 1.0, 0.8249)),
        (b"rXYZ", point(0.5151, 0.2412, -0.0011)),
        (b"gXYZ", point(0.2919, 0.6922, 0.0419)),
        (b"bXYZ", point(0.1572, 0.0666, 0.7841)),
        (b"rTRC", curve.clone()),
        (b"gTRC", curve.clone()),
        (b"bTRC", curve),
        (b"mmod", b"mmod\0\0\0\0serial number".to_vec()),
    ];
    let mut bytes = vec![0; HEADER];
    bytes[8..12].copy_from_slice(&[2, 0x40, 0, 0]);
    bytes[12..24].copy_from_slice(b"mntrRGB XYZ ");
    bytes[36..40].copy_from_slice(b"acsp");
    bytes[48..52].copy_from_slice(b"Anas");
    bytes[68..80].copy_from_slice(&[0, 0, 0xf6, 0xd6, 0, 1, 0, 0, 0, 0, 0xd3, 0x2d]);
    bytes.extend(u32::try_from(tags.len()).unwrap().to_be_bytes());
    let mut data = Vec::new();
    for (tag, content) in &tags {
        bytes.extend(*tag);
        bytes.extend(u32::try_from(HEADER + 4 + 12 * tags.len() + data.len()).unwrap().to_be_bytes());
        bytes.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
        data.extend(content);
        data.resize(data.len().next_multiple_of(4), 0);
    }
    bytes.extend(data);
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    bytes[..4].copy_from_slice(&length);
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::testing::{holds, variants};
    use super::*;

    #[test]
    fn colours_are_kept_and_words_are_not() {
        let kept = clean(&sample(), Space::Rgb).unwrap();
        for tag in [b"rXYZ", b"bTRC", b"wtpt"] {
            assert!(holds(&kept, tag));
        }
        for private in ["Ana", "mmod", "serial", "desc"] {
            assert!(!holds(&kept, private.as_bytes()), "{private}");
        }
        assert_eq!(kept.len(), usize::try_from(u32::from_be_bytes(array(&kept, 0).unwrap())).unwrap());
        // Cleaning what is clean changes nothing.
        assert_eq!(clean(&kept, Space::Rgb).unwrap(), kept);
    }

    #[test]
    fn what_is_no_profile_of_the_colours_is_dropped() {
        assert!(clean(&sample(), Space::Grey).is_none());
        assert!(clean(&sample()[..200], Space::Rgb).is_none());
        assert!(clean(&[sample(), vec![0; MAX]].concat(), Space::Rgb).is_none());
        assert!(clean(b"", Space::Rgb).is_none());
    }

    #[test]
    fn hostile_profiles_are_borne() {
        variants(&sample(), 5000, |bytes| {
            clean(bytes, Space::Rgb);
        });
    }
}
