//! S3 on a folder: one folder per bucket, one file per object.

use super::listen;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use std::io;
use std::path::Path;
use tokio::net::TcpListener;

/// The embedded S3. Clients address it by path, not by host name.
#[derive(Clone)]
pub struct S3 {
    endpoint: String,
}

impl S3 {
    /// Serves `s3` in `dir`, with these buckets, to requests signed with this pair of access key and secret key.
    pub async fn start(dir: &Path, buckets: &[String], (access_key, secret_key): (&str, &str)) -> io::Result<Self> {
        let root = dir.join("s3");
        for bucket in buckets {
            tokio::fs::create_dir_all(root.join(bucket)).await?;
        }
        let files = FileSystem::new(root).map_err(|error| io::Error::other(format!("{error:?}")))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(access_key, secret_key));
        let (listener, endpoint) = listen()?;
        tokio::spawn(serve(listener, service.build()));
        Ok(Self { endpoint })
    }

    /// `http://127.0.0.1:PORT`; another port at each start.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

async fn serve(listener: TcpListener, service: S3Service) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service.clone());
                tokio::spawn(connection);
            }
            Err(error) => {
                tracing::error!(%error, "the embedded S3 cannot accept");
                // Most likely out of file descriptors, which takes others to finish.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::sdk;
    use aws_sdk_s3::Client;
    use aws_sdk_s3::primitives::ByteStream;
    use std::time::{Duration, Instant};

    async fn start(dir: &Path) -> Client {
        let s3 = S3::start(dir, &["media".into()], ("key", "secret")).await.unwrap();
        Client::from_conf(sdk!(aws_sdk_s3, s3.endpoint()).force_path_style(true).build())
    }

    #[tokio::test]
    async fn objects_survive_a_restart_and_come_quickly() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = vec![7; 100 * 1024];
        let put = start(dir.path()).await.put_object().bucket("media").key("a/b.png").content_type("image/png");
        put.body(ByteStream::from(bytes.clone())).send().await.unwrap();

        let client = start(dir.path()).await;
        let mut quickest = Duration::MAX;
        for _ in 0..5 {
            let started = Instant::now();
            let got = client.get_object().bucket("media").key("a/b.png").send().await.unwrap();
            assert_eq!(got.content_type(), Some("image/png"));
            assert_eq!(got.body.collect().await.unwrap().to_vec(), bytes);
            quickest = quickest.min(started.elapsed());
        }
        // A delayed acknowledgement takes 40 ms.
        assert!(quickest < Duration::from_millis(25), "{quickest:?}");
    }

    #[tokio::test]
    async fn a_wrong_signature_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let s3 = S3::start(dir.path(), &["media".into()], ("key", "another secret")).await.unwrap();
        let client = Client::from_conf(sdk!(aws_sdk_s3, s3.endpoint()).force_path_style(true).build());
        let refused = client.head_bucket().bucket("media").send().await.unwrap_err();
        assert_eq!(refused.raw_response().unwrap().status().as_u16(), 403);
    }
}
