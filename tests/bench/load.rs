//! Loads and how they are measured.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// What a load showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    /// Answers a second, as the client saw them.
    pub(crate) per_second: f64,
    /// User and system time of the server for each answer.
    pub(crate) cpu_micros: f64,
    /// 99th percentile of the latency.
    pub(crate) p99_millis: f64,
}

/// User and system time that a process has used, microseconds.
pub(crate) fn cpu_micros(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
    let after_name = stat.rsplit_once(')').expect("the name is in parentheses").1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: f64 = [11, 12]
        .iter()
        .map(|i| fields[*i].parse::<f64>().expect("a number"))
        .sum();
    ticks * 10_000.0
}

/// Resident memory of a process, KiB.
pub(crate) fn resident_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("there is one");
    line.split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("a number")
}

/// A script that makes wrk post a file.
pub(crate) fn post_script(body: &str, media_type: &str) -> String {
    format!(
        "local f = io.open('{body}', 'rb'); wrk.body = f:read('*a'); f:close()\n\
         wrk.method = 'POST'; wrk.headers['Content-Type'] = '{media_type}'\n"
    )
}

/// Runs wrk with 64 connections against `url`.
pub(crate) fn wrk(process: u32, url: &str, seconds: u64, script: Option<&str>) -> Figure {
    let mut command = Command::new("wrk");
    command.args(["-t1", "-c64", &format!("-d{seconds}s"), "--latency"]);
    if let Some(script) = script {
        command.args(["-s", script]);
    }
    let before = cpu_micros(process);
    let output = command.arg(url).output().expect("wrk is there");
    let cpu = cpu_micros(process) - before;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("Non-2xx"), "{text}");
    let field = |name: &str, index: usize| -> String {
        let line = text
            .lines()
            .find(|line| line.contains(name))
            .unwrap_or_else(|| panic!("{text}"));
        line.split_whitespace()
            .nth(index)
            .unwrap_or_default()
            .to_owned()
    };
    let requests: f64 = field("requests in", 0).parse().expect("a number");
    Figure {
        per_second: field("Requests/sec", 1).parse().expect("a number"),
        cpu_micros: cpu / requests,
        p99_millis: millis(&field("99%", 1)),
    }
}

fn millis(text: &str) -> f64 {
    let digits: String = text
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    let number: f64 = digits.parse().unwrap_or(0.0);
    match text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "us" => number / 1_000.0,
        "s" => number * 1_000.0,
        _ => number,
    }
}

/// Runs `call` in `clients` threads for `seconds`; each thread makes its own state first.
pub(crate) fn threads<S>(
    process: u32,
    clients: usize,
    seconds: u64,
    state: impl Fn() -> S + Sync,
    call: impl Fn(&S) + Sync,
) -> Figure {
    let states_ready = std::sync::Barrier::new(clients + 1);
    let mut latencies: Vec<Duration> = Vec::new();
    let mut cpu = 0.0;
    let mut elapsed = Duration::ZERO;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| {
                    let state = state();
                    call(&state);
                    states_ready.wait();
                    let start = Instant::now();
                    let mut latencies = Vec::new();
                    while start.elapsed() < Duration::from_secs(seconds) {
                        let before = Instant::now();
                        call(&state);
                        latencies.push(before.elapsed());
                    }
                    latencies
                })
            })
            .collect();
        states_ready.wait();
        let (start, before) = (Instant::now(), cpu_micros(process));
        for worker in workers {
            latencies.extend(worker.join().expect("the load works"));
        }
        elapsed = start.elapsed();
        cpu = cpu_micros(process) - before;
    });
    latencies.sort();
    let count = latencies.len().max(1);
    let p99 = latencies.get(count * 99 / 100).copied().unwrap_or_default();
    let requests = f64::from(u32::try_from(count).expect("a bounded load"));
    Figure {
        per_second: requests / elapsed.as_secs_f64(),
        cpu_micros: cpu / requests,
        p99_millis: p99.as_secs_f64() * 1_000.0,
    }
}
