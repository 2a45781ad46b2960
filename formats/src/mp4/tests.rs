use super::super::FileType;
use super::super::testing::{fixture, holds, variants};
use super::super::video::tests::inspected;
use super::*;

fn inspect(bytes: &[u8]) -> Result<VideoInfo, Refusal> {
    inspected(FileType::Mp4, bytes)
}

fn code(bytes: &[u8]) -> &'static str {
    inspect(bytes).unwrap_err().0
}

/// Behind the first box of a kind's name.
fn place(bytes: &[u8], kind: &[u8; 4]) -> usize {
    bytes.windows(4).position(|window| window == kind).unwrap() + 4
}

#[test]
fn films_are_measured() {
    let shown = |width, height, duration_ms| VideoInfo { width, height, duration_ms };
    for name in ["tide.mp4", "tide-last.mp4"] {
        assert_eq!(inspect(&fixture(name)).unwrap(), shown(320, 240, Some(6000)), "{name}");
    }
    assert_eq!(inspect(&fixture("turned.mp4")).unwrap(), shown(240, 320, Some(6000)));
    // Their edit lists, which leave out the first two pictures' time, are not reckoned with.
    let in_fragments = inspect(&fixture("fragments.mp4")).unwrap();
    assert!((6000..6200).contains(&in_fragments.duration_ms.unwrap()), "{in_fragments:?}");
    assert_eq!((in_fragments.width, in_fragments.height), (320, 240));
}

#[test]
fn other_codecs_are_named() {
    let detail = |bytes: &[u8]| {
        let (code, detail) = inspect(bytes).unwrap_err();
        assert_eq!(code, "unsupported_codec");
        detail
    };
    let hevc = "It has hvc1 (HEVC), which browsers don't all play; an MP4 may have H.264 and AAC.";
    assert_eq!(detail(&fixture("hevc.mp4")), hevc);
    assert!(detail(&fixture("mp3.mp4")).starts_with("It has mp4a (MP3), "));
    for (entry, codec, shown) in
        [(b"avc1", b"av01", "av01 (AV1)"), (b"mp4a", b"Opus", "Opus (Opus)"), (b"avc1", b"\0x\xff\"", "?x?\"")]
    {
        let mut film = fixture("tide.mp4");
        // The brand is of the same name.
        let at = film.windows(4).enumerate().rfind(|(_, window)| window == entry).unwrap().0;
        film[at..at + 4].copy_from_slice(codec);
        assert!(detail(&film).starts_with(&format!("It has {shown}, ")), "{}", detail(&film));
    }
    // xHE-AAC, 42, whose number takes an escape.
    let mut film = fixture("tide.mp4");
    let at = place(&film, b"esds");
    let specific = film[at..].windows(5).position(|window| window == [5, 0x80, 0x80, 0x80, 5]).unwrap() + at + 5;
    film[specific] = 0xf9;
    assert!(detail(&film).starts_with("It has mp4a (MPEG-4 Audio 31), "));
}

#[test]
fn more_colours_and_bits_than_every_browser_shows_are_refused() {
    for (name, told) in [
        ("avc-yuv422p.mp4", "H.264 in 4:2:2 with 8 bits (profile 122)"),
        ("avc-yuv444p.mp4", "H.264 in 4:4:4 with 8 bits (profile 244)"),
        ("avc-yuv420p10le.mp4", "H.264 in 4:2:0 with 10 bits (profile 110)"),
    ] {
        let refused = inspect(&fixture(name)).unwrap_err();
        let whole = format!("It has {told}, which browsers don't all play; send it in 4:2:0 with 8 bits.");
        assert_eq!(refused, ("unsupported_codec", whole), "{name}");
        // The pictures' own parameters say so, too.
        let mut film = fixture(name);
        let at = place(&film, b"avcC");
        film[at + 1] = 100;
        assert_eq!(code(&film), "unsupported_codec", "{name}");
    }
}

/// The film as it is served.
fn served(film: &[u8]) -> (VideoInfo, Vec<u8>) {
    super::super::video::tests::served(FileType::Mp4, film)
}

#[test]
fn nothing_tells_where_when_or_with_what_it_was_taken() {
    let private: [&[u8]; 11] =
        [b"50.37", b"Perch", b"Fixture", b"Ana", b"GoPro", b"DJI", b"GPS", b"2026", b"loci", b"\xa9xyz", b"mdta"];
    for name in ["iphone.mp4", "android.mp4", "flying.mp4", "told.mp4"] {
        let sent = fixture(name);
        assert!(private.iter().any(|part| holds(&sent, part)), "{name}");
        let (info, kept) = served(&sent);
        for part in private {
            assert!(!holds(&kept, part), "{name}: {}", String::from_utf8_lossy(part));
        }
        assert_eq!(kept.len(), sent.len(), "{name}");
        assert!(info.duration_ms.is_some_and(|lasts| (990..1300).contains(&lasts)), "{name}: {info:?}");
        // What is clean stays as it is.
        assert_eq!(served(&kept), (info, kept.clone()), "{name}");
    }
}

#[test]
fn pictures_and_sound_stay_bit_by_bit() {
    let plain = fixture("iphone.mp4");
    let media = |film: &[u8]| {
        let at = place(film, b"mdat");
        let length = usize::try_from(u32::from_be_bytes(array(film, at - 8).unwrap())).unwrap() - 8;
        film[at..at + length].to_vec()
    };
    for name in ["iphone.mp4", "android.mp4"] {
        let sent = fixture(name);
        assert_eq!(media(&served(&sent).1), media(&sent), "{name}");
        assert_eq!(media(&sent), media(&plain), "{name}");
    }
    // Of the one with positions, all but these.
    let sent = fixture("flying.mp4");
    let (before, after) = (media(&sent), media(&served(&sent).1));
    let changed = before.iter().zip(&after).filter(|(before, after)| before != after);
    assert!(changed.clone().count() < 60 && changed.clone().all(|(_, after)| *after == 0));
    let texts: Vec<u8> = changed.map(|(before, _)| *before).collect();
    assert!(holds(&texts, b"GPS(50.3755,-4.1427)"));
    // There, nothing says where they lie.
    assert_eq!(code(&fixture("flying-fragments.mp4")), "unsupported_codec");
}

#[test]
fn what_lies_between_and_behind_is_not_served() {
    let film = fixture("tide.mp4");
    let (info, clean) = served(&film);
    let mut known: Vec<Vec<u8>> = vec![b"x".to_vec(), b"SEFT of a telephone".to_vec(), vec![0; 5], vec![1; 5000]];
    known.push(b"\0\0\x01\0XXXXcut off".to_vec());
    for behind in known {
        assert_eq!(served(&[film.clone(), behind].concat()), (info, clean.clone()));
    }
    // A box that nobody knows is one to be skipped.
    for (unknown, blank) in [
        (b"\0\0\0\x10gps Plymouth".as_slice(), b"\0\0\0\x10free\0\0\0\0\0\0\0\0".as_slice()),
        (b"\0\0\0\x10freePlymouth", b"\0\0\0\x10free\0\0\0\0\0\0\0\0"),
        (b"\0\0\0\0skipPlymouth", b"\0\0\0\0free\0\0\0\0\0\0\0\0"),
    ] {
        assert_eq!(served(&[film.as_slice(), unknown].concat()).1, [clean.as_slice(), blank].concat());
    }
    // Media data that belongs to no picture.
    let mut film = fixture("tide-last.mp4");
    let clean = served(&film).1;
    let at = place(&film, b"mdat");
    let end = at - 8 + usize::try_from(u32::from_be_bytes(array(&film, at - 8).unwrap())).unwrap();
    film.splice(end..end, *b"Plymouth");
    let length = u32::try_from(end + 8 - (at - 8)).unwrap();
    film[at - 8..at - 4].copy_from_slice(&length.to_be_bytes());
    let kept = served(&film).1;
    assert!(!holds(&kept, b"Plymouth") && kept.len() == film.len());
    assert_eq!(kept[at..end], clean[at..end]);
}

#[test]
fn a_film_that_was_not_sent_whole_is_truncated() {
    for name in ["tide.mp4", "tide-last.mp4", "fragments.mp4"] {
        let film = fixture(name);
        for length in [50, film.len() / 2, film.len() - 1] {
            assert_eq!(code(&film[..length]), "truncated", "{name} {length}");
        }
    }
}

#[test]
fn what_is_missing_is_told() {
    let film = fixture("tide-last.mp4");
    let end = place(&film, b"moov") - 8;
    assert!(inspect(&film[..end]).unwrap_err().1.contains("no index"));
    let film = fixture("tide.mp4");
    let end = place(&film, b"mdat") - 8;
    assert!(inspect(&film[..end]).unwrap_err().1.contains("no pictures"));
    for (kind, missing) in
        [(b"avcC", "pictures can't be decoded"), (b"esds", "sound can't be decoded"), (b"mvhd", "index")]
    {
        let mut film = fixture("tide.mp4");
        let at = place(&film, kind);
        film[at - 4..at].copy_from_slice(b"free");
        let (code, detail) = inspect(&film).unwrap_err();
        assert!(code == "broken" && detail.contains(missing), "{detail}");
    }
    let mut film = fixture("tide.mp4");
    while let Some(at) = film.windows(4).position(|window| window == b"vide") {
        film[at..at + 4].copy_from_slice(b"text");
    }
    assert!(inspect(&film).unwrap_err().1.contains("only sound"));
}

#[test]
fn time_is_read_where_it_stands() {
    let mut film = fixture("tide.mp4");
    let at = place(&film, b"mvhd");
    film[at + 16..at + 20].copy_from_slice(&[0xff; 4]);
    // The sound is a little longer than the pictures.
    let lasts = inspect(&film).unwrap().duration_ms.unwrap();
    assert!((6000..6100).contains(&lasts), "{lasts}");
    while let Some(at) = film.windows(4).position(|window| window == b"mdhd") {
        film[at..at + 4].copy_from_slice(b"mdhx");
        film[at + 20..at + 24].fill(0);
    }
    assert_eq!(code(&film), "broken");
    for at in 0..film.len() - 4 {
        if &film[at..at + 4] == b"mdhx" {
            film[at..at + 4].copy_from_slice(b"mdhd");
        }
    }
    assert!(inspect(&film).unwrap_err().1.contains("lasts no time"));
}

#[test]
fn large_claims_allocate_nothing() {
    let ftyp = b"\0\0\0\x14ftypisom\0\0\0\0isom".as_slice();
    let moov = |length: u64| [ftyp, b"\0\0\0\x01moov", &length.to_be_bytes()].concat();
    assert_eq!(code(&moov(u64::MAX)), "truncated");
    assert_eq!(code(&moov(u64::MAX / 2)), "truncated");
    assert_eq!(code(&moov(3)), "broken");
    // As large as the reader's word for the file's size, but no larger than an index may be.
    let size = 1 << 40;
    let film = [moov(size - 20), vec![0; 100]].concat();
    let refused = super::super::inspect(FileType::Mp4, std::io::Cursor::new(&film), size).unwrap_err();
    assert!(refused.to_string().contains("too large"), "{refused}");
    // Nothing but boxes.
    let film = [ftyp, &b"\0\0\0\x08free".repeat(5000)].concat();
    assert!(inspect(&film).unwrap_err().1.contains("too many parts"));
}

#[test]
fn hostile_ones_are_borne() {
    let started = std::time::Instant::now();
    let names =
        ["tide.mp4", "turned.mp4", "hevc.mp4", "fragments.mp4", "mp3.mp4", "film.mov", "iphone.mp4", "flying.mp4"];
    for name in names {
        let film = fixture(name);
        variants(&film, 4000, |bytes| {
            let _ = inspect(bytes);
        });
        // The index alone, where all that is parsed stands.
        let start = place(&film, b"moov");
        variants(&film[start..film.len().min(start + 3000)], 4000, |bytes| {
            let _ = super::film(bytes, false);
            let _ = redact::redact_media(bytes, &[0..1000, 2000..3000], &mut Redaction::default());
        });
    }
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
