//! [`Server`]: connections, threads, and the end of both.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use limbeck_encoder::Encoder;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

use crate::batch;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::model::Model;
use crate::routes::Service;
use crate::settings::{Limits, Settings};

/// How often the host is asked whether to stop.
const LOOK: Duration = Duration::from_millis(50);
/// The pause after a connection could not be accepted: the process may have as many files open as it may.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest head of a request, and the room of a connection for what it reads.
const CONNECTION_BYTES: usize = 64 << 10;

/// A service that listens and does not answer yet.
pub struct Server {
    listener: std::net::TcpListener,
    model: Model,
    settings: Settings,
}

impl Server {
    /// Listens on the address of `settings`. Connections wait until [`Server::run`].
    ///
    /// # Errors
    /// Settings that can't be; an address that can't be listened on.
    pub fn bind(encoder: Arc<dyn Encoder>, settings: Settings) -> Result<Self> {
        settings.check()?;
        let address = settings.address;
        let listen = || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        let listener = listen().map_err(|source| Error::Listen { address, source })?;
        Ok(Self { listener, model: Model::new(encoder, settings.names.clone()), settings })
    }

    /// The address that it listens on, with the port that was taken.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> Result<SocketAddr> {
        let address = self.settings.address;
        self.listener.local_addr().map_err(|source| Error::Listen { address, source })
    }

    /// Answers until `host` says stop. Requests in flight are answered first.
    ///
    /// # Errors
    /// When threads can't be started.
    pub fn run(self, host: &dyn Host) -> Result<()> {
        let Self { listener, model, settings } = self;
        let (model, (queue, jobs)) = (Arc::new(model), channel());
        let service = Arc::new(Service::new(model.clone(), settings.key, settings.limits, queue));
        let metrics = service.metrics.clone();
        let runtime = runtime(model.threads).map_err(|source| Error::Threads { source })?;
        thread::scope(|scope| {
            let encoding = thread::Builder::new().name("encode".into());
            let (model, metrics) = (&*model, &*metrics);
            let started = encoding.spawn_scoped(scope, move || batch::run(model, &jobs, metrics, host));
            started.map_err(|source| Error::Threads { source })?;
            let accepted = runtime.block_on(accept(listener, service, host));
            // With the connections the last ends of the queue go, and the thread ends.
            drop(runtime);
            accepted.map_err(|source| Error::Listen { address: settings.address, source })
        })
    }
}

fn runtime(threads: usize) -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(threads).thread_name("serve").enable_io().enable_time().build()
}

/// Accepts connections until `host` says stop, and waits for those in flight.
async fn accept(listener: std::net::TcpListener, service: Arc<Service>, host: &dyn Host) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let slots = Arc::new(Semaphore::new(service.limits.connections()));
    let (graceful, limits) = (GracefulShutdown::new(), service.limits);
    let router = TowerToHyperService::new(service.clone().router());
    let connections = service.connections.clone();
    drop(service);
    let mut slot = None;
    while !host.should_stop() {
        // With all slots taken, further connections wait in the system's queue.
        let free = match slot.take() {
            Some(free) => free,
            None => match timeout(LOOK, slots.clone().acquire_owned()).await {
                Ok(Ok(free)) => free,
                _ => continue,
            },
        };
        match timeout(LOOK, listener.accept()).await {
            Ok(Ok((stream, _))) => {
                let open = OpenConnection::new(free, connections.clone());
                tokio::spawn(connection(stream, router.clone(), limits, graceful.watcher(), open));
            }
            Ok(Err(_)) => sleep(PAUSE).await,
            Err(_) => slot = Some(free),
        }
    }
    drop((listener, router));
    // A request may still take its whole time, and a slow client its own.
    let _ = timeout(limits.timeout + limits.client_timeout, graceful.shutdown()).await;
    Ok(())
}

/// A connection that counts until it is closed.
struct OpenConnection {
    _slot: OwnedSemaphorePermit,
    count: Arc<AtomicUsize>,
}

impl OpenConnection {
    fn new(slot: OwnedSemaphorePermit, count: Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self { _slot: slot, count }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn connection(
    stream: TcpStream,
    router: TowerToHyperService<axum::Router>,
    limits: Limits,
    watcher: Watcher,
    _open: OpenConnection,
) {
    // Small answers go at once; without it they are only later.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.client_timeout));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.client_timeout)
        .max_buf_size(CONNECTION_BYTES)
        .serve_connection(TokioIo::new(Box::pin(stream)), router);
    // A client that breaks the connection or the protocol ends it for itself alone.
    let _ = watcher.watch(connection).await;
}
