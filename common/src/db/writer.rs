//! Group commit for SQLite: one thread owns the only writing connection and puts many waiting
//! transactions into one commit, each behind a savepoint of its own. Callers are answered after the
//! commit, so nothing is acknowledged that is not durable.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use diesel::SqliteConnection;

use super::{Connection, Error, Failure};

/// Transactions that may wait; beyond that callers are told to come back later.
const QUEUE_MAX: usize = 1_024;
/// Transactions in one commit. More adds latency and no speed.
const BATCH_MAX: usize = 128;

pub(super) struct Writer {
    queue: SyncSender<Box<dyn Job>>,
}

/// One waiting transaction.
trait Job: Send {
    fn name(&self) -> &'static str;
    /// Runs the body; `false` asks for a roll-back of its savepoint.
    fn run(&mut self, connection: &mut Connection) -> bool;
    /// Answers the caller: with the result of the body, or with why the commit failed.
    fn answer(self: Box<Self>, committed: Result<(), &str>);
}

struct Transaction<T, E, F> {
    name: &'static str,
    body: F,
    result: Option<Result<T, E>>,
    reply: SyncSender<Result<T, E>>,
}

impl<T, E, F> Job for Transaction<T, E, F>
where
    T: Send,
    E: Failure,
    F: FnMut(&mut Connection) -> Result<T, E> + Send,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, connection: &mut Connection) -> bool {
        let result = (self.body)(connection);
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn answer(self: Box<Self>, committed: Result<(), &str>) {
        let answer = match (committed, self.result) {
            (Err(why), Some(Ok(_))) => Err(E::from(Error::Commit(why.into()))),
            (_, Some(result)) => result,
            (_, None) => Err(E::from(Error::Commit(
                "the transaction did not finish".into(),
            ))),
        };
        // A caller that went away no longer wants to know.
        let _ = self.reply.send(answer);
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

impl Writer {
    pub(super) fn start(connection: SqliteConnection) -> Self {
        let (queue, jobs) = sync_channel(QUEUE_MAX);
        std::thread::Builder::new()
            .name("database-writer".into())
            .spawn(move || run(Connection::Sqlite(Box::new(connection)), &jobs))
            .expect("the system can start a thread");
        Self { queue }
    }

    pub(super) fn write<T, E, F>(&self, name: &'static str, body: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: FnMut(&mut Connection) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = sync_channel(1);
        let job = Box::new(Transaction {
            name,
            body,
            result: None,
            reply,
        });
        match self.queue.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(Error::Busy.into()),
            Err(TrySendError::Disconnected(_)) => return Err(stopped().into()),
        }
        answer.recv().unwrap_or_else(|_| Err(stopped().into()))
    }
}

fn stopped() -> Error {
    Error::Commit("the database writer has stopped".into())
}

fn run(mut connection: Connection, jobs: &Receiver<Box<dyn Job>>) {
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        batch.extend(jobs.try_iter().take(BATCH_MAX - 1));
        commit(&mut connection, batch);
    }
}

fn commit(connection: &mut Connection, mut batch: Vec<Box<dyn Job>>) {
    let committed = connection
        .execute("BEGIN IMMEDIATE")
        .and_then(|()| run_all(connection, &mut batch))
        .and_then(|()| connection.execute("COMMIT"));
    let committed = committed.map_err(|error| {
        tracing::error!(%error, "a database commit failed");
        let _ = connection.execute("ROLLBACK");
        error.to_string()
    });
    metrics::histogram!("database_transactions_per_commit")
        .record(f64::from(u32::try_from(batch.len()).unwrap_or(u32::MAX)));
    for job in batch {
        job.answer(committed.as_ref().copied().map_err(String::as_str));
    }
}

fn run_all(connection: &mut Connection, batch: &mut [Box<dyn Job>]) -> Result<(), Error> {
    for job in batch {
        connection.execute("SAVEPOINT job")?;
        let run = catch_unwind(AssertUnwindSafe(|| job.run(connection)));
        let keep = run.unwrap_or_else(|_| {
            tracing::error!(transaction = job.name(), "a transaction panicked");
            false
        });
        match keep {
            true => connection.execute("RELEASE job")?,
            false => connection.execute("ROLLBACK TO job; RELEASE job")?,
        }
    }
    Ok(())
}
