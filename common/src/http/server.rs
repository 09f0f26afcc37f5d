//! Binding, serving and stopping.

use std::net::{SocketAddr, TcpListener};

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};

use super::conventions::{conventions, not_found};
use super::site::{self, Site};
use super::tls::Tls;

/// Seconds that a stop waits for requests under way.
const DRAIN_SECONDS: u64 = 30;

/// Blocking threads of each worker. They come when needed and go when idle; many of them may wait
/// for one group commit.
const BLOCKING_THREADS_MAX: usize = 128;

/// Sockets that are bound, before anything is served: so that a port in use is found out early.
#[derive(Debug)]
pub struct Listeners {
    https: TcpListener,
    http: Option<TcpListener>,
}

impl Listeners {
    /// Binds; port 0 picks a free one.
    ///
    /// # Errors
    /// One sentence that names the address.
    pub fn bind(https: SocketAddr, http: Option<SocketAddr>) -> Result<Self, String> {
        let bind = |address: SocketAddr| {
            TcpListener::bind(address).map_err(|e| format!("cannot listen on {address}: {e}"))
        };
        Ok(Self {
            https: bind(https)?,
            http: http.map(bind).transpose()?,
        })
    }

    /// Where TLS is served.
    pub fn https(&self) -> SocketAddr {
        self.https
            .local_addr()
            .expect("a bound socket has an address")
    }

    /// Where plain HTTP is served.
    pub fn http(&self) -> Option<SocketAddr> {
        let address = |listener: &TcpListener| listener.local_addr();
        self.http
            .as_ref()
            .map(|l| address(l).expect("a bound socket has an address"))
    }
}

/// A mounting of routes, for each worker anew.
pub trait Mount: Fn(&mut web::ServiceConfig) + Clone + Send + 'static {}
impl<T: Fn(&mut web::ServiceConfig) + Clone + Send + 'static> Mount for T {}

/// Both servers of a process, running.
#[derive(Debug)]
pub struct Running {
    handles: Vec<ServerHandle>,
}

/// Starts to serve `secure` over TLS and `plain` without.
pub fn start(
    listeners: Listeners,
    tls: &Tls,
    site: Site,
    secure: impl Mount,
    plain: impl Mount,
) -> std::io::Result<Running> {
    let mut handles = Vec::new();
    let workers = std::thread::available_parallelism()
        .map_or(2, usize::from)
        .clamp(1, 16);

    let plain_site = web::Data::new(site.plain());
    let site = web::Data::new(site);
    let peers = tls.clone();
    let server = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(conventions))
            .app_data(site.clone())
            .configure(secure.clone())
            .configure(site::routes)
            .default_service(web::to(not_found))
    })
    .on_connect(move |connection, data| {
        if let Some(peer) = peers.peer(connection) {
            data.insert(peer);
        }
    })
    .workers(workers)
    .worker_max_blocking_threads(BLOCKING_THREADS_MAX)
    .shutdown_timeout(DRAIN_SECONDS)
    .disable_signals()
    .listen_rustls_0_23(
        listeners.https,
        tls.server_config().map_err(std::io::Error::other)?,
    )?
    .run();
    handles.push(server.handle());
    actix_web::rt::spawn(server);

    if let Some(listener) = listeners.http {
        let server = HttpServer::new(move || {
            App::new()
                .wrap(from_fn(conventions))
                .app_data(plain_site.clone())
                .configure(plain.clone())
                .configure(site::plain_routes)
                .default_service(web::to(not_found))
        })
        .workers(workers)
        .worker_max_blocking_threads(BLOCKING_THREADS_MAX)
        .shutdown_timeout(DRAIN_SECONDS)
        .disable_signals()
        .listen(listener)?
        .run();
        handles.push(server.handle());
        actix_web::rt::spawn(server);
    }
    Ok(Running { handles })
}

impl Running {
    /// Stops accepting and waits for the requests under way, at most 30 seconds.
    pub async fn stop(self) {
        let stops = self.handles.iter().map(|handle| handle.stop(true));
        futures_util::future::join_all(stops).await;
    }
}

/// Waits for SIGTERM or SIGINT.
pub async fn stop_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
