//! Videos: looked at, and what they tell beside pictures and sound is overwritten. What browsers don't play is refused.

use super::redaction::Redaction;
use super::{FileType, Kind, Refusal, mp4, truncated, webm};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoInfo {
    /// As it is shown: a film that is turned is measured turned.
    pub width: u32,
    pub height: u32,
    /// None where the file doesn't say: what was recorded live may not.
    pub duration_ms: Option<u64>,
}

/// Why a video is not known. Only the first is about the video.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{}", .0.1)]
    Refused(Refusal),
    #[error(transparent)]
    Unread(#[from] io::Error),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Checks a video that is said to be of a type, and tells what of it is to be served. `size` is the whole file's. It reads forward, a few dozen bytes at a time
/// and the index whole: a reader over a network should read ahead 64 kB or so.
///
/// # Errors
/// Refused as `wrong_type`, `unsupported_type`, `unsupported_codec`, `truncated` or `broken`; unread when the reader fails.
pub fn inspect(declared: FileType, mut reader: impl Read + Seek, size: u64) -> Result<(VideoInfo, Redaction), Failure> {
    if declared.kind() != Kind::Video {
        return Err(Failure::Refused(("wrong_type", format!("{} is not a video's type.", declared.content_type()))));
    }
    let mut file = File { reader: &mut reader, size };
    let head = file.up_to(0, FileType::HEAD)?;
    declared.check(&head)?;
    if declared == FileType::Mp4 { mp4::inspect(&mut file) } else { webm::inspect(&mut file) }
}

/// The file, read at places.
pub(super) struct File<R> {
    reader: R,
    pub(super) size: u64,
}

impl<R: Read + Seek> File<R> {
    /// Bytes that must be there.
    pub(super) fn exactly(&mut self, at: u64, length: usize) -> Result<Vec<u8>, Failure> {
        let end = u64::try_from(length).ok().and_then(|length| at.checked_add(length));
        if end.is_none_or(|end| end > self.size) {
            return Err(truncated().into());
        }
        self.reader.seek(SeekFrom::Start(at))?;
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => truncated().into(),
            _ => Failure::Unread(error),
        })?;
        Ok(bytes)
    }

    /// Bytes, fewer where the file ends.
    pub(super) fn up_to(&mut self, at: u64, length: usize) -> Result<Vec<u8>, Failure> {
        let left = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX);
        self.exactly(at, length.min(left))
    }
}

pub(super) fn unsupported(codec: &str, taken: &str) -> Refusal {
    ("unsupported_codec", format!("It has {codec}, which browsers don't all play; {taken}."))
}

/// Names from a file, fit to be shown.
pub(super) fn printable(name: &[u8]) -> String {
    let shown = name.iter().take(32).map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' });
    shown.collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::testing::fixture;
    use super::*;
    use std::io::Cursor;

    pub(in super::super) fn inspected(file_type: FileType, bytes: &[u8]) -> Result<VideoInfo, Refusal> {
        let size = u64::try_from(bytes.len()).unwrap();
        inspect(file_type, Cursor::new(bytes), size).map(|(info, _)| info).map_err(|failure| match failure {
            Failure::Refused(refusal) => refusal,
            Failure::Unread(error) => ("unread", error.to_string()),
        })
    }

    /// What is known of a video that is taken, and the video as it is served, however it is cut into parts.
    pub(in super::super) fn served(file_type: FileType, bytes: &[u8]) -> (VideoInfo, Vec<u8>) {
        let size = u64::try_from(bytes.len()).unwrap();
        let (info, redaction) = inspect(file_type, Cursor::new(bytes), size).unwrap();
        let mut kept = bytes[..usize::try_from(redaction.length()).unwrap()].to_vec();
        let mut in_parts = kept.clone();
        redaction.apply(0, &mut kept);
        let mut at = 0;
        for part in in_parts.chunks_mut(777) {
            redaction.apply(at, part);
            at += part.len() as u64;
        }
        assert!(in_parts == kept);
        (info, kept)
    }

    /// Counts reads and what they read, and fails from one on.
    struct Watched {
        file: Cursor<Vec<u8>>,
        reads: Vec<(u64, usize)>,
        fail_at: usize,
    }

    impl Read for Watched {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.reads.len() >= self.fail_at {
                return Err(io::Error::new(ErrorKind::TimedOut, "slow"));
            }
            self.reads.push((self.file.position(), buffer.len()));
            self.file.read(buffer)
        }
    }

    impl Seek for Watched {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.file.seek(to)
        }
    }

    #[test]
    fn little_is_read_and_forward() {
        for (file_type, name, most) in
            [(FileType::Mp4, "tide.mp4", 8), (FileType::Mp4, "tide-last.mp4", 8), (FileType::Webm, "tide.webm", 25)]
        {
            let file = fixture(name);
            let size = u64::try_from(file.len()).unwrap();
            let mut reader = Watched { file: Cursor::new(file), reads: Vec::new(), fail_at: usize::MAX };
            inspect(file_type, &mut reader, size).unwrap();
            let places: Vec<_> = reader.reads[1..].iter().map(|(at, _)| *at).collect();
            assert!(places.len() <= most && places.is_sorted(), "{name}: {:?}", reader.reads);
            let read: usize = reader.reads.iter().map(|(_, length)| length).sum();
            assert!(read < 8192, "{name}: {read}");
        }
    }

    #[test]
    fn a_reader_that_fails_refuses_nothing() {
        for fail_at in 0..4 {
            let file = fixture("tide.mp4");
            let size = u64::try_from(file.len()).unwrap();
            let reader = Watched { file: Cursor::new(file), reads: Vec::new(), fail_at };
            assert!(matches!(inspect(FileType::Mp4, reader, size), Err(Failure::Unread(_))));
        }
        // A file that is shorter than it is said to be.
        let file = fixture("tide.mp4");
        let size = u64::try_from(file.len()).unwrap() + 100;
        let refused = inspect(FileType::Mp4, Cursor::new(file), size).unwrap_err();
        assert!(matches!(refused, Failure::Refused(("truncated", _))), "{refused}");
    }

    #[test]
    fn a_picture_is_no_video() {
        assert_eq!(inspected(FileType::Png, &fixture("drawing.png")).unwrap_err().0, "wrong_type");
        assert_eq!(inspected(FileType::Mp4, &fixture("tide.webm")).unwrap_err().0, "wrong_type");
        assert_eq!(inspected(FileType::Mp4, &fixture("film.mov")).unwrap_err().0, "unsupported_type");
        assert_eq!(inspected(FileType::Mp4, b"").unwrap_err().0, "unsupported_type");
    }
}
