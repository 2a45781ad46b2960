//! Fragments: films that were recorded or are streamed piece by piece tell there, and not in their index, how long they
//! last.

use super::super::array;
use super::boxes::{children, find, number};

/// A track of pictures or sound, as its fragments tell of it.
struct Track {
    id: u32,
    /// Units of a second.
    scale: u32,
    /// Of a picture or sound that doesn't say it for itself.
    usual: u32,
    /// Where its fragments begin, and where those that were seen end.
    start: Option<u64>,
    end: u64,
}

/// The tracks, by the film's index.
pub(super) struct Fragments(Vec<Track>);

impl Fragments {
    /// None if the index can't be read, or has a track of something else: it would be left in the fragments.
    pub(super) fn read(moov: &[u8]) -> Option<Self> {
        let parts = children(moov)?;
        let defaults = find(moov, &[b"mvex"]).and_then(children).unwrap_or_default();
        let usual = |id| {
            let trex = defaults.iter().find(|(kind, trex)| kind == b"trex" && number(trex, 4) == Some(id));
            trex.and_then(|(_, trex)| number(trex, 12)).unwrap_or(0)
        };
        let tracks = parts.iter().filter(|(kind, _)| kind == b"trak").map(|(_, track)| {
            let (tkhd, mdhd) = (find(track, &[b"tkhd"])?, find(track, &[b"mdia", b"mdhd"])?);
            let id = number(tkhd, if tkhd.first() == Some(&1) { 20 } else { 12 })?;
            let scale = number(mdhd, if mdhd.first() == Some(&1) { 20 } else { 12 })?;
            Some(Track { id, scale, usual: usual(id), start: None, end: 0 })
        });
        tracks.collect::<Option<_>>().map(Self)
    }

    /// Adds what a fragment says. None if it can't be read.
    pub(super) fn add(&mut self, moof: &[u8]) -> Option<()> {
        for (_, traf) in children(moof)?.iter().filter(|(kind, _)| kind == b"traf") {
            let parts = children(traf)?;
            let (_, tfhd) = parts.iter().find(|(kind, _)| kind == b"tfhd")?;
            let (flags, id) = (number(tfhd, 0)?, number(tfhd, 4)?);
            let Some(track) = self.0.iter_mut().find(|track| track.id == id) else { continue };
            let before = if flags & 1 == 0 { 8 } else { 16 } + if flags & 2 == 0 { 0 } else { 4 };
            let usual = if flags & 8 == 0 { track.usual } else { number(tfhd, before)? };
            if let Some((_, tfdt)) = parts.iter().find(|(kind, _)| kind == b"tfdt") {
                track.end = match tfdt.first()? {
                    0 => number(tfdt, 4)?.into(),
                    _ => u64::from_be_bytes(array(tfdt, 4)?),
                };
            }
            track.start.get_or_insert(track.end);
            for (_, trun) in parts.iter().filter(|(kind, _)| kind == b"trun") {
                track.end = track.end.saturating_add(lasts(trun, usual)?);
            }
        }
        Some(())
    }

    /// How long the longest lasts. `whole` where they go on from what the index has: then they count from its beginning.
    pub(super) fn milliseconds(&self, whole: bool) -> Option<u64> {
        let each = self.0.iter().filter_map(|track| {
            let start = if whole { 0 } else { track.start? };
            let exact = u128::from(track.end.saturating_sub(start)) * 1000;
            exact.checked_div(track.scale.into()).and_then(|exact| u64::try_from(exact).ok())
        });
        each.max().filter(|known| *known > 0)
    }
}

/// How long a run of pictures or sounds lasts.
fn lasts(trun: &[u8], usual: u32) -> Option<u64> {
    let (flags, count) = (number(trun, 0)?, number(trun, 4)?);
    if flags & 0x100 == 0 {
        return Some(u64::from(count) * u64::from(usual));
    }
    let has = |flag: u32| usize::from(flags & flag != 0);
    let (head, width) = (8 + 4 * (has(1) + has(4)), 4 * (has(0x100) + has(0x200) + has(0x400) + has(0x800)));
    let entries = trun.get(head..)?.chunks_exact(width).take(usize::try_from(count).ok()?);
    entries.map(|entry| number(entry, 0).map(u64::from)).sum()
}
