//! A client that sees every byte.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection.
pub(crate) struct Wire(TcpStream);

/// A response as it arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Length the head declares.
    pub(crate) declared: usize,
}

impl Wire {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn send(&mut self, path: &str, body: &[u8]) {
        let length = body.len();
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n");
        self.0.write_all(head.as_bytes()).await.unwrap();
        self.0.write_all(body).await.unwrap();
    }

    /// Reads one response: its whole body, or what there is of it before the connection ends.
    pub(crate) async fn receive(&mut self) -> io::Result<Seen> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if self.0.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let declared = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = bytes.split_off(end);
        while body.len() < declared && self.0.read_buf(&mut body).await? > 0 {}
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(Seen {
            status,
            head,
            body,
            declared,
        })
    }

    pub(crate) async fn ask(&mut self, path: &str, body: &[u8]) -> io::Result<Seen> {
        self.send(path, body).await;
        self.receive().await
    }

    /// Whether nothing arrived so far, not even the end.
    pub(crate) fn is_silent(&self) -> bool {
        self.0
            .try_read(&mut [0])
            .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Waits until the server closes the connection; anything but `Ok(0)` or an error is an answer.
    pub(crate) async fn ends(&mut self) -> io::Result<usize> {
        self.0.read(&mut [0; 64]).await
    }
}
