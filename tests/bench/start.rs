//! Start time and memory.

use std::time::{Duration, Instant};

use tests::foreign::Scratch;
use tests::world::{Running, free_port, program};

use crate::load::resident_kib;

/// Prints the time to the `ready` line at first and later starts, and memory at idle.
pub(crate) fn report() {
    let scratch = Scratch::new("bench-start");
    let data = scratch.path().join("data").display().to_string();
    let start = || {
        let address = |_| format!("127.0.0.1:{}", free_port());
        let [https, http] = [address(()), address(())];
        let arguments = [
            "up",
            "--log",
            "error",
            "--data-dir",
            &data,
            "--https",
            &https,
            "--http",
            &http,
        ];
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let before = Instant::now();
        let (running, _) = Running::start(&program("chancery"), &arguments);
        (running, before.elapsed())
    };
    let (running, first) = start();
    std::thread::sleep(Duration::from_secs(1));
    let idle = resident_kib(running.id());
    assert_eq!(running.terminate(), Some(0));
    let (running, later) = start();
    std::thread::sleep(Duration::from_secs(1));
    let idle_later = resident_kib(running.id());
    assert_eq!(running.terminate(), Some(0));
    let mib = |kib: u64| f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0;
    println!("first start {first:.2?} (aim 2 s), later start {later:.2?} (aim 0.3 s)");
    println!(
        "idle memory {:.1} MiB after the first start, {:.1} MiB after a later one (aim 40 MiB)",
        mib(idle),
        mib(idle_later)
    );
}
