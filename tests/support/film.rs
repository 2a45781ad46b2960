//! A small film made large: its pictures lie as far apart in the file as a large film's do, so that a player that seeks
//! must ask for another part of it.

use std::ops::Range;

/// Boxes that hold boxes, down to the tables of where each chunk of pictures or sound begins (ISO 14496-12).
const CONTAINERS: [&[u8]; 5] = [b"moov", b"trak", b"mdia", b"minf", b"stbl"];

/// A box's type, and where its content lies.
type Found = ([u8; 4], Range<usize>);

/// The film with its chunks spread evenly over a file of `size` bytes.
pub(crate) fn spread(film: &[u8], size: usize) -> Vec<u8> {
    let boxes = boxes(film, 0..film.len());
    let (_, media) = boxes.iter().find(|(kind, _)| kind == b"mdat").expect("media data").clone();
    let tables: Vec<_> = boxes.iter().filter_map(|(kind, content)| entries(film, kind, content)).flatten().collect();
    let mut chunks: Vec<_> = tables.iter().map(|entry| number(film, entry)).collect();
    chunks.sort_unstable();
    let gap = (size - film.len()) / chunks.len();
    let mut large = film[..media.start].to_vec();
    let mut moved = Vec::new();
    for (n, from) in chunks.iter().enumerate() {
        moved.push(large.len());
        large.extend_from_slice(&film[*from..chunks.get(n + 1).copied().unwrap_or(media.end)]);
        large.resize(large.len() + gap, 0);
    }
    large.resize(size - (film.len() - media.end), 0);
    let length = u32::try_from(large.len() - media.start + 8).expect("32 bits");
    large[media.start - 8..media.start - 4].copy_from_slice(&length.to_be_bytes());
    let grown = size - film.len();
    large.extend_from_slice(&film[media.end..]);
    for entry in tables {
        let to = moved[chunks.binary_search(&number(film, &entry)).expect("a chunk")];
        let shift = if entry.start > media.end { grown } else { 0 };
        let bytes = (to as u64).to_be_bytes();
        large[entry.start + shift..entry.end + shift].copy_from_slice(&bytes[8 - entry.len()..]);
    }
    large
}

/// A film's pictures and sound.
pub(crate) fn media_of(film: &[u8]) -> Vec<u8> {
    let found = boxes(film, 0..film.len()).into_iter().filter(|(kind, _)| kind == b"mdat");
    found.flat_map(|(_, content)| film[content].to_vec()).collect()
}

fn boxes(film: &[u8], within: Range<usize>) -> Vec<Found> {
    let (mut at, mut found) = (within.start, Vec::new());
    while at < within.end {
        let kind: [u8; 4] = film[at + 4..at + 8].try_into().expect("four bytes");
        let length = number(film, &(at..at + 4));
        assert!(length >= 8, "a length of 32 bits");
        let content = at + 8..at + length;
        if CONTAINERS.contains(&kind.as_slice()) {
            found.extend(boxes(film, content.clone()));
        }
        found.push((kind, content));
        at += length;
    }
    found
}

/// Where a table of chunks has its entries.
fn entries(film: &[u8], kind: &[u8; 4], content: &Range<usize>) -> Option<Vec<Range<usize>>> {
    let width = match kind {
        b"stco" => 4,
        b"co64" => 8,
        _ => return None,
    };
    let (count, first) = (number(film, &(content.start + 4..content.start + 8)), content.start + 8);
    Some((0..count).map(|n| first + n * width..first + (n + 1) * width).collect())
}

fn number(film: &[u8], at: &Range<usize>) -> usize {
    film[at.clone()].iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

#[test]
fn a_films_middle_lies_in_the_middle_of_its_file() {
    const SIZE: usize = 1_000_000;
    let film = include_bytes!("../../formats/fixtures/tide.mp4");
    let large = spread(film, SIZE);
    assert_eq!(large.len(), SIZE);
    let chunks = |film: &[u8]| -> Vec<usize> {
        let boxes = boxes(film, 0..film.len());
        let entries = boxes.iter().filter_map(|(kind, content)| entries(film, kind, content)).flatten();
        entries.map(|entry| number(film, &entry)).collect()
    };
    let (old, new) = (chunks(film), chunks(&large));
    // Pictures in the first half, sound in the second.
    assert!(old.len() > 100 && old.len() == new.len(), "{}", old.len());
    let middle = new[new.len() / 4];
    assert!((SIZE * 4 / 10..SIZE * 6 / 10).contains(&middle), "{middle}");
    for (from, to) in old.iter().zip(&new) {
        let length = old.iter().filter(|next| *next > from).min().unwrap_or(&film.len()) - from;
        assert_eq!(film[*from..from + length], large[*to..to + length]);
    }
    assert_eq!(boxes(&large, 0..SIZE).len(), boxes(film, 0..film.len()).len());
}
