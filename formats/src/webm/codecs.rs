//! Which codecs are taken: what browsers play.

use super::super::Refusal;
use super::super::video::{printable, unsupported};
use matroska_demuxer::{TrackEntry, TrackType};

const TAKEN: &str = "a WebM may have VP8, VP9 or AV1, and Vorbis or Opus";

pub(super) fn check_codec(track: &TrackEntry) -> Result<(), Refusal> {
    let codec = track.codec_id().trim_end_matches('\0');
    let taken = match track.track_type() {
        TrackType::Video => matches!(codec, "V_VP8" | "V_VP9" | "V_AV1"),
        TrackType::Audio => matches!(codec, "A_VORBIS" | "A_OPUS"),
        // Subtitles and the like: browsers leave them alone, and they are not served.
        _ => return Ok(()),
    };
    if !taken {
        return Err(unsupported(&printable(codec.as_bytes()), TAKEN));
    }
    if track.content_encodings().is_some_and(|encodings| !encodings.is_empty()) {
        return Err(unsupported(&format!("{codec} (encrypted or compressed again)"), TAKEN));
    }
    // The first bits of an AV1's configuration: Main, High or Professional.
    match track.codec_private().and_then(|configuration| configuration.get(1)).map(|byte| byte >> 5) {
        Some(profile @ 1..) if codec == "V_AV1" => Err(of_profile("AV1", profile)),
        _ => Ok(()),
    }
}

/// A profile beside the first has more bits or colours than every decoder takes.
fn of_profile(codec: &str, profile: u8) -> Refusal {
    unsupported(&format!("{codec} of profile {profile}"), "send it in 4:2:0, of profile 0")
}

/// Whether browsers all play a VP9, by the header of its first picture: profile 0 has 4:2:0 with 8 bits.
pub(super) fn check_vp9(picture: u8) -> Result<(), Refusal> {
    match picture >> 4 & 0b11 {
        0 => Ok(()),
        // The lower bit comes first.
        bits => Err(of_profile("VP9", (bits & 1) << 1 | bits >> 1)),
    }
}
