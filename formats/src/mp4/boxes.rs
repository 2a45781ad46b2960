//! Boxes, of which an MP4 is made.

use super::super::array;
use std::ops::Range;

/// Within one box. Those looked into have a dozen.
const MAX_CHILDREN: usize = 1024;

pub(super) type Kind = [u8; 4];

/// A box's header.
pub(super) struct Header {
    pub(super) kind: Kind,
    /// Its own length.
    pub(super) start: u64,
    /// The whole box's.
    pub(super) length: u64,
}

impl Header {
    /// None where the bytes end.
    pub(super) fn read(head: &[u8], left: u64) -> Option<Self> {
        let kind = array(head, 4)?;
        Some(match number(head, 0)? {
            0 => Self { kind, start: 8, length: left },
            1 => Self { kind, start: 16, length: u64::from_be_bytes(array(head, 8)?) },
            length => Self { kind, start: 8, length: length.into() },
        })
    }
}

/// Where a box is within the one that holds it.
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) at: usize,
    pub(super) content: Range<usize>,
}

/// The boxes in a box. None if one doesn't fit.
pub(super) fn places(bytes: &[u8]) -> Option<Vec<Place>> {
    let (mut at, mut found) = (0, Vec::new());
    // QuickTime ends some with four bytes of nought.
    while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= 8) {
        let Header { kind, start, length } = Header::read(rest, rest.len() as u64)?;
        let (start, length) = (usize::try_from(start).ok()?, usize::try_from(length).ok()?);
        if length < start || length > rest.len() || found.len() >= MAX_CHILDREN {
            return None;
        }
        found.push(Place { kind, at, content: at + start..at + length });
        at += length;
    }
    Some(found)
}

pub(super) type Child<'a> = (Kind, &'a [u8]);

/// The same, with what they hold.
pub(super) fn children(bytes: &[u8]) -> Option<Vec<Child<'_>>> {
    places(bytes)?.into_iter().map(|place| Some((place.kind, bytes.get(place.content)?))).collect()
}

/// The first of a kind on a path.
pub(super) fn find<'a>(bytes: &'a [u8], path: &[&Kind]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, wanted| {
        children(bytes)?.into_iter().find(|(kind, _)| kind == *wanted).map(|(_, body)| body)
    })
}

/// A number of 32 bits.
pub(super) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}
