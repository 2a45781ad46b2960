//! Elements, of which a WebM is made.

use super::super::video::{Failure, File};
use super::super::{broken, truncated};
use std::io::{Read, Seek};
use std::ops::Range;

pub(super) const EBML: u32 = 0x1a45_dfa3;
pub(super) const SEGMENT: u32 = 0x1853_8067;
pub(super) const SEEK_HEAD: u32 = 0x114d_9b74;
pub(super) const INFO: u32 = 0x1549_a966;
pub(super) const TRACKS: u32 = 0x1654_ae6b;
pub(super) const CLUSTER: u32 = 0x1f43_b675;
pub(super) const CUES: u32 = 0x1c53_bb6b;
pub(super) const VOID: u32 = 0xec;

/// Of a header, of what is said of the whole, and of the tracks: a Vorbis track's tables have some 4 kB, and nothing else
/// comes near.
const MAX_PART: u64 = 256 << 10;

/// The header of an element.
pub(super) struct Element {
    pub(super) id: u32,
    pub(super) start: u64,
    pub(super) length: Option<u64>,
}

impl Element {
    pub(super) fn read<R: Read + Seek>(file: &mut File<R>, at: u64) -> Result<Self, Failure> {
        // Four bytes at most for what it is, eight for its length.
        let bytes = file.up_to(at, 12)?;
        let (id, head, length) = header(&bytes).ok_or_else(truncated)?;
        let start = at.checked_add(head as u64).ok_or_else(|| broken("a part of it can't be read"))?;
        Ok(Self { id, start, length })
    }

    pub(super) fn end(&self) -> Option<u64> {
        self.start.checked_add(self.length?)
    }

    /// What it holds.
    pub(super) fn content<R: Read + Seek>(&self, file: &mut File<R>) -> Result<Vec<u8>, Failure> {
        let length = self.length.ok_or_else(|| broken("a part of it has no length"))?;
        if length > MAX_PART && self.end().is_some_and(|end| end <= file.size) {
            return Err(broken("a part of it is too large").into());
        }
        file.exactly(self.start, usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// The whole of it, its length written in one way that all read alike.
    pub(super) fn copied<R: Read + Seek>(&self, file: &mut File<R>) -> Result<Vec<u8>, Failure> {
        let content = self.content(file)?;
        let length = content.len() as u64;
        Ok([self.id.to_be_bytes().as_slice(), &(length | 1 << 56).to_be_bytes(), content.as_slice()].concat())
    }
}

/// A number that tells its own width by its leading noughts, with the mark that does so.
pub(super) fn number(bytes: &[u8]) -> Option<(usize, u64)> {
    let width = usize::try_from(bytes.first()?.leading_zeros()).ok()? + 1;
    let digits = bytes.get(..width).filter(|_| width <= 8)?;
    Some((width, digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit))))
}

/// What begins here, the length of its header, and that of its content: None until another begins. Nothing where the
/// bytes end, or what they say is none.
fn header(bytes: &[u8]) -> Option<(u32, usize, Option<u64>)> {
    let (id_width, id) = number(bytes)?;
    let (width, length) = number(bytes.get(id_width..)?)?;
    let most = (1_u64 << (7 * u32::try_from(width).ok()?)) - 1;
    let digits = length & most;
    Some((u32::try_from(id).ok()?, id_width + width, (digits != most).then_some(digits)))
}

/// Where an element is within the one that holds it.
pub(super) struct Place {
    pub(super) id: u32,
    pub(super) at: usize,
    pub(super) content: Range<usize>,
}

/// The elements in an element. None if one doesn't fit.
pub(super) fn places(bytes: &[u8]) -> Option<Vec<Place>> {
    let (mut at, mut found) = (0, Vec::new());
    while at < bytes.len() {
        let place = place(bytes, at).filter(|place| place.content.end <= bytes.len())?;
        at = place.content.end;
        found.push(place);
    }
    Some(found)
}

/// The elements that begin in the first bytes of an element.
pub(super) fn places_of_head(bytes: &[u8]) -> Vec<Place> {
    let next = |last: &Place| place(bytes, last.content.end);
    std::iter::successors(place(bytes, 0), next).collect()
}

fn place(bytes: &[u8], at: usize) -> Option<Place> {
    let (id, head, length) = header(bytes.get(at..)?)?;
    let start = at + head;
    Some(Place { id, at, content: start..start.checked_add(usize::try_from(length?).ok()?)? })
}
