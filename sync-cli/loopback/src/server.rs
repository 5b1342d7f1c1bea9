//! The listener: HTTP/1.1 with keep-alive on a loopback address, one task per connection and one per request.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{Outcome, Simulator};

/// The largest request body that is read.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// Pause after a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A listener on a loopback port that serves one simulator.
///
/// A request is handled in a task of its own: a client that hangs up does not undo what its request changed, and the
/// reply's slot stays taken until [`Reply::after`](crate::Reply::after) has passed. Bodies of requests are read whole, up
/// to 64 MiB; larger ones get 413.
///
/// Dropping the server closes the listener and every connection; [`Server::shutdown`] also waits until that is done.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    /// Dropped, it ends the tasks of requests.
    stop: watch::Sender<()>,
    /// Accepts, and owns the connections.
    accepting: JoinHandle<()>,
}

impl Server {
    /// Listens on `address` (port 0: any free one) and serves `simulator` until stopped.
    ///
    /// Must be called on a tokio runtime with I/O and time.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for an address that other machines could reach, and whatever binding reports.
    pub async fn start(simulator: Arc<dyn Simulator>, address: SocketAddr) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            let message = "a simulator is served on a loopback address only";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(());
        let accepting = tokio::spawn(accept(listener, simulator, stopped));
        Ok(Self {
            address,
            stop,
            accepting,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as `http://127.0.0.1:PORT`, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops listening, closes every connection without finishing what is under way, and frees the port.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(());
        // It ends by itself then, and cannot fail.
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    simulator: Arc<dyn Simulator>,
    mut stopped: watch::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&simulator), stopped.clone()));
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// Serves one connection to its end, which the simulator may choose.
async fn serve(stream: TcpStream, simulator: Arc<dyn Simulator>, stopped: watch::Receiver<()>) {
    // An answer is written in one go; waiting for more would only add latency.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let answer = answer(request, Arc::clone(&simulator), stopped.clone());
        Box::pin(answer) as Pin<Box<dyn Future<Output = _> + Send>>
    });
    let mut connection = http1::Builder::new()
        // The simulator decides whether there is a date, and which.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service);
    let end = poll_fn(|context| match connection.poll_without_shutdown(context) {
        Poll::Ready(Err(error)) => Poll::Ready(Ending::of(&error)),
        Poll::Ready(Ok(())) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await;
    let mut stream = connection.into_parts().io.into_inner();
    match end {
        Some(Ending::Reset) => {
            // Closing then discards and resets.
            let _ = stream.set_zero_linger();
        }
        Some(Ending::Cut(bytes)) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        None => {
            let _ = stream.shutdown().await;
        }
    }
}

/// Answers one request, or ends its connection.
async fn answer(
    request: http::Request<Incoming>,
    simulator: Arc<dyn Simulator>,
    mut stopped: watch::Receiver<()>,
) -> Result<Response<Full<Bytes>>, Ending> {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            return Ok(response);
        }
        Err(_) => return Err(Ending::Reset),
    };
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        let reply = simulator.handle(http::Request::from_parts(parts, body));
        if !reply.after.is_zero() {
            // A reply that takes for ever would overflow the clock; then only the server's end ends it.
            let due = async {
                match arrived.checked_add(reply.after) {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                _ = stopped.changed() => return,
            }
        }
        // Before the client can see the answer and ask again.
        drop(reply.slot);
        // Nobody waits any more when the client has left.
        let _ = sender.send(reply.outcome);
    });
    match receiver.await {
        Ok(Outcome::Response(response)) => Ok(response.map(Full::new)),
        Ok(Outcome::CutBody { response, sent }) => Err(Ending::cut(&response, sent)),
        Ok(Outcome::Hang) => std::future::pending().await,
        // A simulator that panicked gives no answer either.
        Ok(Outcome::Reset) | Err(_) => Err(Ending::Reset),
    }
}

/// How a connection ends that does not end well. Travels through hyper as the service's error.
#[derive(Debug, Clone)]
enum Ending {
    Reset,
    /// These bytes are still sent as they are.
    Cut(Bytes),
}

impl Ending {
    /// A response that declares its whole length and breaks off.
    ///
    /// Written by hand: hyper gives up what it has buffered when a body fails, so how much arrives would be a matter of
    /// luck.
    fn cut(response: &Response<Bytes>, sent: usize) -> Self {
        let status = response.status();
        let reason = status.canonical_reason().unwrap_or("");
        let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
        for (name, value) in response.headers() {
            if *name == header::CONTENT_LENGTH {
                continue;
            }
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        let body = response.body();
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        bytes.extend_from_slice(body.get(..sent).unwrap_or(body));
        Self::Cut(bytes.into())
    }

    /// The ending that a service chose, if it was the service that ended the connection.
    fn of(error: &hyper::Error) -> Option<Self> {
        error.source()?.downcast_ref::<Self>().cloned()
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reset => "the simulator closes the connection",
            Self::Cut(_) => "the simulator cuts the answer",
        })
    }
}

impl Error for Ending {}
