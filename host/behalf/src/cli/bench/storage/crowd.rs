//! Memory of a host while many download and upload large files at the same moment.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::host::HostProcess;
use super::files::{Files, Size};

/// The longest head of an answer.
const HEAD: usize = 64 << 10;

/// Downloads, then uploads, so many at once; each once, and its bytes are not kept here.
pub(super) async fn measure(host: &HostProcess, files: &Files, crowd: u16) -> anyhow::Result<Value> {
    let before = host.resident_kib()?;
    let (downloads, uploads) = (files.policy_downloads(Size::Large), files.policy_uploads(Size::Large));
    let downloading = peak(host, all(host.address, &downloads, crowd)).await?;
    let uploading = peak(host, all(host.address, &uploads, crowd)).await?;
    Ok(json!({
        "connections": crowd, "before_kib": before, "downloads_peak_kib": downloading, "uploads_peak_kib": uploading,
    }))
}

/// The most memory that the host holds until the work is done.
async fn peak(host: &HostProcess, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<u64> {
    let (mut peak, mut ask) = (host.resident_kib()?, tokio::time::interval(Duration::from_millis(20)));
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done.map(|()| peak),
            _ = ask.tick() => peak = peak.max(host.resident_kib()?),
        }
    }
}

/// Each of so many connections sends one of the requests.
async fn all(address: SocketAddr, requests: &[Vec<u8>], connections: u16) -> anyhow::Result<()> {
    let clients = requests.iter().cycle().take(usize::from(connections)).map(|request| one(address, request));
    try_join_all(clients).await.map(|_| ())
}

/// Sends a request, and reads its answer to the end.
async fn one(address: SocketAddr, request: &[u8]) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let (mut head, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    let end = loop {
        if let Some(end) = head.windows(4).position(|part| part == b"\r\n\r\n") {
            break end + 4;
        }
        ensure!(head.len() < HEAD, "an answer without an end of its head");
        let count = stream.read(&mut piece).await?;
        ensure!(count > 0, "the server closed the connection");
        head.extend_from_slice(piece.get(..count).unwrap_or_default());
    };
    let text = String::from_utf8_lossy(head.get(..end).unwrap_or_default()).to_ascii_lowercase();
    ensure!(text.starts_with("http/1.1 20"), "an unexpected answer: {}", String::from_utf8_lossy(&head));
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length:")).context("an answer without a length")?;
    let mut left = length.trim().parse::<usize>()?.saturating_sub(head.len() - end);
    while left > 0 {
        let count = stream.read(&mut piece).await?;
        ensure!(count > 0, "the server closed the connection");
        left = left.saturating_sub(count);
    }
    Ok(())
}
