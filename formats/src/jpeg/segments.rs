//! The segments of a JPEG, and what is kept of them.

use super::{END, Settings};
use image::metadata::Orientation;
use std::ops::Range;

/// The most bytes of a profile that a segment holds.
const MAX_CHUNK: usize = 65_519;

/// Without a density and a thumbnail.
const JFIF: &[u8] = b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";

/// Luminance of Annex K, all 64 together.
const ANNEX_K: u32 = 3688;

/// By the frame's header: how many samples each way, and which table.
struct Component {
    across: u8,
    down: u8,
    table: u8,
}

/// A JPEG up to its end.
pub(super) struct Segments<'a> {
    bytes: &'a [u8],
    /// Tables, headers and scans.
    needed: Vec<Range<usize>>,
    has_jfif: bool,
    has_end: bool,
    scans: usize,
    components: Vec<Component>,
    /// Quantisation, by number, in the order of rows.
    tables: Vec<(u8, [u16; 64])>,
}

impl<'a> Segments<'a> {
    /// None where there is no scan.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut found = Self {
            bytes,
            needed: Vec::new(),
            has_jfif: false,
            has_end: false,
            scans: 0,
            components: Vec::new(),
            tables: Vec::new(),
        };
        let mut at = 2;
        loop {
            match bytes.get(at..).unwrap_or_default() {
                [0xff, 0xd9, ..] if found.scans > 0 => {
                    found.has_end = true;
                    break;
                }
                // Padding, and markers that stand alone.
                [0xff, 0xff, ..] => at += 1,
                [0xff, 0x01 | 0xd0..=0xd9, ..] => at += 2,
                [0xff, kind, high, low, ..] => {
                    let mut end = at + 2 + usize::from(u16::from_be_bytes([*high, *low]));
                    let Some(content) = bytes.get(at + 4..end) else { break };
                    if *kind == 0xda {
                        found.scans += 1;
                        end = scan_end(bytes, end);
                    }
                    found.visit(*kind, content, at..end);
                    at = end;
                }
                // Bytes between segments are no harm.
                [_, _, ..] => at += 1,
                [] | [_] => break,
            }
        }
        (found.scans > 0).then_some(found)
    }

    fn visit(&mut self, kind: u8, content: &[u8], place: Range<usize>) {
        match kind {
            0xe0 => self.has_jfif |= content.starts_with(b"JFIF\0"),
            // How the colours are coded.
            0xee if content.starts_with(b"Adobe") && content.len() == 12 => self.needed.push(place),
            0xe0..=0xef | 0xfe => {}
            0xc4 | 0xcc | 0xda | 0xdc | 0xdd => self.needed.push(place),
            0xdb => {
                self.read_tables(content);
                self.needed.push(place);
            }
            0xc0..=0xcf => {
                let each = content.get(6..).unwrap_or_default().as_chunks::<3>().0.iter();
                let component = |[_, sampling, table]: &[u8; 3]| Component {
                    across: sampling >> 4,
                    down: sampling & 0xf,
                    table: *table,
                };
                self.components = each.map(component).collect();
                self.needed.push(place);
            }
            // Reserved, and extensions that no browser reads.
            _ => {}
        }
    }

    fn read_tables(&mut self, mut content: &[u8]) {
        while let Some((head, rest)) = content.split_first() {
            let width = if head >> 4 == 0 { 1 } else { 2 };
            let Some((entries, rest)) = rest.split_at_checked(64 * width) else { return };
            let mut table = [1; 64];
            for (place, entry) in ZIGZAG.iter().zip(entries.chunks_exact(width)) {
                let value = entry.iter().fold(0, |number, byte| number << 8 | u16::from(*byte));
                if let Some(slot) = table.get_mut(usize::from(*place)) {
                    *slot = value.clamp(1, 255);
                }
            }
            let number = head & 0xf;
            self.tables.retain(|(known, _)| *known != number);
            self.tables.push((number, table));
            content = rest;
        }
    }

    pub(super) fn has_end(&self) -> bool {
        self.has_end
    }

    /// How often its pixels are gone over: a second time for the other colours, or to be finer.
    pub(super) fn scans(&self) -> usize {
        self.scans
    }

    pub(super) fn components(&self) -> usize {
        self.components.len()
    }

    /// The picture without what isn't seen, bit by bit as it was.
    pub(super) fn kept(&self, profile: Option<&[u8]>) -> Vec<u8> {
        let mut kept = vec![0xff, 0xd8];
        if self.has_jfif {
            kept.extend(JFIF);
        }
        let chunks = profile.unwrap_or_default().chunks(MAX_CHUNK);
        let count = u8::try_from(chunks.len()).unwrap_or(u8::MAX);
        for (number, chunk) in (1..=count).zip(chunks) {
            let length = u16::try_from(chunk.len() + 16).unwrap_or(u16::MAX);
            kept.extend([0xff, 0xe2]);
            kept.extend(length.to_be_bytes());
            kept.extend(b"ICC_PROFILE\0");
            kept.extend([number, count]);
            kept.extend(chunk);
        }
        for place in &self.needed {
            kept.extend(self.bytes.get(place.clone()).unwrap_or_default());
        }
        kept.extend(END);
        kept
    }

    /// How to encode the picture once it is turned so, to look and weigh the same.
    pub(super) fn settings(&self, turned: Orientation) -> Settings {
        let table = |component: usize| {
            let number = self.components.get(component).map(|component| component.table);
            self.tables.iter().find(|(known, _)| Some(*known) == number).map(|(_, table)| *table)
        };
        let luminance = table(0).unwrap_or([16; 64]);
        let mut tables = [luminance, table(1).unwrap_or(luminance)];
        let ratio = |of: fn(&Component) -> u8| match (self.components.first(), self.components.get(1)) {
            (Some(first), Some(second)) => of(first).checked_div(of(second)).unwrap_or(1),
            _ => 1,
        };
        let mut sampling = (ratio(|component| component.across), ratio(|component| component.down));
        if !matches!(
            turned,
            Orientation::NoTransforms
                | Orientation::Rotate180
                | Orientation::FlipHorizontal
                | Orientation::FlipVertical
        ) {
            sampling = (sampling.1, sampling.0);
            tables = tables.map(|table| std::array::from_fn(|n| table.get(n % 8 * 8 + n / 8).copied().unwrap_or(16)));
        }
        let sum: u32 = luminance.iter().map(|entry| u32::from(*entry)).sum();
        // The inverse of what the IJG's encoder makes of a quality.
        let scale = sum * 100 / ANNEX_K;
        let quality = if scale <= 100 { 100 - scale / 2 } else { 5000 / scale };
        Settings::new(tables, sampling, u8::try_from(quality).unwrap_or(1).clamp(1, 100))
    }
}

/// Where a scan's data end: before a marker that is none of its own.
fn scan_end(bytes: &[u8], start: usize) -> usize {
    let data = bytes.get(start..).unwrap_or_default();
    let end = data.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff));
    end.map_or(bytes.len(), |end| start + end)
}

/// Where an entry of a table stands in its rows: T.81, figure A.6.
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];
