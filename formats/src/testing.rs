//! What the tests share: files, and hostile variants of them.

use super::array;

/// A file made by the commands in `fixtures/README.md`.
pub(super) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

pub(super) fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A parser is run over variants of a file: cut off, with bytes changed, and with lengths put to extremes. The same ones
/// at each run.
pub(super) fn variants(file: &[u8], count: u32, mut parse: impl FnMut(&[u8])) {
    let mut state: u64 = 0x5045_5243_4821;
    // xorshift64, Marsaglia 2003.
    let mut dice = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    for _ in 0..count {
        let mut bytes = file.to_vec();
        // Most of what is parsed stands in a file's first bytes.
        let reach = if dice(2) == 0 { bytes.len() } else { bytes.len().min(1024) };
        for _ in 0..=dice(4) {
            let at = dice(reach);
            match dice(6) {
                0 => bytes[at] = 0,
                1 => bytes[at] = 0xff,
                2 => bytes[at] ^= 1 << dice(8),
                3 => bytes[at] = dice(256).to_le_bytes()[0],
                4 if array::<4>(&bytes, at).is_some() => {
                    let extremes = [0, 1, 7, 8, 0x7fff_ffff, 0x8000_0000, u32::MAX - 7, u32::MAX];
                    bytes[at..at + 4].copy_from_slice(&extremes[dice(8)].to_be_bytes());
                }
                _ => {
                    let from = dice(bytes.len());
                    let part = bytes[from..bytes.len().min(from + dice(64))].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
        if dice(5) == 0 {
            bytes.truncate(dice(bytes.len()));
        }
        parse(&bytes);
    }
}
