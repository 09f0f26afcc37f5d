//! Logs to stderr and metrics for `/metrics`.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::MakeWriterExt;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl std::str::FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("the log format is `text` or `json`".into()),
        }
    }
}

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts logging at `level` (`info`, or a tracing filter such as `warn,ca=debug`) and metrics.
/// Further calls in the same process change nothing.
pub fn start(level: &str, format: LogFormat) -> Result<(), String> {
    // The HTTP server announces each of its workers; that is only worth a warning when it fails.
    let quiet = format!("actix_server=warn,{level}");
    let filter = EnvFilter::try_new(quiet).map_err(|e| format!("log: `{level}`: {e}"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr.with_max_level(tracing::Level::TRACE));
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    if METRICS.get().is_none()
        && let Ok(handle) = PrometheusBuilder::new().install_recorder()
    {
        let _ = METRICS.set(handle);
        // Samples pile up until somebody sorts them in, and nobody may ever ask for them.
        std::thread::Builder::new()
            .name("metrics".into())
            .spawn(|| {
                loop {
                    std::thread::sleep(std::time::Duration::from_secs(5));
                    METRICS.get().inspect(|handle| handle.run_upkeep());
                }
            })
            .map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// All metrics in the text format of Prometheus.
pub fn render() -> String {
    METRICS.get().map_or_else(String::new, |handle| {
        handle.run_upkeep();
        handle.render()
    })
}
