//! Workers that are held, and that panic: both by way of what runs the tasks of a session.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::panic::panic_any;
use std::pin::pin;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::task::Wake;
use std::thread;

use blockspan_engine::{Parallel, Serial};

use crate::error::Error;
use crate::job::Job;
use crate::model::SharedModel;
use crate::reader::Reader;
use crate::sync::{lock, wait};

type Sessions = Vec<Box<dyn Parallel + Send>>;

fn start(sessions: Sessions, queue_capacity: usize) -> Reader {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/default.bspan");
    let builder = Reader::builder(SharedModel::read_file(path).unwrap());
    let count = sessions.len();
    let reader = builder
        .max_seq_len(64)
        .queue_capacity(queue_capacity)
        .start(sessions.into_iter().map(Ok), count)
        .unwrap();
    until(|| reader.queue.idle() == count);
    reader
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

fn short() -> Job {
    Job::new("How high is it?", "It is 31 metres high.")
}

/// A job of a dozen windows.
fn long() -> Job {
    let passage = "Gulls nest on the rocks below, and seals sleep on the sand. ".repeat(40);
    Job::new("How high is it?", passage + "It is 31 metres high.")
}

fn text(reply: Result<crate::Reply, Error>) -> String {
    reply.unwrap().answers[0].text.clone()
}

/// Runs tasks once it is open; counts calls.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    calls: AtomicUsize,
}

impl Gate {
    fn set(&self, open: bool) {
        *lock(&self.open) = open;
        self.opened.notify_all();
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

struct Gated(Arc<Gate>);

impl Parallel for Gated {
    fn threads(&self) -> usize {
        1
    }

    fn for_each(&self, n: usize, task: &(dyn Fn(usize) + Sync)) {
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        let mut open = lock(&self.0.open);
        while !*open {
            open = wait(&self.0.opened, open);
        }
        drop(open);
        Serial.for_each(n, task);
    }
}

/// A reader with one session behind a gate, which is shut, and how many calls a job of one window makes.
fn gated(queue_capacity: usize) -> (Reader, Arc<Gate>, usize) {
    let gate = Arc::new(Gate::default());
    let reader = start(vec![Box::new(Gated(Arc::clone(&gate)))], queue_capacity);
    gate.set(true);
    reader.answer(short()).unwrap();
    gate.set(false);
    until(|| reader.queue.idle() == 1);
    let calls = gate.calls();
    (reader, gate, calls)
}

/// Waits at its first call for all others.
struct Meet(Arc<Barrier>, AtomicUsize);

impl Parallel for Meet {
    fn threads(&self) -> usize {
        1
    }

    fn for_each(&self, n: usize, task: &(dyn Fn(usize) + Sync)) {
        if self.1.fetch_add(1, Ordering::SeqCst) == 0 {
            self.0.wait();
        }
        Serial.for_each(n, task);
    }
}

/// The barrier opens only if all three sessions have begun a window of the one job.
#[test]
fn the_windows_of_one_passage_are_read_by_all_idle_sessions() {
    let barrier = Arc::new(Barrier::new(3));
    let meet = || Box::new(Meet(Arc::clone(&barrier), AtomicUsize::new(0))) as Box<dyn Parallel + Send>;
    let reader = start(vec![meet(), meet(), meet()], 8);
    let reply = reader.answer(long());
    assert!(reply.as_ref().unwrap().windows > 8, "{reply:?}");
    assert_eq!(text(reply), "31 metres");
}

/// The barrier opens only if both sessions have begun a job.
#[test]
fn as_many_jobs_are_read_at_the_same_time_as_there_are_sessions() {
    let barrier = Arc::new(Barrier::new(2));
    let meet = || Box::new(Meet(Arc::clone(&barrier), AtomicUsize::new(0))) as Box<dyn Parallel + Send>;
    let reader = start(vec![meet(), meet()], 8);
    let texts: Vec<String> = reader.answer_many([short(), short()]).map(text).collect();
    assert_eq!(texts, ["31 metres high", "31 metres high"]);
}

#[test]
fn a_full_queue_gives_the_job_back() {
    let (reader, gate, _) = gated(2);
    let held = reader.try_submit(short()).unwrap();
    until(|| reader.waiting() == 0 && reader.queue.idle() == 0);
    let waiting = [reader.try_submit(short()).unwrap(), reader.try_submit(short()).unwrap()];
    let full = reader.try_submit(long()).unwrap_err();
    assert_eq!((*full.job == long(), full.capacity, reader.waiting()), (true, 2, 2));
    assert_eq!(full.to_string(), "the queue is full (2 questions wait); try again later");
    gate.set(true);
    for ticket in waiting.into_iter().chain([held]) {
        assert_eq!(text(ticket.wait()), "31 metres high");
    }
}

#[test]
fn a_dropped_ticket_leaves_the_queue_and_is_never_read() {
    let (reader, gate, one_window) = gated(1);
    let held = reader.try_submit(short()).unwrap();
    until(|| reader.waiting() == 0 && reader.queue.idle() == 0);
    let dropped = reader.try_submit(short()).unwrap();
    reader.try_submit(short()).unwrap_err();
    drop(dropped);
    let last = reader.try_submit(short()).unwrap();
    gate.set(true);
    assert_eq!([text(held.wait()), text(last.wait())], ["31 metres high", "31 metres high"]);
    assert_eq!(gate.calls(), 3 * one_window, "the first job, and two more");
}

#[test]
fn a_dropped_ticket_ends_its_job_with_the_window_at_hand() {
    let (reader, gate, one_window) = gated(1);
    let dropped = reader.try_submit(long()).unwrap();
    until(|| gate.calls() > one_window);
    drop(dropped);
    gate.set(true);
    assert_eq!(text(reader.answer(short())), "31 metres high");
    assert_eq!(gate.calls(), 3 * one_window, "one window of the dozen");
}

/// Those that wait, and the one that is being read.
#[test]
fn jobs_of_a_reader_that_is_dropped_get_an_error() {
    let (reader, gate, one_window) = gated(4);
    let tickets = [long(), short(), short()].map(|job| reader.try_submit(job).unwrap());
    until(|| gate.calls() > one_window);
    let queue = Arc::clone(&reader.queue);
    thread::scope(|scope| {
        scope.spawn(|| drop(reader));
        until(|| queue.is_closed());
        gate.set(true);
    });
    for ticket in tickets {
        assert_eq!(ticket.wait(), Err(Error::Closed));
    }
    assert_eq!(gate.calls(), 2 * one_window);
}

#[test]
fn a_reader_may_be_dropped_while_windows_are_lent() {
    let gates = [(); 2].map(|()| Arc::new(Gate::default()));
    let sessions: Sessions = gates.iter().map(|gate| Box::new(Gated(Arc::clone(gate))) as _).collect();
    let reader = start(sessions, 4);
    let ticket = reader.submit(long());
    // Both have begun a window.
    until(|| gates.iter().all(|gate| gate.calls() == 1));
    let queue = Arc::clone(&reader.queue);
    thread::scope(|scope| {
        scope.spawn(|| drop(reader));
        until(|| queue.is_closed());
        gates.iter().for_each(|gate| gate.set(true));
    });
    assert_eq!(ticket.wait(), Err(Error::Closed));
}

/// Panics at the calls with these numbers, counted over all sessions.
struct Panics {
    calls: Arc<AtomicUsize>,
    at: [usize; 3],
}

impl Parallel for Panics {
    fn threads(&self) -> usize {
        1
    }

    fn for_each(&self, n: usize, task: &(dyn Fn(usize) + Sync)) {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        match self.at.iter().position(|at| *at == call) {
            Some(0) => panic!("a text"),
            Some(1) => panic!("a text with a {}", "number"),
            Some(_) => panic_any(7),
            None => Serial.for_each(n, task),
        }
    }
}

#[test]
fn a_panic_is_the_error_of_its_job_and_of_no_other() {
    let (_, _, one_window) = gated(1);
    let at = [one_window + 3, one_window + 4, one_window + 20];
    for count in [1, 2] {
        let calls = Arc::new(AtomicUsize::new(0));
        let session = || Box::new(Panics { calls: Arc::clone(&calls), at }) as Box<dyn Parallel + Send>;
        let reader = start((0..count).map(|_| session()).collect(), 8);
        let replies: Vec<_> = (0..6).map(|_| reader.answer(short())).collect();
        let panics =
            ["a text", "a text with a number", "a panic"].map(|text| Err(Error::Panicked(text.into())));
        assert_eq!(replies[1..4], panics, "{count} sessions");
        for reply in [&replies[0], &replies[4], &replies[5]] {
            assert_eq!(text(reply.clone()), "31 metres high");
        }
        // Every session works: after the panics as before.
        until(|| reader.queue.idle() == count);
    }
}

/// The session that answers lends windows to the other one, which panics.
#[test]
fn a_panic_in_a_window_that_was_lent_is_the_error_of_the_job() {
    let calls = Arc::new(AtomicUsize::new(0));
    let session =
        || Box::new(Panics { calls: Arc::clone(&calls), at: [0, 1, 1] }) as Box<dyn Parallel + Send>;
    let reader = start(vec![session(), session()], 8);
    let reply = reader.answer(long());
    assert!(matches!(reply, Err(Error::Panicked(_))), "{reply:?}");
    until(|| reader.queue.idle() == 2);
    assert_eq!(text(reader.answer(long())), "31 metres");
}

/// Sends itself when it is woken, then panics.
struct Woken(Mutex<Option<Sender<()>>>);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        if let Some(sender) = lock(&self.0).take() {
            sender.send(()).unwrap();
        }
        panic!("a waker that panics");
    }
}

fn woken() -> (Waker, Receiver<()>) {
    let (sender, receiver) = mpsc::channel();
    (Waker::from(Arc::new(Woken(Mutex::new(Some(sender))))), receiver)
}

#[test]
fn a_ticket_wakes_the_task_that_polled_it_last() {
    let (reader, gate, _) = gated(1);
    let mut ticket = pin!(reader.try_submit(short()).unwrap());
    let (first, second) = (woken(), woken());
    for (waker, _) in [&first, &second] {
        assert_eq!(ticket.as_mut().poll(&mut Context::from_waker(waker)), Poll::Pending);
    }
    gate.set(true);
    second.1.recv().unwrap();
    assert!(first.1.try_recv().is_err(), "the first waker was replaced");
    assert!(ticket.is_done());
    let mut poll = || ticket.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(reply) = poll() else { panic!("it has been woken") };
    assert_eq!(text(reply), "31 metres high");
    assert_eq!(poll(), Poll::Ready(Err(Error::Taken)));
    // The panic of the waker harmed nobody.
    assert_eq!(text(reader.answer(short())), "31 metres high");
}

/// Drops the last reference to the reader.
struct Last(Mutex<Option<Arc<Reader>>>, Mutex<Option<Sender<()>>>);

impl Wake for Last {
    fn wake(self: Arc<Self>) {
        drop(lock(&self.0).take());
        lock(&self.1).take().unwrap().send(()).unwrap();
    }
}

/// It waited for itself.
#[test]
fn a_worker_may_drop_the_reader() {
    let (reader, gate, _) = gated(1);
    let mut ticket = pin!(reader.try_submit(short()).unwrap());
    let (sender, receiver) = mpsc::channel();
    let last = Last(Mutex::new(Some(Arc::new(reader))), Mutex::new(Some(sender)));
    let waker = Waker::from(Arc::new(last));
    assert_eq!(ticket.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
    gate.set(true);
    receiver.recv().unwrap();
    let poll = ticket.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(poll, Poll::Ready(Ok(_))), "{poll:?}");
}

#[test]
fn jobs_of_a_stream_that_is_dropped_leave_the_queue() {
    let (reader, gate, _) = gated(8);
    let mut replies = reader.answer_many((0..).map(|_| long()));
    gate.set(true);
    assert_eq!(text(replies.next().unwrap()), "31 metres");
    gate.set(false);
    drop(replies);
    assert_eq!(reader.waiting(), 0);
    gate.set(true);
}
