//! Request bodies: JSON, forms with files, and files by themselves.

use crate::error::{Error, Kind, Result};
use crate::models::fields::{FILE, Fields, Files, Forms, FromFields, Upload};
use crate::models::media::MAX_DIRECT;
use crate::secrets::sha256;
use bytes::Bytes;
use formats::FileType;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value, json};

/// The largest JSON body, in bytes: a post of 8 KiB with every byte escaped fits.
pub const MAX_BODY: usize = 64 * 1024;
/// The largest form: a file, and what a JSON body may hold beside it.
pub const MAX_FORM: usize = MAX_DIRECT + MAX_BODY;
/// Parts of a form.
const MAX_PARTS: usize = 64;

/// A body of one of the forms that are taken.
pub(super) enum Body {
    Json(Bytes),
    Form(Map<String, Value>, Files),
    File(Upload),
}

/// What a content type says.
enum Form {
    Json,
    Multipart { boundary: String },
    File { content_type: String },
}

impl Forms {
    const fn takes_json(self) -> bool {
        !matches!(self, Self::File)
    }

    const fn takes_files(self) -> bool {
        matches!(self, Self::File | Self::JsonOrFile)
    }

    const fn takes_forms(self) -> bool {
        !matches!(self, Self::Json)
    }

    /// What to send, for people.
    fn media_types(self) -> String {
        let mut types = Vec::new();
        if self.takes_json() {
            types.push("application/json");
        }
        if self.takes_forms() {
            types.push("multipart/form-data");
        }
        if self.takes_files() {
            types.extend(FileType::ALL.map(FileType::content_type));
        }
        types.join(", ")
    }

    fn refused(self) -> Error {
        Error::new(Kind::UnsupportedMediaType).detail(format!("Send the body as {}.", self.media_types()))
    }

    /// What a content type says, if such a body is taken.
    fn form(self, content_type: &str) -> Option<Form> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_json =
            essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
        if is_json && self.takes_json() {
            Some(Form::Json)
        } else if essence == "multipart/form-data" && self.takes_forms() {
            Some(Form::Multipart { boundary: multer::parse_boundary(content_type).unwrap_or_default() })
        } else if self.takes_files() && FileType::from_content_type(&essence).is_some() {
            Some(Form::File { content_type: essence })
        } else {
            None
        }
    }
}

impl Body {
    /// The whole body.
    ///
    /// # Errors
    /// 413 beyond what its form may have, 415 for other content types, 400 for what is no form, or when the client
    /// stops sending.
    pub(super) async fn receive(headers: &HeaderMap, body: axum::body::Body, forms: Forms) -> Result<Self> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let form = forms.form(content_type);
        let most = match form {
            None | Some(Form::Json) => MAX_BODY,
            Some(Form::Multipart { .. }) => MAX_FORM,
            Some(Form::File { .. }) => MAX_DIRECT,
        };
        let bytes = match Limited::new(body, most).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.downcast_ref::<LengthLimitError>().is_some() && form.is_some() => {
                return Err(Error::new(Kind::TooLarge).detail(format!("At most {most} bytes.")));
            }
            Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => return Err(forms.refused()),
            Err(error) => return Err(Error::new(Kind::MalformedRequest).source(error)),
        };
        match form {
            Some(Form::Json) => Ok(Self::Json(bytes)),
            Some(Form::Multipart { boundary }) => {
                parts(bytes, boundary).await.map(|(texts, files)| Self::Form(texts, files))
            }
            Some(Form::File { content_type }) => Ok(Self::File(Upload { content_type: Some(content_type), bytes })),
            // Nothing at all is nothing of a wrong type.
            None if bytes.is_empty() && content_type.is_empty() && forms.takes_json() => Ok(Self::Json(bytes)),
            None => Err(forms.refused()),
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Json(bytes) if bytes.is_empty())
    }

    /// What tells it from another body: of a form its parts, for each sending has another boundary. Secret fields are left
    /// out.
    pub(super) fn digest(&self, secrets: &[&str]) -> [u8; 32] {
        match self {
            Self::Json(bytes) if !secrets.is_empty() => {
                // What is no object is refused before anything is kept of it.
                let mut object: Map<String, Value> = serde_json::from_slice(bytes).unwrap_or_default();
                object.retain(|name, _| !secrets.contains(&name.as_str()));
                sha256(&[json!(object).to_string().as_bytes()])
            }
            Self::Json(bytes) | Self::File(Upload { bytes, .. }) => sha256(&[bytes]),
            Self::Form(texts, files) => {
                let texts = json!(texts).to_string();
                let mut said = vec![texts.as_bytes()];
                let files = files.iter().flat_map(|(name, files)| files.iter().map(move |file| (name, file)));
                for (name, Upload { content_type, bytes }) in files {
                    said.extend([name.as_bytes(), content_type.as_deref().unwrap_or_default().as_bytes(), bytes]);
                }
                sha256(&said)
            }
        }
    }

    /// What it says.
    ///
    /// # Errors
    /// 400 for what is no JSON object, 422 with every bad field.
    pub(super) fn read<T: FromFields>(self) -> Result<T> {
        match self {
            Self::Json(bytes) => match serde_json::from_slice(&bytes) {
                Ok(Value::Object(object)) => Fields::read(object),
                Ok(_) => Err(malformed("The body must be a JSON object.".into())),
                Err(error) => Err(malformed(format!("The body is no JSON: {error}."))),
            },
            Self::Form(texts, files) => Fields::read_form(texts, files),
            Self::File(upload) => Fields::read_form(Map::new(), Files::from([(FILE.to_owned(), vec![upload])])),
        }
    }
}

fn malformed(detail: String) -> Error {
    Error::new(Kind::MalformedRequest).detail(detail)
}

/// A form's texts and files. A part that says it is JSON is read as JSON; texts of one name become a list.
async fn parts(body: Bytes, boundary: String) -> Result<(Map<String, Value>, Files)> {
    let broken = |error: multer::Error| malformed(format!("The body is no form: {error}."));
    let whole = futures::stream::once(futures::future::ready(Ok::<_, std::convert::Infallible>(body)));
    let mut form = multer::Multipart::new(whole, boundary);
    let (mut object, mut files) = (Map::new(), Files::new());
    let mut left = MAX_PARTS;
    while let Some(part) = form.next_field().await.map_err(broken)? {
        left = left.checked_sub(1).ok_or_else(|| malformed(format!("At most {MAX_PARTS} parts.")))?;
        let name = part.name().unwrap_or_default().to_owned();
        let content_type = part.content_type().map(|said| said.essence_str().to_ascii_lowercase());
        if let Some(file) = part.file_name().map(str::to_owned) {
            let bytes = part.bytes().await.map_err(broken)?;
            if file.is_empty() && bytes.is_empty() {
                // What a browser sends of a field in which no file was chosen.
                continue;
            }
            files.entry(name).or_default().push(Upload { content_type, bytes });
            continue;
        }
        let bytes = part.bytes().await.map_err(broken)?;
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| malformed(format!("{name} is no UTF-8.")))?;
        let value = match content_type.as_deref() {
            Some("application/json") => {
                serde_json::from_str(&text).map_err(|error| malformed(format!("{name} is no JSON: {error}.")))?
            }
            _ => Value::String(text),
        };
        let value = match object.remove(&name) {
            None => value,
            Some(Value::Array(mut list)) => {
                list.push(value);
                Value::Array(list)
            }
            Some(first) => Value::Array(vec![first, value]),
        };
        object.insert(name, value);
    }
    Ok((object, files))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &str) -> Result<(Map<String, Value>, Files)> {
        parts(Bytes::from(text.replace('\n', "\r\n")), "x".into()).await
    }

    #[tokio::test]
    async fn a_form_is_texts_and_files() {
        let form = "--x\nContent-Disposition: form-data; name=\"content\"\n\nLow tide.\n\
            --x\nContent-Disposition: form-data; name=\"media_ids\"\n\na\n\
            --x\nContent-Disposition: form-data; name=\"media_ids\"\n\nb\n\
            --x\nContent-Disposition: form-data; name=\"list\"\nContent-Type: application/json\n\n[1]\n\
            --x\nContent-Disposition: form-data; name=\"image\"; filename=\"a.PNG\"\nContent-Type: image/PNG\n\nbytes\n\
            --x--\n";
        let (object, files) = read(form).await.unwrap();
        assert_eq!(Value::Object(object), json!({"content": "Low tide.", "media_ids": ["a", "b"], "list": [1]}));
        let image = &files["image"][0];
        assert_eq!((image.content_type.as_deref(), &image.bytes[..]), (Some("image/png"), &b"bytes"[..]));
        for broken in ["", "--x", "--y\n\n--y--", &form[..form.len() - 20]] {
            assert_eq!(read(broken).await.unwrap_err().kind(), Kind::MalformedRequest, "{broken}");
        }
    }
}
