//! PNGs ([third edition](https://www.w3.org/TR/png-3/)): one that lies upright keeps its chunks of pixels and colours, bit
//! by bit, and no others.

use super::array;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use std::io::Write;

const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

const KEPT: [&[u8; 4]; 8] = [b"IHDR", b"PLTE", b"tRNS", b"cHRM", b"gAMA", b"sRGB", b"cICP", b"IDAT"];

/// The picture without what isn't seen. None where its chunks don't lead to its end.
pub(super) fn kept(bytes: &[u8], profile: Option<&[u8]>) -> Option<Vec<u8>> {
    let (mut at, mut kept) = (SIGNATURE.len(), SIGNATURE.to_vec());
    loop {
        let length = usize::try_from(u32::from_be_bytes(array(bytes, at)?)).ok()?;
        let kind: [u8; 4] = array(bytes, at + 4)?;
        let content = bytes.get(at + 8..)?.get(..length)?;
        match &kind {
            b"IEND" => break,
            b"iCCP" => {
                if let Some(profile) = profile {
                    push(&mut kept, b"iCCP", &compressed(profile)?)?;
                }
            }
            kind if KEPT.contains(&kind) => push(&mut kept, kind, content)?,
            _ => {}
        }
        at += length + 12;
    }
    push(&mut kept, b"IEND", &[])?;
    Some(kept)
}

fn push(to: &mut Vec<u8>, kind: &[u8; 4], content: &[u8]) -> Option<()> {
    let mut checksum = Crc::new();
    checksum.update(kind);
    checksum.update(content);
    to.extend(u32::try_from(content.len()).ok()?.to_be_bytes());
    to.extend(kind);
    to.extend(content);
    to.extend(checksum.sum().to_be_bytes());
    Some(())
}

/// A profile as a chunk has it: a name, which must be there, and how it is packed come first.
fn compressed(profile: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(b"ICC\0\0".to_vec(), Compression::default());
    encoder.write_all(profile).ok()?;
    encoder.finish().ok()
}
