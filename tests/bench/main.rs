//! `make bench`: figures as ratios to the limits of the same machine in the same run.

mod ceiling;
mod issuance;
mod load;
mod ocsp;
mod start;

use load::Figure;

/// How long each load lasts, seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    seconds: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["page", port] => ceiling::serve_page(port.parse().expect("a port")),
        ["quick"] => report(Pace { seconds: 2 }),
        [] => report(Pace { seconds: 6 }),
        _ => {
            eprintln!("usage: bench [quick]");
            std::process::exit(2);
        }
    }
}

fn report(pace: Pace) {
    println!("== start and memory of `chancery up`");
    start::report();

    println!("== ceilings: one core of this machine, one operation after the other");
    let ceilings = ceiling::measure();
    ceilings.print();

    println!("== OCSP over plain HTTP, 64 connections, beside the bare server's static page");
    let page = ceiling::page(pace);
    print_figure("static page of 500 bytes", &page);
    for (name, figure) in ocsp::measure(pace) {
        let ratio = page.cpu_micros / figure.cpu_micros;
        print_figure(&name, &figure);
        println!("{:56} ratio of server CPU to the page {ratio:.2}", "");
        if name.contains("nonce") {
            let bound = page.cpu_micros + ceilings.sign_p256;
            println!(
                "{:56} ratio to page + signature {:.2}",
                "",
                bound / figure.cpu_micros
            );
        }
    }

    println!("== certificates through caAgentServerCert, mutual TLS, durable in SQLite");
    for key in ["ec-p256", "rsa-2048"] {
        for clients in [8, 64] {
            let figure = issuance::measure(pace, key, clients);
            print_figure(&format!("CA {key}, {clients} clients"), &figure);
            let sign = match key {
                "ec-p256" => ceilings.sign_p256,
                _ => ceilings.sign_rsa_2048,
            };
            let bound = page.cpu_micros + ceilings.verify_p256 + sign + ceilings.insert(clients);
            println!(
                "{:56} ratio to page + verification + signature + durable insert ({bound:.0} us) {:.2}",
                "",
                bound / figure.cpu_micros
            );
        }
    }
}

fn print_figure(name: &str, figure: &Figure) {
    println!(
        "{name:56} {:>8.0}/s  server CPU {:>6.1} us  p99 {:>6.1} ms",
        figure.per_second, figure.cpu_micros, figure.p99_millis
    );
}
