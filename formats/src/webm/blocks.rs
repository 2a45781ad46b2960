//! Blocks: pictures and sounds, each with its track and its time.

use super::super::Refusal;
use super::super::redaction::Redaction;
use super::super::video::{Failure, File};
use super::codecs::check_vp9;
use super::elements::{Element, number, places_of_head};
use super::{milliseconds, redact};
use matroska_demuxer::{TrackEntry, TrackType};
use std::io::{Read, Seek};

const TIMESTAMP: u32 = 0xe7;
const BLOCK: u32 = 0xa1;
const SIMPLE_BLOCK: u32 = 0xa3;
const BLOCK_GROUP: u32 = 0xa0;
const POSITION: u32 = 0xa7;
const PREVIOUS_SIZE: u32 = 0xab;

/// What is to be learned from the blocks, and what is known by now.
pub(super) struct Blocks {
    /// Tracks that are not served.
    hidden: Vec<u64>,
    /// Tracks of VP9 of which no picture was seen yet.
    vp9: Vec<u64>,
    /// Nothing else says how long the film lasts.
    times: bool,
    /// Nanoseconds.
    unit: u64,
    cluster: u64,
    last: u64,
}

impl Blocks {
    pub(super) fn new(tracks: &[TrackEntry], unit: u64, times: bool) -> Self {
        let numbers = |is: &dyn Fn(&TrackEntry) -> bool| -> Vec<u64> {
            tracks.iter().filter(|track| is(track)).map(|track| track.track_number().get()).collect()
        };
        let hidden = numbers(&|track| !matches!(track.track_type(), TrackType::Video | TrackType::Audio));
        let vp9 = numbers(&|track| track.codec_id().trim_end_matches('\0') == "V_VP9");
        Self { hidden, vp9, times, unit, cluster: 0, last: 0 }
    }

    /// Whether they are to be looked at.
    pub(super) fn are_wanted(&self) -> bool {
        self.times || !self.hidden.is_empty() || !self.vp9.is_empty()
    }

    /// When the last of them is shown.
    pub(super) fn milliseconds(&self) -> Option<u64> {
        let units = u32::try_from(self.last).ok()?;
        milliseconds(units.into(), self.unit)
    }

    /// Looks at what is within a cluster. False for what is not.
    pub(super) fn visit<R: Read + Seek>(
        &mut self,
        file: &mut File<R>,
        element: &Element,
        at: u64,
        out: &mut Redaction,
    ) -> Result<bool, Failure> {
        match element.id {
            TIMESTAMP => {
                let length = usize::try_from(element.length.unwrap_or(0)).unwrap_or(0).min(8);
                let digits = file.up_to(element.start, length)?;
                self.cluster = digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit));
            }
            SIMPLE_BLOCK | BLOCK_GROUP => {
                let length = usize::try_from(element.length.unwrap_or(0)).unwrap_or(0).min(64);
                let head = file.up_to(element.start, length)?;
                let block = if element.id == SIMPLE_BLOCK { Some(head.as_slice()) } else { block_of(&head) };
                if let Some(track) = block.and_then(|block| self.look_at(block).transpose()).transpose()?
                    && self.hidden.contains(&track)
                {
                    redact::void(element.id, at, element.end().unwrap_or(at), None, out);
                }
            }
            POSITION | PREVIOUS_SIZE => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Learns from a block, and answers whose it is.
    fn look_at(&mut self, block: &[u8]) -> Result<Option<u64>, Refusal> {
        let Some((width, coded)) = number(block) else { return Ok(None) };
        // Without the mark of its width.
        let track = coded & !(1_u64 << (7 * width));
        let Some([high, low, _, picture, ..]) = block.get(width..) else { return Ok(Some(track)) };
        if let Some(found) = self.vp9.iter().position(|number| *number == track) {
            self.vp9.remove(found);
            check_vp9(*picture)?;
        }
        let time = self.cluster.saturating_add_signed(i16::from_be_bytes([*high, *low]).into());
        if !self.hidden.contains(&track) {
            self.last = self.last.max(time);
        }
        Ok(Some(track))
    }
}

/// The block of a group, if its first bytes have it.
fn block_of(head: &[u8]) -> Option<&[u8]> {
    places_of_head(head).into_iter().find(|place| place.id == BLOCK).and_then(|place| head.get(place.content.start..))
}
