//! Starting, and what keeps from starting.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use tests::foreign::{Scratch, openssl, path, tool};
use tests::world::{World, eventually, expect_all, free_port, open_private_key, program};

/// Addresses that are always free.
const ANY_PORTS: [&str; 4] = ["--https", "127.0.0.1:0", "--http", "127.0.0.1:0"];

#[test]
fn it_says_where_it_serves_and_stops_when_told() {
    for signal in ["TERM", "INT"] {
        let scratch = Scratch::new("start");
        let started = Started::up(&scratch, &scratch.file("data"), &ANY_PORTS, &[]);

        let addresses: Vec<_> = started.ready().split(' ').map(str::to_owned).collect();
        let [https, http] = &addresses[..] else {
            panic!("not two addresses: {addresses:?}");
        };
        let port = |url: &str, scheme: &str| {
            let port = url
                .strip_prefix(scheme)
                .and_then(|rest| rest.strip_prefix("://127.0.0.1:"));
            port.and_then(|port| port.parse::<u16>().ok())
                .unwrap_or_else(|| panic!("{url}"))
        };
        assert_ne!(port(https, "https"), port(http, "http"));
        let anchor = scratch.file("data/ca.pem");
        let curl = |url: &str| tool("curl", &["-sS", "--fail", "--cacert", path(&anchor), url]);
        assert_eq!(curl(&format!("{https}/ready")), r#"{"status":"ok"}"#);
        assert_eq!(curl(&format!("{http}/health")), r#"{"status":"ok"}"#);

        // Whoever is connected and says nothing holds nobody up.
        let idle = TcpStream::connect(("127.0.0.1", port(http, "http"))).expect("it listens");
        let since = Instant::now();
        let (code, stdout) = started.signal(signal);
        assert_eq!(code, Some(0), "SIG{signal}");
        assert!(
            since.elapsed() < Duration::from_secs(20),
            "{:?}",
            since.elapsed()
        );
        assert_eq!(
            stdout,
            format!("ready {https} {http}\n"),
            "one line, and no other"
        );
        drop(idle);
    }
}

#[test]
fn a_usual_day_leaves_nothing_to_worry_about_in_the_log() {
    let scratch = Scratch::new("log");
    let data = scratch.file("data");
    for _ in 0..2 {
        let started = Started::up(&scratch, &data, &ANY_PORTS, &[]);
        // Somebody who is connected keeps it in its last breath for a moment.
        let https = started.ready();
        let https = https.trim_start_matches("https://").split(' ').next();
        let idle = TcpStream::connect(https.expect("an address")).expect("it listens");
        started.signal("TERM");
        drop(idle);
        let log = fs::read_to_string(scratch.file("stderr")).expect("it is there");
        // What actix says of connections that it turns away is not ours to change.
        let ours = log.lines().filter(|line| !line.contains(" actix_"));
        let alarms = [" WARN ", " ERROR "];
        let worries = ours.filter(|line| alarms.iter().any(|alarm| line.contains(alarm)));
        assert_eq!(worries.collect::<Vec<_>>(), [""; 0]);
        // Colours are for terminals.
        assert!(!log.contains('\u{1b}'), "{log}");
    }
}

#[test]
fn a_later_start_goes_on_where_the_first_stopped_and_is_quick() {
    let mut world = World::up();
    let before = world.record();
    let anchor = fs::read(world.ca_pem()).expect("there is a CA");
    let credentials = contents(&world.data().join("credentials"));
    world.stop();

    let since = Instant::now();
    world.restart();
    // 0.3 seconds when built for release; here enough for a busy machine, not for a timeout.
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "{:?}",
        since.elapsed()
    );

    assert_eq!(world.record(), before);
    assert_eq!(fs::read(world.ca_pem()).expect("there is a CA"), anchor);
    assert_eq!(contents(&world.data().join("credentials")), credentials);
}

#[test]
fn a_port_in_use_is_said_and_leaves_nothing() {
    let scratch = Scratch::new("ports");
    let data = scratch.file("data");
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let taken = listener
        .local_addr()
        .expect("a bound socket has an address");
    let taken = taken.to_string();
    for arguments in [
        ["--https", &taken, "--http", "127.0.0.1:0"],
        ["--https", "127.0.0.1:0", "--http", &taken],
    ] {
        let line = refused_up(&data, &arguments, &[]);
        assert!(line.contains(&taken), "{line}");
        assert!(!data.exists());
    }
}

#[test]
fn without_addresses_it_listens_on_loopback() {
    let scratch = Scratch::new("defaults");
    let data = scratch.file("data");
    // Whoever has these ports, we or somebody else: they are taken, and the refusal names them.
    for (default, arguments) in [
        ("127.0.0.1:8443", ["--http", "127.0.0.1:0"]),
        ("127.0.0.1:8080", ["--https", "127.0.0.1:0"]),
    ] {
        let _taken = TcpListener::bind(default);
        let line = refused_up(&data, &arguments, &[]);
        assert!(line.contains(default), "{line}");
        assert!(!data.exists());
    }
}

#[test]
fn nothing_listens_beyond_loopback() {
    let world = World::up();
    let sockets = sockets(world.process().id());

    let listening: Vec<_> = sockets.iter().filter(|socket| socket.listens).collect();
    assert_eq!(listening.len(), 2, "HTTPS and HTTP: {sockets:?}");
    for socket in sockets {
        // 127.0.0.1, as the kernel writes it on a little-endian machine.
        let loopback = u32::from_ne_bytes([127, 0, 0, 1]);
        assert!(
            socket.local.starts_with(&format!("{loopback:08X}:")),
            "{socket:?}"
        );
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_said_and_stays_as_it_is() {
    let scratch = Scratch::new("unwritable");
    let file = scratch.file("file");
    fs::write(&file, "mine").expect("the scratch folder is writable");
    for data in [
        file.clone(),
        file.join("data"),
        PathBuf::from("/proc/chancery"),
        PathBuf::from("/dev/null/chancery"),
    ] {
        let line = refused_up(&data, &ANY_PORTS, &[]);
        assert!(line.contains(path(&data)), "{line}");
    }
    assert_eq!(
        fs::read_to_string(&file).expect("it is still there"),
        "mine"
    );
    assert_eq!(names(scratch.path()), ["file"]);

    // The usual case; but root may write everywhere, and has to become somebody else first.
    let closed = scratch.file("closed");
    fs::create_dir(&closed).expect("the scratch folder is writable");
    fs::set_permissions(&closed, Permissions::from_mode(0o555)).expect("it is ours");
    let data = closed.join("data");
    let up = ["up", "--data-dir", path(&data)];
    let line = match fs::metadata("/proc/self")
        .expect("/proc tells who runs this")
        .uid()
    {
        0 => {
            let copy = scratch.file("chancery");
            fs::copy(program("chancery"), &copy).expect("the scratch folder is writable");
            let nobody = [
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                path(&copy),
            ];
            let arguments = [&nobody[..], &up, &ANY_PORTS].concat();
            refused(Path::new("setpriv"), &owned(&arguments), &[])
        }
        _ => refused(
            &program("chancery"),
            &owned(&[&up[..], &ANY_PORTS].concat()),
            &[],
        ),
    };
    assert!(line.contains(path(&data)), "{line}");
    assert_eq!(names(&closed), [""; 0]);
}

#[test]
fn wrong_settings_are_named_and_leave_nothing() {
    let scratch = Scratch::new("settings");
    let (data, missing) = (scratch.file("data"), scratch.file("missing.key"));
    let source = format!("file:{}", missing.display());
    let flags: [(&[&str], &str); 16] = [
        (&["--colour"], "--colour"),
        (&["--colour", "red"], "--colour"),
        (&["extra"], "extra"),
        (&["--log"], "--log"),
        (&["--https", "nowhere"], "--https"),
        (&["--http", "127.0.0.1"], "--http"),
        (&["--log", "=nonsense="], "log"),
        (&["--log-format", "xml"], "--log-format"),
        (&["--public-http-url", "nowhere"], "public_http_url"),
        (&["--hosts", "good.example,not a name"], "not a name"),
        (&["--secret-key", "nowhere"], "--secret-key"),
        (&["--secret-key", &source], path(&missing)),
        (&["--ca-key", "dsa"], "--ca-key"),
        (&["--ca-subject", "nobody"], "ca.subject"),
        (&["--crl-validity-hours", "0"], "crl.validity_hours"),
        (&["--ocsp-validity-minutes", "0"], "ocsp.validity_minutes"),
    ];
    expect_all(flags.map(|(arguments, named)| {
        let own = |name: &str| arguments.contains(&name);
        let ports = ANY_PORTS.chunks(2).filter(|ports| !own(ports[0]));
        let all = [&ports.collect::<Vec<_>>().concat(), arguments].concat();
        let line = refused_up(&data, &all, &[]);
        let seen = (line.contains(named), names(scratch.path()).len());
        (format!("{arguments:?}: {line}"), seen, (true, 0))
    }));
    for (variable, value) in [
        ("CHANCERY_CA_KEY", "dsa"),
        ("CHANCERY_HTTPS", "nowhere"),
        ("CHANCERY_CRL_ON_REVOCATION", "perhaps"),
    ] {
        let arguments: &[&str] = match variable {
            "CHANCERY_HTTPS" => &ANY_PORTS[2..],
            _ => &ANY_PORTS,
        };
        let line = refused_up(&data, arguments, &[(variable, value)]);
        assert!(line.contains(variable), "{line}");
        assert_eq!(names(scratch.path()), [""; 0]);
    }
}

#[test]
fn folders_that_were_made_for_nothing_go_away() {
    let scratch = Scratch::new("deep");
    let data = scratch.file("deep/deeper/data");
    let missing = format!("file:{}", scratch.file("missing.key").display());
    let arguments = [&ANY_PORTS[..], &["--secret-key", &missing]].concat();
    refused_up(&data, &arguments, &[]);
    assert_eq!(names(scratch.path()), [""; 0]);
}

#[test]
fn a_wrong_file_of_settings_is_named_and_stays_alone() {
    let scratch = Scratch::new("file");
    let data = scratch.file("data");
    fs::create_dir(&data).expect("the scratch folder is writable");
    let file = data.join("chancery.toml");
    for (text, named) in [
        ("colour = \"red\"\n", "colour"),
        ("[ca]\ncolour = \"red\"\n", "ca.colour"),
        ("[ca]\nkey = \"dsa\"\n", "ca.key"),
        ("https = 8443\n", "https"),
        ("https = \n", "chancery.toml"),
        ("https: 127.0.0.1:8443\n", "chancery.toml"),
    ] {
        fs::write(&file, text).expect("the scratch folder is writable");
        let arguments = match text.starts_with("https") {
            true => &ANY_PORTS[2..],
            false => &ANY_PORTS,
        };
        let line = refused_up(&data, arguments, &[]);
        assert!(line.contains(path(&file)) && line.contains(named), "{line}");
        assert_eq!(names(&data), ["chancery.toml"]);
        assert_eq!(fs::read_to_string(&file).expect("it is there"), text);
    }
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let scratch = Scratch::new("precedence");
    let [file, environment, flag] = [(); 3].map(|()| format!("127.0.0.1:{}", free_port()));
    for (case, arguments, variables, expected) in [
        ("file", &[][..], &[][..], &file),
        (
            "environment",
            &[],
            &[("CHANCERY_HTTP", &*environment)],
            &environment,
        ),
        (
            "flag",
            &["--http", &*flag],
            &[("CHANCERY_HTTP", &environment)],
            &flag,
        ),
    ] {
        // The operator may write the file before the first start, and it stays.
        let data = scratch.file(case);
        fs::create_dir(&data).expect("the scratch folder is writable");
        let text = format!("https = \"127.0.0.1:0\"\nhttp = \"{file}\"\n");
        fs::write(data.join("chancery.toml"), &text).expect("the scratch folder is writable");

        let started = Started::up(&scratch, &data, arguments, variables);

        assert!(
            started.ready().ends_with(&format!(" http://{expected}")),
            "{case}"
        );
        let kept = fs::read_to_string(data.join("chancery.toml")).expect("it is there");
        assert_eq!(kept, text);
    }
}

#[test]
fn a_folder_that_is_not_ours_to_open_is_said_and_stays_as_it_is() {
    let mut world = World::up();
    world.stop();
    let data = world.data();
    settle(&data);
    let (version, secret) = (data.join("version"), data.join("secret.key"));

    let refused = |change: &dyn Fn(), undo: &dyn Fn(), named: &str| {
        change();
        let before = contents(&data);
        let line = refused_up(&data, &ANY_PORTS, &[]);
        assert!(line.contains(named), "{named}: {line}");
        assert!(contents(&data) == before, "{named}: something has changed");
        undo();
    };
    let write = |file: &Path, bytes: &[u8]| fs::write(file, bytes).expect("it is writable");
    let old = [&version, &secret].map(|file| fs::read(file).expect("it is there"));

    let restore = || write(&version, &old[0]);
    refused(&|| write(&version, b"99"), &restore, "version 99");
    refused(&|| write(&version, b"nonsense"), &restore, "nonsense");
    let restore = || write(&secret, &old[1]);
    refused(
        &|| write(&secret, &[7; 32]),
        &restore,
        "cannot be decrypted",
    );
    refused(&|| write(&secret, &[7; 31]), &restore, "32 bytes");
    let remove = || fs::remove_file(&secret).expect("it is there");
    refused(&remove, &restore, "secret.key");
    for service in ["ca", "kra", "ocsp"] {
        let database = data.join(format!("{service}/{service}.db"));
        let sql = |sql: &str| {
            let opened = SqliteConnection::establish(path(&database));
            let mut connection = opened.expect("the database opens");
            connection
                .batch_execute(sql)
                .expect("the statement is good");
        };
        let add = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231')";
        let remove = "DELETE FROM __diesel_schema_migrations WHERE version = '29991231'";
        refused(&|| sql(add), &|| sql(remove), "29991231");
    }

    // Nothing of this has done any harm.
    world.restart();
    assert_eq!(world.get("/ready").send().status, 200);
}

#[test]
fn a_database_that_is_gone_is_missed_and_not_begun_anew() {
    let mut world = World::up();
    world.stop();
    settle(&world.data());
    for service in ["ca", "kra", "ocsp"] {
        let database = world.data().join(format!("{service}/{service}.db"));
        let kept = world.dir().join("kept.db");
        fs::rename(&database, &kept).expect("it is there");
        let line = refused_up(&world.data(), &ANY_PORTS, &[]);
        assert!(line.contains(path(&database)), "{line}");
        assert!(!database.exists(), "an empty one would hide the loss");
        fs::rename(&kept, &database).expect("nothing stands there");
    }
}

#[test]
fn a_folder_belongs_to_one_process() {
    let world = World::up();
    let line = refused_up(&world.data(), &ANY_PORTS, &[]);
    assert!(line.contains("in use"), "{line}");
    let data = world.data();
    let arguments = ["init", "--separate", "--data-dir", path(&data)];
    let line = refused(&program("chancery"), &owned(&arguments), &[]);
    assert!(line.contains("in use"), "{line}");
    assert_eq!(world.get("/ready").send().status, 200);
}

#[test]
fn services_that_run_alone_need_a_folder_that_is_whole() {
    let scratch = Scratch::new("alone");
    let (missing, empty) = (scratch.file("missing"), scratch.file("empty"));
    fs::create_dir(&empty).expect("the scratch folder is writable");
    for service in ["ca", "kra", "ocsp"] {
        let program = program(&format!("chancery-{service}"));
        let start = |data: &Path, more: &[&str]| {
            let mut arguments = vec!["--data-dir", path(data), "--https", "127.0.0.1:0"];
            if service != "kra" {
                arguments.extend(["--http", "127.0.0.1:0"]);
            }
            arguments.extend(more);
            refused(&program, &owned(&arguments), &[])
        };
        let line = start(&missing, &[]);
        assert!(
            line.contains(path(&missing)) && line.contains("chancery init"),
            "{line}"
        );
        assert!(!missing.exists());
        let line = start(&empty, &[]);
        assert!(
            line.contains(path(&empty)) && line.contains("chancery init"),
            "{line}"
        );
        assert_eq!(names(&empty), [""; 0]);
        let line = start(&missing, &["--colour"]);
        assert!(line.contains("--colour"), "{line}");
    }
}

#[test]
fn an_installation_is_made_whole_or_not_at_all() {
    let scratch = Scratch::new("init");
    let data = scratch.file("data");
    let init = |arguments: &[&str]| {
        let fixed = ["init", "--data-dir", path(&data)];
        let all = [&fixed, arguments].concat();
        refused(&program("chancery"), &owned(&all), &[])
    };
    let wrong = [
        (&[][..], "--separate"),
        (&["--separate", "--colour"], "--colour"),
        (&["--separate", "--ca-url", "nowhere"], "--ca-url"),
        (
            &["--separate", "--kra-url", "http://127.0.0.1:8444"],
            "--kra-url",
        ),
        (
            &["--separate", "--ocsp-url", "https://127.0.0.1:0x1"],
            "--ocsp-url",
        ),
        (
            &["--separate", "--ca-http-url", "ftp://x.example"],
            "--ca-http-url",
        ),
        (&["--separate", "--ca-key", "dsa"], "--ca-key"),
        (&["--separate", "--ca-subject", "nobody"], "--ca-subject"),
        (
            &["--separate", "--ca-url", "https://under_score.example:1"],
            "under_score",
        ),
    ];
    expect_all(wrong.map(|(arguments, named)| {
        let line = init(arguments);
        let seen = (line.contains(named), names(scratch.path()).len());
        (format!("{arguments:?}: {line}"), seen, (true, 0))
    }));

    let made = Command::new(program("chancery"))
        .args(["init", "--separate", "--data-dir", path(&data)])
        .output()
        .expect("our program can be started");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    check_secrets(
        &data,
        &["ca", "kra", "ocsp"].map(|service| data.join(service).join("secret.key")),
    );
    let before = contents(&data);
    let line = init(&["--separate"]);
    assert!(line.contains("already"), "{line}");
    assert!(contents(&data) == before);
}

#[test]
fn secrets_are_for_their_owner_and_keys_are_encrypted() {
    let world = World::up();
    check_secrets(&world.data(), &[world.data().join("secret.key")]);
    for user in ["admin", "agent1", "agent2", "agent3", "auditor", "token"] {
        let pem = world.credential(user);
        let certified = openssl(&["x509", "-noout", "-pubkey", "-in", path(&pem)]);
        assert_eq!(openssl(&["pkey", "-pubout", "-in", path(&pem)]), certified);
        let password = format!("file:{}", pem.with_extension("p12.password").display());
        let bundle = pem.with_extension("p12");
        let opened = [
            "pkcs12",
            "-in",
            path(&bundle),
            "-passin",
            &password,
            "-nodes",
        ];
        let key = openssl(&[&opened[..], &["-nocerts"]].concat());
        let begin = key
            .find("-----BEGIN PRIVATE KEY-----")
            .expect("there is a key");
        let text = fs::read_to_string(&pem).expect("it is readable");
        assert!(
            text.contains(key[begin..].trim()),
            "{user}: the same key in both forms"
        );
    }
}

/// Everything that must not be seen is 0600 in folders that are 0700, and private keys are
/// encrypted under the key of the service.
fn check_secrets(data: &Path, secrets: &[PathBuf]) {
    let mut keys = 0;
    for (name, bytes) in contents(data) {
        let file = data.join(&name);
        let mode = fs::metadata(&file).expect("it is there").mode() & 0o777;
        let extension = name.rsplit('.').next().unwrap_or_default();
        let credential = name.starts_with("credentials/");
        let key = ["p8", "key"].contains(&extension);
        assert!(!(credential || key) || mode == 0o600, "{name} is {mode:o}");
        assert_eq!(mode & 0o022, 0, "{name} is {mode:o}");
        let parent = file.parent().expect("a file is in a folder");
        let private = fs::metadata(parent).expect("it is there").mode() & 0o077 == 0;
        assert!(
            private || !(credential || name.contains(".db")),
            "{name} lies open"
        );

        let text = String::from_utf8_lossy(&bytes);
        let plain = text.contains("BEGIN PRIVATE KEY") || text.contains("BEGIN EC PRIVATE KEY");
        assert_eq!(plain, credential && extension == "pem", "{name}");
        if extension == "p8" {
            keys += 1;
            assert!(
                text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"),
                "{name}"
            );
            let service = name.split('/').next().unwrap_or_default();
            let own = secrets
                .iter()
                .find(|secret| secret.starts_with(data.join(service)));
            let opened = open_private_key(&file, own.unwrap_or(&secrets[0]));
            assert!(opened.starts_with("-----BEGIN PRIVATE KEY-----"));
        }
    }
    assert!(
        keys >= 6,
        "signing, TLS, subsystem and transport keys: {keys}"
    );
    for secret in secrets {
        assert_eq!(fs::read(secret).expect("it is there").len(), 32);
    }
}

/// A start that has come to `ready`. Killed when dropped.
struct Started {
    child: Child,
    stdout: PathBuf,
}

impl Started {
    fn up(scratch: &Scratch, data: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let stdout = scratch.file("stdout");
        let child = Command::new(program("chancery"))
            .args(["up", "--log", "warn", "--data-dir", path(data)])
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).expect("the scratch folder is writable"))
            .stderr(File::create(scratch.file("stderr")).expect("the scratch folder is writable"))
            .spawn()
            .expect("our program can be started");
        let started = Self { child, stdout };
        let ready = || started.output().contains("ready ");
        assert!(
            eventually(Duration::from_secs(60), ready),
            "it does not start"
        );
        started
    }

    fn output(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap_or_default()
    }

    /// What follows the word.
    fn ready(&self) -> String {
        let output = self.output();
        let lines = output.lines().find_map(|line| line.strip_prefix("ready "));
        lines.expect("it was ready").to_owned()
    }

    /// Sends a signal and waits for the end: exit code, and all that was printed.
    fn signal(mut self, signal: &str) -> (Option<i32>, String) {
        tool("kill", &["-s", signal, &self.child.id().to_string()]);
        let status = self.child.wait().expect("the process can be waited for");
        (status.code(), self.output())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The line with which `chancery up` refuses to start.
#[track_caller]
fn refused_up(data: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let all = [&["up", "--data-dir", path(data)], arguments].concat();
    refused(&program("chancery"), &owned(&all), variables)
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments
        .iter()
        .map(|argument| (*argument).to_owned())
        .collect()
}

/// The one line with which a program refuses to start.
#[track_caller]
fn refused(program: &Path, arguments: &[String], variables: &[(&str, &str)]) -> String {
    let output = Command::new("timeout")
        .arg("30")
        .arg(program)
        .args(arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("there is `timeout`");
    let code = output.status.code().unwrap_or(0);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        ![0, 124, 137].contains(&code),
        "{arguments:?}: exit code {code}\n{stderr}"
    );
    assert!(
        output.stdout.is_empty(),
        "{arguments:?}: standard output is for `ready`"
    );
    let line = stderr.strip_suffix('\n').unwrap_or(&stderr);
    assert!(
        line.starts_with("error: ") && !line.contains('\n'),
        "{arguments:?}: {stderr}"
    );
    line.to_owned()
}

/// All files below a folder with what is in them; what SQLite and the lock leave does not count.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("the folder can be read") {
            let entry = entry.expect("the folder can be read").path();
            let name = entry
                .strip_prefix(folder)
                .expect("it is below")
                .display()
                .to_string();
            if entry.is_dir() {
                folders.push(entry);
            } else if !name.ends_with("-wal") && !name.ends_with("-shm") && !name.ends_with(".lock")
            {
                found.insert(name, fs::read(entry).expect("the file can be read"));
            }
        }
    }
    found
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<_> = entries.flatten().map(name).collect();
    names.sort();
    names
}

/// Brings what SQLite keeps beside its databases into them, so that their bytes can be compared.
fn settle(data: &Path) {
    for service in ["ca", "kra", "ocsp"] {
        let database = data.join(format!("{service}/{service}.db"));
        let opened = SqliteConnection::establish(path(&database));
        let mut connection = opened.expect("the database opens");
        let settled = connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)");
        settled.expect("nobody else has it open");
    }
}

/// A TCP or UDP socket of a process that waits for others.
#[derive(Debug)]
struct Socket {
    local: String,
    listens: bool,
}

/// The sockets of a process, by the kernel's tables.
fn sockets(process: u32) -> Vec<Socket> {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).expect("the process is ours");
    let links = descriptors
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok());
    let links: Vec<_> = links.map(|link| link.display().to_string()).collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let text = fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<_> = line.split_whitespace().collect();
            let [_, local, _, state, _, _, _, _, _, inode, ..] = fields[..] else {
                continue;
            };
            if links.contains(&format!("socket:[{inode}]")) {
                found.push(Socket {
                    local: local.to_owned(),
                    listens: state == "0A",
                });
            }
        }
    }
    found
}
