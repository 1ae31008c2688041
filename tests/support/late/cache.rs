//! The reads of one operation, as a server's client has them: each question with its answer. An operation
//! reads from here only. A question without an answer is noted, and the run is void; all noted questions are
//! read in one request, and the operation runs again.
//!
//! The answers that a decision has used are its guards: the questions are asked again when its steps are
//! applied.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::fmt::Debug;

use keyval::base::error::{Code, Error, Result};
use keyval::store::ReadTxn;
use keyval::store::rows::index::IndexRow;

use super::reads::{Reads, indexes};

/// More than any operation needs: if it is reached, the operation asks a new question each time.
const TOO_MANY_ROUNDS: usize = 50;

/// The answer to a question, and its text, by which answers are compared.
pub struct Answer {
    value: Box<dyn Any + Send>,
    text: String,
}

/// A question to a snapshot.
pub trait Question: Send {
    fn text(&self) -> &str;
    fn ask(&self, txn: &mut dyn ReadTxn) -> Answer;
}

type Ask<T> = Box<dyn Fn(&mut dyn ReadTxn) -> Result<T> + Send>;

/// A question with answers of one type.
pub struct QuestionOf<T> {
    text: String,
    ask: Ask<T>,
}

impl<T: Debug + Send + 'static> QuestionOf<T> {
    pub fn new(text: impl Debug, ask: impl Fn(&mut dyn ReadTxn) -> Result<T> + Send + 'static) -> Self {
        Self { text: format!("{text:?}"), ask: Box::new(ask) }
    }

    pub fn boxed(self) -> Box<dyn Question> {
        Box::new(self)
    }
}

impl<T: Debug + Send + 'static> Question for QuestionOf<T> {
    fn text(&self) -> &str {
        &self.text
    }

    fn ask(&self, txn: &mut dyn ReadTxn) -> Answer {
        let answer = (self.ask)(txn);
        Answer { text: format!("{answer:?}"), value: Box::new(answer) }
    }
}

struct Known {
    question: Box<dyn Question>,
    answer: Answer,
    /// The request that brought it; 0: remembered from an earlier operation.
    round: usize,
}

/// The known answers; see the head of this file.
#[derive(Default)]
pub struct Cache {
    pub now_ms: i64,
    known: HashMap<String, Known>,
    missed: Vec<Box<dyn Question>>,
    /// The questions of the last run.
    used: HashSet<String>,
    has_missed: bool,
    /// The last request, and whether every earlier operation was applied by then.
    round: usize,
    was_first: bool,
}

impl Cache {
    /// Only the time, and the remembered definitions of indexes.
    pub fn at(now_ms: i64, remembered: Option<&Result<Vec<IndexRow>>>) -> Self {
        let mut cache = Self { now_ms, ..Self::default() };
        if let Some(rows) = remembered {
            let answer = Answer { text: format!("{rows:?}"), value: Box::new(rows.clone()) };
            let question = indexes().boxed();
            cache.known.insert(question.text().to_string(), Known { question, answer, round: 0 });
        }
        cache
    }

    /// Runs an operation; `None` if it asked an unanswered question.
    pub fn run<R>(&mut self, operation: impl FnOnce(&mut Reads<'_>) -> R) -> Option<R> {
        self.used.clear();
        self.has_missed = false;
        let result = operation(&mut Reads(self));
        if self.has_missed {
            return None;
        }
        if !self.is_unconfirmed() {
            self.missed.clear();
        }
        Some(result)
    }

    /// The known answer; else the question is noted, and the run ends.
    pub fn answer<T: Clone + Debug + Send + 'static>(&mut self, question: QuestionOf<T>) -> Result<T> {
        let Some(known) = self.known.get(&question.text) else {
            self.has_missed = true;
            self.note(question.boxed());
            return Err(Error::new(Code::Busy, "not read yet"));
        };
        let answer =
            known.answer.value.downcast_ref::<Result<T>>().expect("an answer of another type").clone();
        let (is_remembered, text) = (known.round == 0, question.text.clone());
        if is_remembered {
            self.note(question.boxed());
        }
        self.used.insert(text);
        answer
    }

    /// Notes a question for the next request.
    pub fn note(&mut self, question: Box<dyn Question>) {
        let is_known = self.known.get(question.text()).is_some_and(|known| known.round > 0);
        if !is_known && self.missed.iter().all(|missed| missed.text() != question.text()) {
            self.missed.push(question);
        }
    }

    /// Reads the noted questions in one request. If time has passed since the last one, everything is read
    /// again, because liveness depends on the time.
    pub fn fetch(&mut self, txn: &mut dyn ReadTxn, is_first: bool) {
        self.round += 1;
        assert!(self.round < TOO_MANY_ROUNDS, "it asks for more without an end: {:?}", self.used);
        self.was_first = is_first;
        if txn.now_ms() != self.now_ms {
            self.now_ms = txn.now_ms();
            self.refresh(txn);
        }
        for question in std::mem::take(&mut self.missed) {
            let (answer, round) = (question.ask(txn), self.round);
            self.known.insert(question.text().to_string(), Known { question, answer, round });
        }
    }

    /// Reads all of it again.
    pub fn refresh(&mut self, txn: &mut dyn ReadTxn) {
        self.now_ms = txn.now_ms();
        for known in self.known.values_mut() {
            (known.answer, known.round) = (known.question.ask(txn), self.round);
        }
    }

    /// The answers after some steps, which came with the request that applied them.
    pub fn after(then: Vec<Box<dyn Question>>, txn: &mut dyn ReadTxn) -> Self {
        let mut cache = Self { now_ms: txn.now_ms(), missed: then, ..Self::default() };
        cache.fetch(txn, true);
        cache
    }

    fn rounds(&self) -> impl Iterator<Item = usize> {
        self.used.iter().filter_map(|text| self.known.get(text)).map(|known| known.round)
    }

    /// Whether all used answers are of one snapshot that has every earlier operation.
    pub fn is_one_snapshot(&self) -> bool {
        self.rounds().all(|round| round == self.round && round > 0 && self.was_first)
    }

    /// Whether a remembered answer was used that no request has confirmed.
    pub fn is_unconfirmed(&self) -> bool {
        self.rounds().any(|round| round == 0)
    }

    /// Whether a later snapshot gives the same answers to the used questions.
    pub fn holds(&self, txn: &mut dyn ReadTxn) -> bool {
        let used = self.used.iter().filter_map(|text| self.known.get(text));
        used.into_iter().all(|known| known.question.ask(txn).text == known.answer.text)
    }

    /// The definitions of indexes, to be remembered.
    pub fn definitions(&self) -> Option<Result<Vec<IndexRow>>> {
        let known = self.known.get(indexes().text())?;
        known.answer.value.downcast_ref().cloned()
    }
}
