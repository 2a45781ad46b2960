use super::super::FileType;
use super::super::testing::{fixture, variants};
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
    assert_eq!(inspect(&fixture("fragments.mp4")).unwrap(), shown(320, 240, None));
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
    for name in ["tide.mp4", "turned.mp4", "hevc.mp4", "fragments.mp4", "mp3.mp4", "film.mov"] {
        let film = fixture(name);
        variants(&film, 4000, |bytes| {
            let _ = inspect(bytes);
        });
        // The index alone, where all that is parsed stands.
        let start = place(&film, b"moov");
        variants(&film[start..film.len().min(start + 3000)], 4000, |bytes| {
            let _ = super::film(bytes);
        });
    }
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
