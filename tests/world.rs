//! A PKI to tell stories about: real processes on free ports, asked with curl.

use std::fmt::Debug;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::foreign::{Scratch, openssl};

/// A program of ours, built beside the test binary by `make test`.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test knows where it is");
    // `target/<profile>/deps/<test>`, or `target/<profile>/<program>` for the bench.
    let target = test
        .ancestors()
        .skip(1)
        .find(|folder| !folder.ends_with("deps"));
    let target = target.expect("programs lie in a folder");
    let path = target.join(name);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --workspace` first",
        path.display()
    );
    path
}

/// A port that nobody listens on now, below those that outgoing connections get: a restart finds
/// it free again.
pub fn free_port() -> u16 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Test runs side by side begin at different places.
        let place = std::process::id().wrapping_mul(97).wrapping_add(count) % 20_000;
        let port = u16::try_from(12_000 + place).expect("it is below 32,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// One of our programs, running. Killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts `program` and does not wait for anything.
    pub fn start_at_once(program: &Path, arguments: &[String]) -> Self {
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("our program can be started");
        Self { child }
    }

    /// Starts `program` and waits for its `ready` line; gives what follows the word.
    pub fn start(program: &Path, arguments: &[String]) -> (Self, String) {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("our program can be started");
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut lines = BufReader::new(stdout).lines();
        let running = Self { child };
        loop {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("{program:?} {arguments:?} ended before it was ready"));
            if let Some(addresses) = line.expect("stdout is text").strip_prefix("ready ") {
                return (running, addresses.to_owned());
            }
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM and waits for the end; gives the exit code.
    pub fn terminate(mut self) -> Option<i32> {
        let sent = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(sent.expect("kill is there").success());
        self.child
            .wait()
            .expect("the process can be waited for")
            .code()
    }

    /// Kills the process at once, as a crash would.
    pub fn kill(mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process can be waited for");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How the services are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrangement {
    Up,
    Separate,
}

/// A running PKI in a folder of its own.
#[derive(Debug)]
pub struct World {
    arrangement: Arrangement,
    running: Vec<(&'static str, Running)>,
    arguments: Vec<String>,
    ports: [u16; 5],
    dir: Scratch,
}

impl World {
    /// `chancery up` with defaults.
    pub fn up() -> Self {
        Self::up_with(&[])
    }

    /// `chancery up` with further arguments. Certificates point to `http://127.0.0.1:PORT`, which
    /// every foreign tool understands.
    pub fn up_with(arguments: &[&str]) -> Self {
        Self::begin(Arrangement::Up, arguments)
    }

    /// The three services as processes of their own.
    pub fn separate() -> Self {
        let world = Self::begin_stopped(Arrangement::Separate, &[]);
        let [ca, ca_http, kra, ocsp, ocsp_http] = world.ports;
        let made = Command::new(program("chancery"))
            .args(["init", "--separate", "--data-dir"])
            .arg(world.data())
            .args(["--ca-url", &format!("https://127.0.0.1:{ca}")])
            .args(["--kra-url", &format!("https://127.0.0.1:{kra}")])
            .args(["--ocsp-url", &format!("https://127.0.0.1:{ocsp}")])
            .args(["--ca-http-url", &format!("http://127.0.0.1:{ca_http}")])
            .args(["--ocsp-http-url", &format!("http://127.0.0.1:{ocsp_http}")])
            .output()
            .expect("chancery can be started");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        world.started()
    }

    fn begin(arrangement: Arrangement, arguments: &[&str]) -> Self {
        Self::begin_stopped(arrangement, arguments).started()
    }

    fn begin_stopped(arrangement: Arrangement, arguments: &[&str]) -> Self {
        Self {
            arrangement,
            running: Vec::new(),
            arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
            ports: std::array::from_fn(|_| free_port()),
            dir: Scratch::new("world"),
        }
    }

    fn started(mut self) -> Self {
        self.start();
        self
    }

    /// Starts what [`World::stop`] stopped, on the same folder.
    pub fn start(&mut self) {
        let data = self.data();
        let [https, http, ..] = self.ports;
        match self.arrangement {
            Arrangement::Up => {
                let mut arguments: Vec<String> =
                    ["up", "--log", "warn"].map(str::to_owned).to_vec();
                arguments.extend(["--data-dir".into(), data.display().to_string()]);
                arguments.extend(["--https".into(), format!("127.0.0.1:{https}")]);
                arguments.extend(["--http".into(), format!("127.0.0.1:{http}")]);
                if !self.arguments.iter().any(|a| a == "--public-http-url") {
                    let url = format!("http://127.0.0.1:{http}");
                    arguments.extend(["--public-http-url".into(), url]);
                }
                arguments.extend(self.arguments.iter().cloned());
                let running = Running::start(&program("chancery"), &arguments).0;
                self.running.push(("up", running));
            }
            Arrangement::Separate => {
                for service in ["ca", "kra", "ocsp"] {
                    let program = program(&format!("chancery-{service}"));
                    let arguments = self.service_arguments(service);
                    let running = Running::start(&program, &arguments).0;
                    self.running.push((service, running));
                }
            }
        }
    }

    fn service_arguments(&self, service: &str) -> [String; 4] {
        let folder = self.data().join(service).display().to_string();
        ["--log", "warn", "--data-dir", &folder].map(str::to_owned)
    }

    /// Kills one of the separate services: `ca`, `kra` or `ocsp`.
    pub fn kill_service(&mut self, service: &str) {
        let running = self.running.iter().position(|(name, _)| *name == service);
        let running = running.expect("this service runs on its own");
        self.running.remove(running).1.kill();
    }

    /// Starts a killed service again, without waiting until it is ready.
    pub fn start_service(&mut self, service: &'static str) {
        let program = program(&format!("chancery-{service}"));
        let running = Running::start_at_once(&program, &self.service_arguments(service));
        self.running.push((service, running));
    }

    /// Stops with SIGTERM, checks that this is clean, and starts again on the same folder.
    pub fn restart(&mut self) {
        self.stop();
        self.start();
    }

    /// The same with other arguments than at first.
    pub fn restart_with(&mut self, arguments: &[&str]) {
        self.arguments = arguments.iter().map(|a| (*a).to_owned()).collect();
        self.restart();
    }

    /// Starts again what was stopped.
    pub fn start_again(&mut self) {
        self.start();
    }

    /// Stops with SIGTERM and checks that this is clean.
    pub fn stop(&mut self) {
        for (_, running) in self.running.drain(..) {
            assert_eq!(running.terminate(), Some(0), "a stop is clean");
        }
    }

    /// Kills all processes without warning and starts again on the same folder.
    pub fn crash_and_restart(&mut self) {
        self.running
            .drain(..)
            .for_each(|(_, running)| running.kill());
        self.start();
    }

    /// A scratch folder for the test's own files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The trust anchor.
    pub fn ca_pem(&self) -> PathBuf {
        self.data().join("ca.pem")
    }

    /// The PEM file of a user's certificate and key.
    pub fn credential(&self, user: &str) -> PathBuf {
        self.data().join("credentials").join(format!("{user}.pem"))
    }

    /// The process of `up`, or of the CA.
    pub fn process(&self) -> &Running {
        let mut running = self.running.iter();
        let found = running.find(|(name, _)| ["up", "ca"].contains(name));
        &found.expect("the world runs").1
    }

    /// Base URL of `up`, or of the CA.
    pub fn https(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports[0])
    }

    /// Base URL of plain HTTP: CRLs and CA certificates.
    pub fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[1])
    }

    /// Base URL of the KRA.
    pub fn kra(&self) -> String {
        match self.arrangement {
            Arrangement::Up => self.https(),
            Arrangement::Separate => format!("https://127.0.0.1:{}", self.ports[2]),
        }
    }

    /// Base URL of the responder over TLS.
    pub fn ocsp(&self) -> String {
        match self.arrangement {
            Arrangement::Up => self.https(),
            Arrangement::Separate => format!("https://127.0.0.1:{}", self.ports[3]),
        }
    }

    /// The URL that certificates name for OCSP.
    pub fn ocsp_url(&self) -> String {
        match self.arrangement {
            Arrangement::Up => format!("{}/ocsp", self.http()),
            Arrangement::Separate => format!("http://127.0.0.1:{}/ocsp", self.ports[4]),
        }
    }

    /// A GET of the CA (or of `up`).
    pub fn get(&self, path: &str) -> Call<'_> {
        self.call("GET", path)
    }

    /// A POST.
    pub fn post(&self, path: &str) -> Call<'_> {
        self.call("POST", path)
    }

    /// A PUT.
    pub fn put(&self, path: &str) -> Call<'_> {
        self.call("PUT", path)
    }

    /// Any method; `path` may also be a whole URL.
    pub fn call(&self, method: &str, path: &str) -> Call<'_> {
        let url = match path.starts_with('/') {
            true => format!("{}{path}", self.https()),
            false => path.to_owned(),
        };
        Call {
            world: self,
            arguments: match method {
                // With -X, curl would wait for a body.
                "HEAD" => vec!["-I".into(), url],
                _ => vec!["-X".into(), method.into(), url],
            },
            body: None,
        }
    }

    /// Sends a PKCS#10 request under a profile and gives the request's id and ETag.
    pub fn submit(&self, profile: &str, csr: &[u8], user: Option<&str>) -> (String, String) {
        let call = self
            .post(&format!("/pki/request/{profile}"))
            .body("application/pkcs10", csr);
        let call = match user {
            Some(user) => call.as_user(user),
            None => call,
        };
        let answer = call.send();
        assert_eq!(answer.status, 201, "{}", answer.text());
        let id = answer.json()["id"]
            .as_str()
            .expect("a request has an id")
            .to_owned();
        (id, answer.header("etag").expect("a request has a tag"))
    }

    /// Asks as `agent1` under caAgentServerCert and gives the serial number of the certificate.
    pub fn issue(&self, csr: &[u8]) -> String {
        let answer = self
            .post("/pki/request/caAgentServerCert")
            .as_user("agent1")
            .body("application/pkcs10", csr)
            .send();
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["certificate"]["id"]
            .as_str()
            .expect("issued at once")
            .to_owned()
    }

    /// Approves a pending request as `agent` and gives the serial number of the certificate.
    pub fn approve(&self, id: &str, agent: &str) -> String {
        let etag = self
            .get(&format!("/pki/request/{id}"))
            .as_user(agent)
            .send()
            .header("etag");
        let answer = self
            .put(&format!("/pki/request/{id}/status"))
            .as_user(agent)
            .header("If-Match", &etag.expect("a request has a tag"))
            .json(r#"{"status":"approved"}"#)
            .send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["certificate"]["id"]
            .as_str()
            .expect("approved means issued")
            .to_owned()
    }

    /// Saves a certificate as PEM and gives its path.
    pub fn save_certificate(&self, serial: &str) -> PathBuf {
        let answer = self
            .get(&format!("/pki/certificate/{serial}"))
            .header("Accept", "application/x-pem-file")
            .send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let path = self.dir().join(format!("{serial}.pem"));
        fs::write(&path, &answer.body).expect("the scratch folder is writable");
        path
    }

    /// Decides on a request as `agent`, who has just looked at it.
    pub fn decide(&self, id: &str, agent: &str, json: &str) -> Answer {
        let reviewed = self
            .get(&format!("/pki/request/{id}"))
            .as_user(agent)
            .send();
        let etag = reviewed.header("etag").expect("a request has a tag");
        self.put(&format!("/pki/request/{id}/status"))
            .as_user(agent)
            .header("If-Match", &etag)
            .json(json)
            .send()
    }

    /// Saves the CRL in force, DER, and gives its path.
    pub fn save_crl(&self) -> PathBuf {
        let answer = self
            .call("GET", &format!("{}/crl/host.crl", self.http()))
            .send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let path = self.dir().join("host.crl");
        fs::write(&path, &answer.body).expect("the scratch folder is writable");
        path
    }

    /// Changes a certificate's status as `agent1`.
    pub fn change_status(&self, serial: &str, json: &str) -> Answer {
        self.put(&format!("/pki/certificate/{serial}/status"))
            .as_user("agent1")
            .json(json)
            .send()
    }
}

/// A JSON string.
#[track_caller]
pub fn text(value: &Value) -> &str {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("this should be text: {value}"))
}

/// What the CA has on record, as far as its lists tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Requests, newest first.
    pub requests: Vec<Value>,
    /// Certificates with their status, newest first.
    pub certificates: Vec<Value>,
    /// The status journal, oldest first.
    pub journal: Vec<Value>,
}

impl World {
    /// What the CA has on record now.
    pub fn record(&self) -> Record {
        let (agent, service) = (self.credential("agent1"), self.service_credential());
        let list = |path: &str, pem: &Path| {
            let answer = self.get(path).with_certificate(pem).send();
            entries(&answer.with_status(200))
        };
        Record {
            requests: list("/pki/requests?limit=1000", &agent),
            certificates: list("/pki/certificates?limit=1000", &agent),
            journal: list("/pki/status-journal", &service),
        }
    }

    /// The PEM file of the responder's own credential, opened as an operator would in an emergency.
    pub fn service_credential(&self) -> PathBuf {
        let folder = self.data().join("ocsp");
        let secret = match self.arrangement {
            Arrangement::Up => self.data().join("secret.key"),
            Arrangement::Separate => folder.join("secret.key"),
        };
        let path = self.dir().join("service.pem");
        if !path.exists() {
            let certificate = fs::read_to_string(folder.join("certificates/subsystem.pem"));
            let key = open_private_key(&folder.join("keys/subsystem.p8"), &secret);
            let pem = certificate.expect("the responder has a certificate") + &key;
            fs::write(&path, pem).expect("the scratch folder is writable");
        }
        path
    }
}

/// Decrypts a private key of ours with openssl; the password is the key-encryption key in hex.
pub fn open_private_key(key: &Path, secret: &Path) -> String {
    let secret = fs::read(secret).expect("there is a key-encryption key");
    let password: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let password = format!("pass:{password}");
    openssl(&[
        "pkcs8",
        "-in",
        key.to_str().expect("our paths are text"),
        "-passin",
        &password,
    ])
}

/// The entries of a list.
pub fn entries(list: &Answer) -> Vec<Value> {
    let json = list.json();
    let entries = json["entries"].as_array();
    entries.expect("a list has entries").clone()
}

/// Compares what came with what was expected, for all cases of a table together.
#[track_caller]
pub fn expect_all<T: PartialEq + Debug>(cases: impl IntoIterator<Item = (String, T, T)>) {
    let differs = |(case, came, expected): (String, T, T)| {
        (came != expected).then(|| format!("{case}: {came:?} instead of {expected:?}"))
    };
    let wrong: Vec<_> = cases.into_iter().filter_map(differs).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Waits until `holds`, at most `limit`; gives whether it came to hold.
pub fn eventually(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < limit {
        if holds() {
            return true;
        }
        sleep(Duration::from_millis(20));
    }
    holds()
}

/// A call in the making.
#[derive(Debug)]
pub struct Call<'a> {
    world: &'a World,
    arguments: Vec<String>,
    body: Option<Vec<u8>>,
}

impl Call<'_> {
    /// As the user with this credential.
    pub fn as_user(mut self, user: &str) -> Self {
        let path = self.world.credential(user).display().to_string();
        self.arguments.extend(["--cert".into(), path]);
        self
    }

    /// With the certificate and key of any PEM file.
    pub fn with_certificate(mut self, pem: &Path) -> Self {
        self.arguments
            .extend(["--cert".into(), pem.display().to_string()]);
        self
    }

    /// With a header; an empty value removes one that curl would send.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.arguments
            .extend(["-H".into(), format!("{name}: {value}")]);
        self
    }

    /// With a body.
    pub fn body(mut self, media_type: &str, body: &[u8]) -> Self {
        self.body = Some(body.to_vec());
        self.header("Content-Type", media_type)
    }

    /// With a JSON body.
    pub fn json(self, body: &str) -> Self {
        self.body("application/json", body.as_bytes())
    }

    /// Calls.
    pub fn send(self) -> Answer {
        let arguments = self.arguments.clone();
        let (answer, output) = self.run();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_ne!(answer.status, 0, "curl {arguments:?}: {errors}");
        answer
    }

    /// Calls; `None` unless a whole answer comes back.
    pub fn try_send(self) -> Option<Answer> {
        let (answer, output) = self.run();
        output.status.success().then_some(answer)
    }

    fn run(self) -> (Answer, Output) {
        let file = Scratch::new("call");
        let (headers, body) = (file.file("headers"), file.file("body"));
        let mut curl = Command::new("curl");
        curl.args([
            "-sS",
            "--max-time",
            "70",
            "--http1.1",
            "-w",
            "%{http_code}",
            "--cacert",
        ])
        .arg(self.world.ca_pem())
        .arg("-D")
        .arg(&headers)
        .arg("-o")
        .arg(&body)
        .args(&self.arguments);
        if let Some(bytes) = &self.body {
            let input = file.file("input");
            fs::write(&input, bytes).expect("the scratch folder is writable");
            curl.arg("--data-binary")
                .arg(format!("@{}", input.display()));
        }
        let output = curl
            .output()
            .expect("curl is there: run tests/install-tools");
        let status = String::from_utf8_lossy(&output.stdout).parse().unwrap_or(0);
        let answer = Answer {
            status,
            headers: fs::read_to_string(&headers).unwrap_or_default(),
            body: fs::read(&body).unwrap_or_default(),
        };
        (answer, output)
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    headers: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The same answer, after checking its status.
    #[track_caller]
    pub fn with_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    /// The ids of a list's entries.
    pub fn ids(&self) -> Vec<String> {
        let body = self.json();
        let entries = body["entries"].as_array().expect("a list has entries");
        entries
            .iter()
            .map(|entry| text(&entry["id"]).to_owned())
            .collect()
    }

    /// A header of the last response.
    pub fn header(&self, name: &str) -> Option<String> {
        let lines = self.headers.lines().rev();
        let mut fields = lines.filter_map(|line| line.split_once(':'));
        let found = fields.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().to_owned())
    }

    /// The slug of a problem, after checking that the answer is a well-formed one with this status.
    #[track_caller]
    pub fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(
            self.header("content-type").as_deref(),
            Some("application/problem+json"),
            "{}",
            self.text()
        );
        let body = self.json();
        assert_eq!(body["status"], status);
        let id = self
            .header("x-request-id")
            .expect("every answer has an X-Request-Id");
        assert_eq!(body["instance"], format!("urn:uuid:{id}"));
        assert!(body["title"].is_string());
        let kind = body["type"].as_str().expect("a problem has a type");
        kind.strip_prefix("/problems/")
            .expect("types are /problems/<slug>")
            .to_owned()
    }

    /// The fields of a problem's violations.
    pub fn violated_fields(&self) -> Vec<String> {
        let body = self.json();
        let violations = body["violations"].as_array().cloned().unwrap_or_default();
        violations
            .iter()
            .filter_map(|v| v["field"].as_str().map(str::to_owned))
            .collect()
    }
}
