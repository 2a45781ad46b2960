//! Files to upload, and what becomes of them.

use super::{Client, Response, TestApp};
use http::Method;
use image::{ImageFormat, RgbImage};
use serde_json::Value;
use std::io::Cursor;

/// Width and height of [`photo`], as it lies.
pub(crate) const PHOTO: (u32, u32) = (1_600, 1_200);

/// A photo that tells where it was taken, lying on its side: its upper half, once it stands, is blue, its lower red.
pub(crate) fn photo() -> Vec<u8> {
    let (width, height) = PHOTO;
    let color = |x, _| if x < width / 2 { image::Rgb([0, 0, 255]) } else { image::Rgb([255, 0, 0]) };
    let bytes = encoded(&RgbImage::from_fn(width, height, color), ImageFormat::Jpeg);
    // Right after the two bytes that begin a JPEG.
    [&bytes[..2], told(include_bytes!("../../formats/fixtures/photo.jpg")), &bytes[2..]].concat()
}

/// The segment with a photo's EXIF.
fn told(photo: &[u8]) -> &[u8] {
    let at = photo.windows(2).position(|two| two == [0xff, 0xe1]).expect("EXIF");
    let length = usize::from(u16::from_be_bytes([photo[at + 2], photo[at + 3]]));
    &photo[at..at + 2 + length]
}

/// Six seconds of H.264.
pub(crate) fn film() -> Vec<u8> {
    include_bytes!("../../formats/fixtures/tide.mp4").to_vec()
}

/// A file made by the commands in `formats/fixtures/README.md`.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../formats/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).expect("a fixture")
}

/// A film that browsers don't play.
pub(crate) fn hevc() -> Vec<u8> {
    include_bytes!("../../formats/fixtures/hevc.mp4").to_vec()
}

pub(crate) fn png() -> Vec<u8> {
    encoded(&RgbImage::new(8, 8), ImageFormat::Png)
}

/// A picture that can't be made smaller.
pub(crate) fn noise(width: u32, height: u32) -> Vec<u8> {
    let mut dice = fastrand::Rng::with_seed(7);
    let noise = RgbImage::from_fn(width, height, |_, _| image::Rgb([dice.u8(..), dice.u8(..), dice.u8(..)]));
    encoded(&noise, ImageFormat::Png)
}

fn encoded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("it is encoded");
    bytes.into_inner()
}

/// A small PNG that says to be of a size.
pub(crate) fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = png();
    // The header's chunk: length, name, width, height, …, checksum.
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// The checksum of PNG chunks (RFC 2083, 15).
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

/// Whether a file holds EXIF anywhere.
pub(crate) fn has_exif(bytes: &[u8]) -> bool {
    bytes.windows(6).any(|window| window == b"Exif\0\0")
}

/// A form's content type and body.
pub(crate) fn form(texts: &[(&str, &str)], files: &[(&str, &str, Vec<u8>)]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, text) in texts {
        body.extend(format!("--xYzZy\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n").bytes());
    }
    for (name, kind, bytes) in files {
        let head = format!("name=\"{name}\"; filename=\"{name}\"\r\nContent-Type: {kind}");
        body.extend(format!("--xYzZy\r\nContent-Disposition: form-data; {head}\r\n\r\n").bytes());
        body.extend(bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--xYzZy--\r\n");
    ("multipart/form-data; boundary=xYzZy".to_owned(), body)
}

/// Uploads a file, and answers its id.
pub(crate) async fn upload(user: &Client, kind: &str, bytes: Vec<u8>) -> String {
    let media = user.post("/media", None).body(kind, bytes).await.expect(201).json();
    media["id"].as_str().expect("an id").to_owned()
}

/// Reads a file by the address that was told, as a browser does.
pub(crate) async fn read(app: &TestApp, url: &str) -> Response {
    let answer = app.anon().get(url).await.expect(307);
    app.anon().get(answer.header("location")).await.expect(200)
}

/// Sends bytes to where an answer says, and answers the status.
pub(crate) async fn send(app: &TestApp, upload: &Value, bytes: Vec<u8>) -> u16 {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let method: Method = text(&upload["method"]).parse().expect("a method");
    let headers = upload["headers"].as_object().expect("headers");
    let mut call = app.anon().call(method, &text(&upload["url"])).body(&text(&headers["content-type"]), bytes);
    for (name, value) in headers {
        call = call.header(name, &text(value));
    }
    call.await.status
}
