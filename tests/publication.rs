//! CRLs and certificates in a folder and at a URL that others serve.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use tests::foreign::{KeyKind, Scratch, crl_is_accepted, openssl, openssl_csr, path};
use tests::world::{World, eventually};

/// A web server of one's own: takes what is put, the first time with an error; gives path and body.
fn server() -> (u16, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let (sender, taken) = channel();
    thread::spawn(move || {
        let mut has_failed = false;
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let mut lines = Vec::new();
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                lines.push(std::mem::take(&mut line));
            }
            let length = lines.iter().find_map(|line| {
                let line = line.to_lowercase();
                line.strip_prefix("content-length:")?.trim().parse().ok()
            });
            let mut body = vec![0; length.unwrap_or(0)];
            if reader.read_exact(&mut body).is_err() {
                continue;
            }
            let status = if has_failed {
                "204 No Content"
            } else {
                "503 Busy"
            };
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = reader.get_mut().write_all(answer.as_bytes());
            let place = lines.first().and_then(|line| line.split(' ').nth(1));
            if has_failed && sender.send((place.unwrap_or("").to_owned(), body)).is_err() {
                return;
            }
            has_failed = true;
        }
    });
    (port, taken)
}

fn number(crl: &std::path::Path) -> String {
    openssl(&[
        "crl",
        "-inform",
        "DER",
        "-noout",
        "-crlnumber",
        "-in",
        path(crl),
    ])
}

#[test]
fn crls_and_certificates_are_put_into_a_folder_and_at_a_url() {
    let folder = Scratch::new("published");
    let (port, taken) = server();
    let url = format!("http://127.0.0.1:{port}/pki/");
    let world = World::up_with(&[
        "--publish-folder",
        path(folder.path()),
        "--publish-url",
        &url,
        "--crl-shards",
        "2",
        "--publish-certificates",
        "true",
    ]);
    let csr = openssl_csr(world.dir(), "host", KeyKind::P256, "/CN=host.example", &[]);
    let leaf = format!("{}.crt", world.issue(&csr.der));
    let files = ["host.crl", "host-0.crl", "host-1.crl", "host.crt", &leaf];
    let there = || files.iter().all(|file| folder.file(file).exists());
    assert!(eventually(Duration::from_secs(10), there));
    crl_is_accepted(&world.ca_pem(), &folder.file("host.crl"));
    let made = world.post("/pki/crl").as_user("agent1").send();
    let made = made.with_status(200).json();
    let wanted: u64 = made["number"]
        .as_str()
        .and_then(|n| n.parse().ok())
        .expect("a number");
    let wanted = format!("crlNumber=0x{wanted:02X}\n");
    let newest = || number(&folder.file("host.crl")) >= wanted;
    assert!(eventually(Duration::from_secs(10), newest));
    // Nothing half-written is left, and the URL got the same, after an error at first.
    let hidden = fs::read_dir(folder.path()).expect("the folder is there");
    assert!(
        hidden
            .flatten()
            .all(|file| !file.file_name().to_string_lossy().starts_with('.'))
    );
    let mut places = Vec::new();
    while let Ok((place, body)) = taken.recv_timeout(Duration::from_secs(15)) {
        assert_eq!(body[0], 0x30, "DER at {place}");
        places.push(place);
        if files
            .iter()
            .all(|file| places.contains(&format!("/pki/{file}")))
        {
            break;
        }
    }
    for file in files {
        assert!(
            places.contains(&format!("/pki/{file}")),
            "{file} in {places:?}"
        );
    }
    let job = || {
        let shown = world.get("/pki/job/publication").as_user("admin").send();
        shown.with_status(200).json()["status"].clone()
    };
    assert!(eventually(Duration::from_secs(5), || job() == "scheduled"));
}

/// A place that is of no use costs nothing but a job that says so.
#[test]
fn issuance_does_not_wait_for_a_place_that_does_not_answer() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = silent.local_addr().expect("it is bound").port();
    let url = format!("http://127.0.0.1:{port}/");
    let world = World::up_with(&["--publish-url", &url]);
    let began = Instant::now();
    for name in ["one", "two", "three"] {
        let subject = format!("/CN={name}.example");
        let csr = openssl_csr(world.dir(), name, KeyKind::P256, &subject, &[]);
        world.issue(&csr.der);
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    let says_so = || {
        let job = world.get("/pki/job/publication").as_user("admin").send();
        let job = job.with_status(200).json();
        job["status"] == "failed" && job["result"].as_str().is_some_and(|why| why.contains(&url))
    };
    assert!(eventually(Duration::from_secs(20), says_so));
}
