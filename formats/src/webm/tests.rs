use super::super::FileType;
use super::super::testing::{fixture, holds, variants};
use super::super::video::tests::inspected;
use super::*;

fn inspect(bytes: &[u8]) -> Result<VideoInfo, Refusal> {
    inspected(FileType::Webm, bytes)
}

fn replaced(name: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut film = fixture(name);
    let at = film.windows(from.len()).position(|window| window == from).unwrap();
    film.splice(at..at + from.len(), to.iter().copied());
    film
}

#[test]
fn films_are_measured() {
    let shown = VideoInfo { width: 320, height: 240, duration_ms: Some(6040) };
    let found = inspect(&fixture("tide.webm")).unwrap();
    assert!(found.duration_ms.unwrap().abs_diff(6040) < 20, "{found:?}");
    assert_eq!(VideoInfo { duration_ms: shown.duration_ms, ..found }, shown);
    // When its last picture is shown: nothing says how long.
    let live = inspect(&fixture("live.webm")).unwrap();
    assert!(live.duration_ms.unwrap().abs_diff(1980) < 20, "{live:?}");
    assert_eq!(VideoInfo { duration_ms: shown.duration_ms, ..live }, shown);
}

#[test]
fn other_codecs_are_named() {
    let (code, detail) = inspect(&replaced("tide.webm", b"V_VP9", b"V_XYZ")).unwrap_err();
    let told = "It has V_XYZ, which browsers don't all play; a WebM may have VP8, VP9 or AV1, and Vorbis or Opus.";
    assert_eq!((code, detail.as_str()), ("unsupported_codec", told));
    let (code, _) = inspect(&replaced("tide.webm", b"A_OPUS", b"A_FLAC")).unwrap_err();
    assert_eq!(code, "unsupported_codec");
    assert_eq!(inspect(&fixture("h264.mkv")).unwrap_err().0, "unsupported_type");
    // Matroska that says it is WebM.
    let film = replaced("h264.mkv", b"\x42\x82\x88matroska", b"\xec\x82\0\0\x42\x82\x84webm");
    let (code, detail) = inspect(&film).unwrap_err();
    assert!(code == "unsupported_codec" && detail.contains("V_MPEG4/ISO/AVC"), "{detail}");
}

#[test]
fn a_film_that_was_not_sent_whole_is_truncated() {
    let film = fixture("tide.webm");
    for length in [64, 200, film.len() / 2, film.len() - 1] {
        assert_eq!(inspect(&film[..length]).unwrap_err().0, "truncated", "{length}");
    }
    assert_eq!(inspect(&fixture("live.webm")[..100]).unwrap_err().0, "truncated");
    // One that was recorded live ends anywhere.
    inspect(&fixture("live.webm")[..9000]).unwrap();
}

#[test]
fn what_leads_the_demuxer_in_circles_is_not_followed() {
    let film = fixture("tide.webm");
    // Its name stands in the table of places, too.
    let info = film[..300].windows(4).rposition(|id| id == INFO.to_be_bytes()).unwrap();
    let head =
        [&film[..film.windows(4).position(|id| id == SEGMENT.to_be_bytes()).unwrap()], &SEGMENT.to_be_bytes(), &[0xff]]
            .concat();
    let tables: [&[u8]; 3] = [
        // A checksum first, which it reads again and again.
        b"\xbf\x84\0\0\0\0",
        // A table of places that names itself.
        b"\x11\x4d\x9b\x74\x8d\x4d\xbb\x8a\x53\xab\x84\x11\x4d\x9b\x74\x53\xac\x80",
        // And one that does so twice.
        b"\x11\x4d\x9b\x74\x9a\x4d\xbb\x8a\x53\xab\x84\x11\x4d\x9b\x74\x53\xac\x80\x4d\xbb\x8a\x53\xab\x84\x11\x4d\x9b\x74\x53\xac\x80",
    ];
    for table in tables {
        assert_eq!(inspect(&[&head, table, &film[info..]].concat()).unwrap().width, 320);
    }
}

#[test]
fn large_claims_allocate_nothing() {
    let head = b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\xff".as_slice();
    let info = |length: u64| [head, &INFO.to_be_bytes(), &(length | 1 << 56).to_be_bytes()].concat();
    assert_eq!(inspect(&info(1 << 50)).unwrap_err().0, "truncated");
    let size = 1 << 52;
    let refused =
        super::super::inspect(FileType::Webm, Cursor::new([info(1 << 50), vec![0; 100]].concat()), size).unwrap_err();
    assert!(refused.to_string().contains("too large"), "{refused}");
    let voids = [head, &b"\xec\x80".repeat(1000)].concat();
    assert_eq!(inspect(&voids).unwrap_err().0, "broken");
}

#[test]
fn hostile_ones_are_borne() {
    let started = std::time::Instant::now();
    for name in ["tide.webm", "live.webm", "h264.mkv", "told.webm", "told-live.webm"] {
        let film = fixture(name);
        variants(&film, 6000, |bytes| {
            let _ = inspect(bytes);
        });
        variants(&film[..600], 6000, |bytes| {
            let _ = inspect(bytes);
        });
    }
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn more_colours_and_bits_than_every_browser_shows_are_refused() {
    for (name, told) in [
        ("vp9-yuv444p.webm", "VP9 of profile 1"),
        ("vp9-yuv420p10le.webm", "VP9 of profile 2"),
        ("av1-yuv444p.webm", "AV1 of profile 1"),
    ] {
        let (code, detail) = inspect(&fixture(name)).unwrap_err();
        assert!(code == "unsupported_codec" && detail.contains(told), "{name}: {detail}");
    }
    // Every decoder of AV1 takes ten bits.
    inspect(&fixture("av1-yuv420p10le.webm")).unwrap();
}

/// The film as it is served.
fn served(film: &[u8]) -> (VideoInfo, Vec<u8>) {
    super::super::video::tests::served(FileType::Webm, film)
}

#[test]
fn nothing_tells_where_or_with_what_it_was_taken() {
    let private: [&[u8]; 6] = [b"50.37", b"Ana", b"LOCATION", b"GPS", b"Lavf", b"WEBVTT"];
    for name in ["told.webm", "told-live.webm"] {
        let sent = fixture(name);
        assert!(holds(&sent, b"50.37"), "{name}");
        let (info, kept) = served(&sent);
        for part in private {
            assert!(!holds(&kept, part), "{name}: {}", String::from_utf8_lossy(part));
        }
        assert_eq!(kept.len(), sent.len(), "{name}");
        assert!(info.duration_ms.is_some_and(|lasts| (900..1100).contains(&lasts)), "{name}: {info:?}");
        assert_eq!(served(&kept), (info, kept.clone()), "{name}");
    }
    // Pictures and sound are the very same.
    let (film, kept) = (fixture("told-live.webm"), served(&fixture("told-live.webm")).1);
    let start = film.windows(4).position(|id| id == CLUSTER.to_be_bytes()).unwrap();
    assert_eq!(kept[start..], film[start..]);
}

#[test]
fn what_lies_behind_is_not_served() {
    for name in ["tide.webm", "live.webm"] {
        let film = fixture(name);
        let clean = served(&film);
        for behind in [b"\0\0Plymouth".as_slice(), b"\0"] {
            assert!(served(&[film.as_slice(), behind].concat()) == clean, "{name}");
        }
    }
    // Tags that follow a film of unknown length belong to it.
    let live = fixture("live.webm");
    let kept = served(&[live.as_slice(), b"\x12\x54\xc3\x67\x88Plymouth"].concat()).1;
    assert_eq!(kept[live.len()..], *b"\xec\x01\0\0\0\0\0\0\x04\0\0\0\0");
}
