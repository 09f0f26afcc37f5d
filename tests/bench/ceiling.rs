//! What this machine can do at best.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use common::crypto::{KeySpec, PrivateKey, RsaSize};
use common::db::{Connection, Database, Error, Location};
use common::x509::{Csr, SerialNumber, csr, name};
use diesel::RunQueryDsl;
use tests::foreign::Scratch;
use tests::world::free_port;

use crate::Pace;
use crate::load::{Figure, threads, wrk};

/// Costs in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ceilings {
    pub(crate) sign_p256: f64,
    pub(crate) sign_rsa_2048: f64,
    pub(crate) verify_p256: f64,
    insert_8: f64,
    insert_64: f64,
}

impl Ceilings {
    /// CPU of one durable row with `clients` waiting at a time.
    pub(crate) fn insert(&self, clients: usize) -> f64 {
        if clients < 32 {
            self.insert_8
        } else {
            self.insert_64
        }
    }

    pub(crate) fn print(&self) {
        println!(
            "sign P-256 {:.1} us, sign RSA-2048 {:.0} us, read and verify a P-256 request {:.1} us",
            self.sign_p256, self.sign_rsa_2048, self.verify_p256
        );
        println!(
            "durable row of 900 bytes in SQLite, CPU: {:.0} us with 8 writers, {:.0} us with 64",
            self.insert_8, self.insert_64
        );
    }
}

/// Measures signatures, verification and durable inserts.
pub(crate) fn measure() -> Ceilings {
    let key = |spec| PrivateKey::generate(spec).expect("generates").0;
    let (p256, rsa) = (key(KeySpec::EcP256), key(KeySpec::Rsa(RsaSize::Bits2048)));
    let message = [7; 900];
    let subject = name::parse("CN=host.example").expect("parses");
    let names = ["dns:host.example".parse().expect("parses")];
    let request = csr::create(&p256, &subject, &names).expect("builds");
    Ceilings {
        sign_p256: repeat(|| drop(p256.sign(&message).expect("signs"))),
        sign_rsa_2048: repeat(|| drop(rsa.sign(&message).expect("signs"))),
        verify_p256: repeat(|| drop(Csr::parse(&request).expect("verifies"))),
        insert_8: insert(8),
        insert_64: insert(64),
    }
}

/// The best of ten windows of 100 ms.
fn repeat(mut operation: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..10 {
        let (start, mut count) = (Instant::now(), 0_u32);
        while start.elapsed() < Duration::from_millis(100) {
            operation();
            count += 1;
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(count));
    }
    best
}

/// The CA's own database with one row a transaction, written by `clients` threads at once.
fn insert(clients: usize) -> f64 {
    let scratch = Scratch::new("bench-insert");
    let database = ca::store::open(&Location::Sqlite(scratch.file("bench.db"))).expect("opens");
    let figure = threads(
        std::process::id(),
        clients,
        2,
        || database.clone(),
        |database: &Database| {
            let serial = SerialNumber::random();
            database
                .write("bench", move |c| insert_row(c, &serial))
                .expect("writes");
        },
    );
    figure.cpu_micros
}

fn insert_row(connection: &mut Connection, serial: &SerialNumber) -> Result<(), Error> {
    let row = diesel::sql_query(
        "INSERT INTO crls (authority, number, this_update, next_update, entries, der) VALUES (?, 1, 0, 0, 0, ?)",
    )
    .bind::<diesel::sql_types::Text, _>(serial.to_string())
    .bind::<diesel::sql_types::Binary, _>(vec![7_u8; 900]);
    let Connection::Sqlite(sqlite) = connection else {
        return Ok(());
    };
    row.execute(&mut **sqlite)?;
    Ok(())
}

/// The bare HTTP server with a page as large as an OCSP answer, in a process of its own.
pub(crate) fn page(pace: Pace) -> Figure {
    let port = free_port();
    let program = std::env::current_exe().expect("the program knows where it is");
    let mut child = Command::new(program)
        .args(["page", &port.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .expect("the page server starts");
    let url = format!("http://127.0.0.1:{port}/");
    std::thread::sleep(Duration::from_millis(500));
    let figure = wrk(child.id(), &url, pace.seconds, None);
    let _ = child.kill();
    let _ = child.wait();
    figure
}

/// Serves the static page until killed.
pub(crate) fn serve_page(port: u16) {
    let serve = async move {
        HttpServer::new(|| {
            App::new().route(
                "/",
                web::get().to(async || HttpResponse::Ok().body([7_u8; 500].as_slice())),
            )
        })
        .workers(2)
        .bind(("127.0.0.1", port))?
        .run()
        .await
    };
    actix_web::rt::System::new()
        .block_on(serve)
        .expect("the page is served");
}
