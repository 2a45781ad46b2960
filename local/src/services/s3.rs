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

/// The key pair that requests must be signed with.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    pub access_key: &'a str,
    pub secret_key: &'a str,
}

/// The embedded S3. Clients address it by path, not by host name.
#[derive(Clone)]
pub struct S3 {
    endpoint: String,
}

impl S3 {
    /// Serves `s3` in `dir`, with these buckets.
    pub async fn start(
        dir: &Path,
        buckets: &[String],
        credentials: Credentials<'_>,
    ) -> io::Result<Self> {
        let root = dir.join("s3");
        for bucket in buckets {
            tokio::fs::create_dir_all(root.join(bucket)).await?;
        }
        let files =
            FileSystem::new(root).map_err(|error| io::Error::other(format!("{error:?}")))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(
            credentials.access_key,
            credentials.secret_key,
        ));
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
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(socket), service.clone());
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
