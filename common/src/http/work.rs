//! The one hop from an async worker to a blocking thread.

use std::sync::Arc;

use actix_web::rt::task::spawn_blocking;
use tokio::sync::Semaphore;

use super::Problem;

/// A bounded way to blocking threads. Signing and SQL happen only behind it.
#[derive(Clone, Debug)]
pub struct Work {
    places: Arc<Semaphore>,
}

impl Work {
    /// At most `jobs_max` jobs may be waiting or running.
    pub fn new(jobs_max: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(jobs_max)),
        }
    }

    /// Runs `job` on a blocking thread; 503 with `Retry-After` when all places are taken.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let place = self.places.clone().try_acquire_owned();
        let place = place.map_err(|_| Problem::unavailable("too many requests are waiting"))?;
        let done = spawn_blocking(move || {
            let value = job();
            drop(place);
            value
        });
        done.await.map_err(|error| Problem::internal(&error))
    }
}
