use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::{Connection, Error};

type Connect = Box<dyn Fn() -> Result<Connection, Error> + Send + Sync>;

/// A bounded set of connections, opened when first needed and kept while they work.
pub(super) struct Pool {
    connect: Connect,
    state: Mutex<State>,
    returned: Condvar,
}

struct State {
    idle: Vec<Connection>,
    free: usize,
}

/// How long a caller waits for a connection before it gives up.
const WAIT: Duration = Duration::from_secs(10);

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pool")
    }
}

impl Pool {
    pub(super) fn new(connections_max: usize, connect: Connect) -> Self {
        Self {
            connect,
            state: Mutex::new(State {
                idle: Vec::new(),
                free: connections_max,
            }),
            returned: Condvar::new(),
        }
    }

    /// Closes what lies idle: when one connection is found dead, the others are, too.
    pub(super) fn forget_idle(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.idle.clear();
    }

    /// Borrows a connection.
    pub(super) fn lease(&self) -> Result<Lease<'_>, Error> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, timeout) = self
            .returned
            .wait_timeout_while(state, WAIT, |state| state.free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() && state.free == 0 {
            return Err(Error::Busy);
        }
        state.free -= 1;
        let idle = state.idle.pop();
        drop(state);
        // From here on the lease gives the place back, whatever happens.
        let mut lease = Lease {
            pool: self,
            connection: idle,
            keep: false,
        };
        if lease.connection.is_none() {
            lease.connection = Some((self.connect)()?);
        }
        Ok(lease)
    }
}

/// A borrowed connection. It is closed on return unless [`Lease::keep`] was called, so that a
/// connection with an unknown state never serves anybody else.
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
    keep: bool,
}

impl Lease<'_> {
    pub(super) fn connection(&mut self) -> &mut Connection {
        self.connection
            .as_mut()
            .expect("set before the lease is handed out")
    }

    pub(super) fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let connection = self.connection.take();
        let mut state = self
            .pool
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.free += 1;
        if self.keep {
            state.idle.extend(connection);
        }
        self.pool.returned.notify_one();
    }
}
