//! What is served of a video: the file as it came, with what else it tells overwritten. No byte moves, for players look
//! pictures up by their place.

use std::ops::Range;

/// The bytes of a file that are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// How many of its first bytes; what follows them is no part of the video.
    length: u64,
    /// In the order of their places, and apart from each other once it is finished.
    blanks: Vec<Blank>,
}

/// Some bytes that are overwritten: by `head`, and by zeros after it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Blank {
    at: u64,
    length: u64,
    head: Vec<u8>,
}

impl Blank {
    fn end(&self) -> u64 {
        self.at.saturating_add(self.length)
    }
}

impl Redaction {
    /// How many bytes are served.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether a file of a size is served as it came.
    pub fn is_nothing(&self, size: u64) -> bool {
        self.length == size && self.blanks.is_empty()
    }

    /// Whether a byte within a range is overwritten.
    pub fn touches(&self, range: &Range<u64>) -> bool {
        let next = self.blanks.partition_point(|blank| blank.end() <= range.start);
        self.blanks.get(next).is_some_and(|blank| blank.at < range.end)
    }

    /// Overwrites what is to be overwritten of the bytes that begin at a place.
    pub fn apply(&self, at: u64, bytes: &mut [u8]) {
        let end = at.saturating_add(bytes.len() as u64);
        let next = self.blanks.partition_point(|blank| blank.end() <= at);
        for blank in self.blanks.iter().skip(next).take_while(|blank| blank.at < end) {
            for place in blank.at.max(at)..blank.end().min(end) {
                let offset = |from: u64| usize::try_from(place - from).ok();
                let new = offset(blank.at).and_then(|n| blank.head.get(n)).copied().unwrap_or(0);
                if let Some(byte) = offset(at).and_then(|n| bytes.get_mut(n)) {
                    *byte = new;
                }
            }
        }
    }

    /// Writes other bytes at a place.
    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) {
        self.blanks.push(Blank { at, length: bytes.len() as u64, head: bytes.to_vec() });
    }

    /// Writes zeros at a place.
    pub(super) fn zero(&mut self, at: u64, length: u64) {
        if length > 0 {
            self.blanks.push(Blank { at, length, head: Vec::new() });
        }
    }

    /// Writes zeros over bytes that are known, where they are anything else.
    pub(super) fn zero_known(&mut self, at: u64, bytes: &[u8]) {
        if bytes.iter().any(|byte| *byte != 0) {
            self.zero(at, bytes.len() as u64);
        }
    }

    /// Once all that is to be overwritten is known.
    pub(super) fn finish(mut self, length: u64) -> Self {
        self.length = length;
        self.blanks.sort_by_key(|blank| blank.at);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_part_of_a_file_is_overwritten_alike() {
        let mut redaction = Redaction::default();
        redaction.zero(20, 5);
        redaction.write(4, b"free");
        redaction.zero(8, 4);
        let redaction = redaction.finish(30);
        let whole = {
            let mut bytes = vec![b'x'; 30];
            redaction.apply(0, &mut bytes);
            bytes
        };
        assert_eq!(whole, b"xxxxfree\0\0\0\0xxxxxxxx\0\0\0\0\0xxxxx");
        for start in 0..30_u8 {
            for end in start + 1..=30 {
                let range = usize::from(start)..usize::from(end);
                let mut bytes = vec![b'x'; range.len()];
                redaction.apply(start.into(), &mut bytes);
                assert_eq!(bytes, whole[range.clone()], "{range:?}");
                let touched = bytes.iter().any(|byte| *byte != b'x');
                assert_eq!(redaction.touches(&(start.into()..end.into())), touched, "{range:?}");
            }
        }
        assert!(!redaction.is_nothing(30) && Redaction::default().finish(30).is_nothing(30));
        assert!(!Redaction::default().finish(30).is_nothing(31));
    }
}
