//! One client's messages to many, beside a server that copies frames and does nothing else.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::{SinkExt, StreamExt, TryStreamExt};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::bed::Bed;
use super::crowd::Crowd;
use super::socket::Client;
use crate::cli::bench::host::HostProcess;
use crate::cli::bench::summary::Summary;

/// Sockets that are opened at once; more would measure the queue of connections.
const AT_ONCE: usize = 16;

/// Messages that were sent and not heard by everybody, at full speed: enough that nobody waits for the sender.
const WINDOW: u64 = 32;

/// Messages a second where times are measured: far below what any host can do.
const PACE: u64 = 10;

/// The room. Policies guard it.
const TOPIC: &str = "bench";

/// What a message has beside the time it was sent.
const FILLING: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// What was measured of one server.
struct Measured {
    published: f64,
    delivered: f64,
    /// From sending to hearing at the pace.
    times: Summary,
    /// Processor time of the hosts for a million messages that were heard, at full speed.
    processor_seconds: Option<f64>,
}

pub(super) async fn measure(
    bed: &Bed,
    hosts: u8,
    subscribers: u16,
    time: Duration,
    bar: &ProgressBar,
) -> anyhow::Result<Value> {
    bar.set_message("starting hosts");
    let mut running = Vec::new();
    for number in 0..hosts {
        running.push(bed.host(&format!("host{number}")).await?);
    }
    bar.set_message("joining");
    let config =
        json!({ "private": true, "broadcast": { "self": false, "ack": false }, "presence": { "enabled": false } });
    let token = bed.tokens.first().context("nobody calls")?;
    let join = |number: u16| {
        let host = running.get(usize::from(number) % running.len()).map(|host| host.address);
        let (config, key) = (&config, &bed.anon_key);
        async move {
            let mut client = Client::of_host(host.context("no host")?, key).await?;
            client.join(TOPIC, config, Some(token)).await?;
            anyhow::Ok(client)
        }
    };
    let joining = Instant::now();
    let clients: Vec<Client> =
        futures::stream::iter((0..subscribers).map(join)).buffer_unordered(AT_ONCE).try_collect().await?;
    let joins = f64::from(subscribers) / joining.elapsed().as_secs_f64();
    let mut sender = join(0).await?;
    let message = |now: u128| {
        format!(
            r#"["1",null,"realtime:{TOPIC}","broadcast",{{"type":"broadcast","event":"m","payload":{{"t":{now},"s":"{FILLING}"}}}}]"#
        )
    };
    bar.set_message("sending");
    let crowd = Crowd::start(clients);
    let measured = send(&mut sender, &message, crowd, &running, time).await?;
    bar.set_message("sending through a server that copies frames");
    let floor = floor(subscribers, time).await?;
    for host in running {
        host.stop().await?;
    }
    Ok(json!({
        "hosts": hosts, "subscribers": subscribers, "joins_per_second": joins,
        "published_per_second": measured.published, "delivered_per_second": measured.delivered,
        "send_to_receipt": measured.times, "processor_seconds_per_million": measured.processor_seconds,
        "floor": { "published_per_second": floor.published, "delivered_per_second": floor.delivered, "send_to_receipt": floor.times },
        "delivered_to_floor": measured.delivered / floor.delivered,
    }))
}

/// Sends at full speed, then slowly. Everybody must hear everything, once.
async fn send(
    sender: &mut Client,
    message: &impl Fn(u128) -> String,
    crowd: Crowd,
    hosts: &[HostProcess],
    time: Duration,
) -> anyhow::Result<Measured> {
    let processor =
        |hosts: &[HostProcess]| hosts.iter().map(HostProcess::processor_seconds).sum::<anyhow::Result<f64>>();
    let (before, began, mut sent) = (processor(hosts)?, Instant::now(), 0_u64);
    while began.elapsed() < time {
        sender.send(&message(crowd.now())).await?;
        sent += 1;
        crowd.wait(sent.saturating_sub(WINDOW) * crowd.size()).await?;
    }
    crowd.wait(sent * crowd.size()).await?;
    let (took, used) = (began.elapsed().as_secs_f64(), processor(hosts)? - before);
    let (published, delivered) = (float(sent) / took, float(sent * crowd.size()) / took);
    let millions = float(sent * crowd.size()) / 1e6;
    crowd.keep_times(true);
    let (began, first) = (Instant::now(), sent);
    let mut ticks = tokio::time::interval(Duration::from_millis(1_000 / PACE));
    while began.elapsed() < time {
        ticks.tick().await;
        sender.send(&message(crowd.now())).await?;
        sent += 1;
    }
    crowd.wait(sent * crowd.size()).await?;
    let times = Summary::of_times(crowd.times(), began.elapsed());
    anyhow::ensure!(sent > first, "nothing was sent");
    let total = sent * crowd.size();
    crowd.end(total).await?;
    let processor_seconds = (!hosts.is_empty()).then_some(used / millions);
    Ok(Measured { published, delivered, times, processor_seconds })
}

/// The same with a server of a few lines, on threads of its own.
async fn floor(subscribers: u16, time: Duration) -> anyhow::Result<Measured> {
    let (hears, says, stop) = copying_server()?;
    let open = |_| Client::open(hears, "/");
    let clients = futures::stream::iter((0..subscribers).map(open)).buffer_unordered(AT_ONCE).try_collect().await?;
    let mut sender = Client::open(says, "/").await?;
    let message = |now: u128| {
        format!(
            r#"[null,null,"realtime:{TOPIC}","broadcast",{{"type":"broadcast","event":"m","payload":{{"t":{now},"s":"{FILLING}"}}}}]"#
        )
    };
    let measured = send(&mut sender, &message, Crowd::start(clients), &[], time).await;
    drop(stop);
    measured
}

/// Starts it: where sockets hear, and where one says. It ends when the last is dropped.
fn copying_server() -> anyhow::Result<(SocketAddr, SocketAddr, tokio::sync::oneshot::Sender<()>)> {
    let listen = || -> anyhow::Result<_> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    let ((to_hear, hears), (to_say, says)) = (listen()?, listen()?);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    std::thread::spawn(move || {
        let (frames, _) = broadcast::channel(1024);
        runtime.block_on(async move {
            let listeners = (TcpListener::from_std(to_hear), TcpListener::from_std(to_say));
            let (Ok(to_hear), Ok(to_say)) = listeners else { return };
            tokio::select! {
                () = accept(to_hear, &frames, copy) => {}
                () = accept(to_say, &frames, take) => {}
                _ = stopped => {}
            }
        });
        runtime.shutdown_background();
    });
    Ok((hears, says, stop))
}

type Frames = broadcast::Sender<Utf8Bytes>;
type Heard = broadcast::Receiver<Utf8Bytes>;

/// Serves each socket in a task of its own.
async fn accept<T>(listener: TcpListener, frames: &Frames, serve: fn(WebSocketStream<TcpStream>, Frames, Heard) -> T)
where
    T: Future<Output = ()> + Send + 'static,
{
    while let Ok((stream, _)) = listener.accept().await {
        // Before the client knows that the socket is open, so that it hears whatever is sent afterwards.
        let (frames, heard) = (frames.clone(), frames.subscribe());
        tokio::spawn(async move {
            stream.set_nodelay(true).ok();
            if let Ok(socket) = tokio_tungstenite::accept_async(stream).await {
                serve(socket, frames, heard).await;
            }
        });
    }
}

/// Sends every frame to a socket.
async fn copy(mut socket: WebSocketStream<TcpStream>, _frames: Frames, mut heard: Heard) {
    while let Ok(frame) = heard.recv().await {
        if socket.send(Message::Text(frame)).await.is_err() {
            return;
        }
    }
}

/// Gives a socket's frames to all others.
async fn take(mut socket: WebSocketStream<TcpStream>, frames: Frames, heard: Heard) {
    drop(heard);
    while let Some(Ok(frame)) = socket.next().await {
        if let Message::Text(text) = frame {
            frames.send(text).ok();
        }
    }
}

fn float(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
