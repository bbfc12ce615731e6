//! Many questions, in order.

use core::iter::Fuse;
use std::collections::VecDeque;

use crate::error::Error;
use crate::job::Job;
use crate::reader::Reader;
use crate::reply::Reply;
use crate::ticket::Ticket;

/// The replies to a stream of jobs, in the order of the jobs; made by [`Reader::answer_many`]. Dropping it cancels the
/// jobs that have no reply yet.
#[derive(Debug)]
pub struct Replies<'r, I: Iterator<Item = Job>> {
    reader: &'r Reader,
    jobs: Fuse<I>,
    /// Jobs that were handed in, in order.
    ahead: VecDeque<Ticket>,
}

impl Reader {
    /// Answers a stream of jobs on all sessions; the replies come in the order of the jobs. Memory is bounded: jobs are
    /// taken from the stream as replies are taken out, at most four for each session ahead.
    ///
    /// A job that has no reply has an error in its place; the others go on. Several threads may do this at the same time.
    ///
    /// ```
    /// # use blockspan_reader::{Job, Reader, SharedModel};
    /// # let reader = Reader::new(SharedModel::read_file("../fixtures/default.bspan")?)?;
    /// let questions = ["How high is it?", "When was it built?"];
    /// let passage: std::sync::Arc<str> = "It was built in 1862. It is 31 metres high.".into();
    /// let jobs = questions.map(|question| Job::new(question, passage.clone()));
    /// for reply in reader.answer_many(jobs) {
    ///     println!("{}", reply?.answers[0].text);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn answer_many<I: IntoIterator<Item = Job>>(&self, jobs: I) -> Replies<'_, I::IntoIter> {
        Replies { reader: self, jobs: jobs.into_iter().fuse(), ahead: VecDeque::new() }
    }
}

impl<I: Iterator<Item = Job>> Iterator for Replies<'_, I> {
    type Item = Result<Reply, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        // A reply that is there goes out before another job is asked for, which may take time.
        while self.ahead.len() < 4 * self.reader.sessions()
            && !self.ahead.front().is_some_and(Ticket::is_done)
        {
            let Some(job) = self.jobs.next() else { break };
            self.ahead.push_back(self.reader.submit(job));
        }
        self.ahead.pop_front().map(Ticket::wait)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let ((least, most), ahead) = (self.jobs.size_hint(), self.ahead.len());
        (least.saturating_add(ahead), most.and_then(|most| most.checked_add(ahead)))
    }
}
