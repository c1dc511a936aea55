//! Prompts for the base and the adapted model, answered between two steps.
//!
//! Training is not affected: the weights are restored bit by bit, no generator of the training is used, and nothing is
//! journaled. It is delayed by a fifth of its own time, or by one token per step if that takes longer.

mod reading;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use self::reading::{Reading, Words};
use super::Outbox;
use super::training::Training;
use spartui_data::{self as data, Example};
use spartui_facts::error::{Error, Result};
use spartui_facts::protocol::{About, Answer, CommandId, CommandStatus, Event, Question, Side};
use spartui_facts::recipe::TaskKind;
use spartui_model::{OrFailed, Sampling, Writing};
use spartui_train::{Version, check_token_types, predict_logits, probabilities};

/// The most questions in the queue.
const WAITING: usize = 16;
/// The most tokens that one side writes before the other one continues.
const TOKENS: usize = 8;
/// The share of a step's time for the playground between two steps, and its upper limit. A unit of work is completed:
/// a classifier's answer, or one token.
const SHARE: f64 = 0.2;
const LONG: Duration = Duration::from_millis(500);
/// The time between two checks for commands while paused.
const STILL: Duration = Duration::from_millis(50);
/// The most tokens written for a question.
const LONGEST: usize = 2048;

/// The unanswered questions.
#[derive(Debug, Default)]
pub struct Playground {
    asked: VecDeque<Asked>,
    reading: Reading,
}

#[derive(Debug)]
struct Asked {
    id: CommandId,
    question: Question,
    begun: Option<AnswerInProgress>,
}

/// A question that is being answered.
#[derive(Debug)]
struct AnswerInProgress {
    /// The unfinished sides.
    sides: VecDeque<Answering>,
    sampling: Sampling,
    most: usize,
}

#[derive(Debug)]
struct Answering {
    side: Side,
    version: Version,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Classify(Example),
    Write {
        writing: Writing,
        /// Bytes of its text that were sent.
        sent: usize,
    },
}

/// The tokenizer and the end of a turn.
struct TurnContext<'a> {
    words: &'a Words,
    until: Instant,
}

/// The result of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// There was nothing to do.
    Idle,
    /// Waiting for tokenizer and template to be read.
    Waits,
    /// Some work was done, and there may be more.
    Done,
}

impl Playground {
    /// Whether a question is unanswered.
    pub fn is_busy(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Queues a question.
    pub fn ask(&mut self, id: CommandId, question: Question, outbox: &mut Outbox) {
        let status = if self.asked.len() < WAITING {
            self.asked.push_back(Asked { id, question, begun: None });
            CommandStatus::Queued
        } else {
            CommandStatus::Rejected {
                why: format!("{WAITING} questions wait already; ask again when some are answered"),
            }
        };
        outbox.send(Event::CommandStatus { id, status });
    }

    /// Cancels a question.
    pub fn break_off(&mut self, id: CommandId, outbox: &mut Outbox) {
        if let Some(at) = self.asked.iter().position(|asked| asked.id == id) {
            self.asked.remove(at);
            outbox.send(Event::CommandStatus { id, status: CommandStatus::Rejected { why: "cancelled".into() } });
        }
    }

    /// Rejects all questions.
    pub fn dismiss(&mut self, why: &str, outbox: &mut Outbox) {
        for Asked { id, .. } in self.asked.drain(..) {
            outbox.send(Event::CommandStatus { id, status: CommandStatus::Rejected { why: why.into() } });
        }
    }
}

impl Training {
    /// Answers questions for a short while: between two steps for a share of a step's time, while paused until the
    /// next check for commands.
    pub(super) fn play(&mut self, outbox: &mut Outbox) -> Turn {
        if self.playground.asked.is_empty() {
            return Turn::Idle;
        }
        let last = self.step_seconds.unwrap_or(0.0);
        let patience =
            if self.training_paused() { STILL } else { Duration::try_from_secs_f64(last * SHARE).unwrap_or_default() };
        let until = Instant::now() + patience.min(LONG);
        loop {
            let turn = self.play_once(until, outbox);
            if turn != Turn::Done || Instant::now() >= until {
                return turn;
            }
        }
    }

    /// Works on the oldest question.
    fn play_once(&mut self, until: Instant, outbox: &mut Outbox) -> Turn {
        if self.playground.asked.is_empty() {
            return Turn::Idle;
        }
        let words = match self.playground.reading.words(&self.session) {
            None => return Turn::Waits,
            Some(Ok(words)) => words,
            Some(Err(why)) => {
                self.playground.dismiss(&why, outbox);
                return Turn::Done;
            }
        };
        let Some(mut asked) = self.playground.asked.pop_front() else { return Turn::Idle };
        let turn = match asked.begun.take() {
            None => self.begin_answer(&asked, &words, outbox).map(Some),
            Some(begun) => self.go_on_answering(asked.id, begun, &TurnContext { words: &words, until }, outbox),
        };
        let status = match turn {
            Ok(Some(begun)) => {
                asked.begun = Some(begun);
                self.playground.asked.push_front(asked);
                return Turn::Done;
            }
            Ok(None) => CommandStatus::Applied { step: self.session.step },
            Err(error) => CommandStatus::Rejected { why: error.message().to_owned() },
        };
        outbox.send(Event::CommandStatus { id: asked.id, status });
        Turn::Done
    }

    fn begin_answer(&mut self, asked: &Asked, words: &Words, outbox: &mut Outbox) -> Result<AnswerInProgress> {
        let question = &asked.question;
        let read = self.read(&question.about, words)?;
        let (at, adapted) = self.version_at(question.at)?;
        let start = self.history.of_step(0, 0);
        let base = self.session.base_version(start.as_deref());
        let no_base = base.as_ref().err().cloned();
        let mut sides = VecDeque::new();
        for (side, version) in [(Side::Base, base.ok()), (Side::Adapted, Some(adapted))] {
            let Some(version) = version else { continue };
            let work = match self.session.model.task {
                TaskKind::SequenceClassification => Work::Classify(read.example.clone()),
                TaskKind::CausalLm => {
                    Work::Write { writing: Writing::new(&self.session.model, &read.example.tokens)?, sent: 0 }
                }
            };
            sides.push_back(Answering { side, version, work });
        }
        let tokens = read.example.tokens.len();
        let answer = Answer::Begun { at, text: read.text, expected: read.expected, tokens, cut: read.cut, no_base };
        outbox.send(Event::Predicted { id: asked.id, answer });
        let temperature = if question.temperature.is_finite() { question.temperature.max(0.0) } else { 0.0 };
        let sampling = Sampling { temperature, top_p: 1.0, seed: question.seed };
        Ok(AnswerInProgress { sides, sampling, most: question.max_new_tokens.min(LONGEST) })
    }

    fn read(&self, about: &About, words: &Words) -> Result<Read> {
        let session = &self.session;
        let of_tokens = |tokens| Example { tokens, token_types: Vec::new(), target: data::Target::Tokens(Vec::new()) };
        let classifies = session.model.task == TaskKind::SequenceClassification;
        let read = |(example, cut)| Read { example, text: None, expected: None, cut };
        match about {
            About::Text { text } if classifies => {
                data::encode_prompt(text, &session.recipe.data, &words.tokenizer).map(read)
            }
            About::Text { text } => Ok(read((of_tokens(words.tokenizer.encode(text)?), false))),
            About::Chat { .. } if classifies => {
                Err(Error::refused("a classifier reads no conversation; ask about a text"))
            }
            About::Chat { text } => Ok(read((of_tokens(words.chat(text)?), false))),
            About::Row { row } => {
                let rows = &session.data.validation.examples;
                let row = rows.get(row.checked_rem(rows.len()).unwrap_or(0));
                let row = row.ok_or_else(|| Error::refused("the run has no validation rows; type a text"))?;
                let asked = data::prompt_of(row, &session.data.labels, &words.tokenizer)?;
                let (text, expected) = (Some(asked.text), Some(asked.expected));
                Ok(Read { example: asked.example, text, expected, cut: false })
            }
        }
    }

    /// The adapted model of a kept state or of the current one, with its branch and step.
    fn version_at(&mut self, at: Option<(u32, u64)>) -> Result<((u32, u64), Version)> {
        let now = (self.session.branch, self.session.step);
        let Some(at) = at.filter(|at| *at != now) else { return Ok((now, self.session.version_now())) };
        let (branch, step) = at;
        if let Some(snapshot) = self.history.of_step(branch, step) {
            return Ok((at, self.session.version_of(&snapshot)?));
        }
        let found = self.record.present.iter().find(|found| (found.moment.branch, found.moment.step) == at).cloned();
        let found = found.ok_or_else(|| {
            Error::refused(format!(
                "no state of step {step} of branch {branch} is kept any more; choose one of those that are listed"
            ))
        })?;
        let snapshot = self.read_checkpoint(&found)?;
        Ok((at, self.session.version_of(&snapshot)?))
    }

    /// Both sides alternate, so that both texts appear together. None when all is sent.
    fn go_on_answering(
        &mut self,
        id: CommandId,
        mut begun: AnswerInProgress,
        turn: &TurnContext<'_>,
        outbox: &mut Outbox,
    ) -> Result<Option<AnswerInProgress>> {
        let Some(Answering { side, version, work }) = begun.sides.pop_front() else { return Ok(None) };
        let mut tell = |answer| outbox.send(Event::Predicted { id, answer });
        match work {
            Work::Classify(example) => {
                let probabilities = self.probabilities(&version, example)?;
                tell(Answer::Classes { side, probabilities });
            }
            Work::Write { mut writing, sent } => {
                let ended = self.write_some(&version, &mut writing, &begun, turn)?;
                let tokens = writing.written().len();
                let text = turn.words.tokenizer.decode(writing.written())?;
                // A character of several tokens is complete only with its last token.
                let whole = ended.is_some() || !text.ends_with(char::REPLACEMENT_CHARACTER);
                let new = if whole { text.get(sent..).unwrap_or_default() } else { "" };
                if !new.is_empty() {
                    tell(Answer::Text { side, text: new.to_owned(), tokens });
                }
                let sent = if whole { text.len() } else { sent };
                match ended {
                    Some(by_itself) => tell(Answer::Ended { side, by_itself }),
                    None => begun.sides.push_back(Answering { side, version, work: Work::Write { writing, sent } }),
                }
            }
        }
        Ok((!begun.sides.is_empty()).then_some(begun))
    }

    fn probabilities(&mut self, version: &Version, example: Example) -> Result<Vec<f32>> {
        let examples = [example];
        check_token_types(&self.session.model, &examples)?;
        let probabilities = self.session.with_version(version, |model, head| {
            let logits = predict_logits(model, head, &examples, 1, |_| ControlFlow::Continue(()));
            let logits = logits.ok_or_else(|| Error::failed("the prediction was cancelled"))?;
            let labels = usize::try_from(logits.size()[1]).unwrap_or(0);
            // Regression outputs are sent as they are.
            let sent = probabilities(&logits, model.config.outputs(labels)).unwrap_or(logits);
            Vec::<f32>::try_from(sent.get(0)).or_failed()
        })?;
        if probabilities.iter().any(|probability| !probability.is_finite()) {
            return Err(Error::failed("the model's output is not a number; a lower learning rate may help"));
        }
        Ok(probabilities)
    }

    /// Writes a few tokens. At the end: whether the model itself ended the text.
    fn write_some(
        &mut self,
        version: &Version,
        writing: &mut Writing,
        begun: &AnswerInProgress,
        turn: &TurnContext<'_>,
    ) -> Result<Option<bool>> {
        let (ends, sampling, most) = (turn.words.tokenizer.end_tokens(), begun.sampling, begun.most);
        self.session.with_version(version, |model, _| {
            let mut now = 0;
            while writing.written().len() < most {
                if writing.next(model, ends, sampling)?.is_none() {
                    return Ok(Some(true));
                }
                now += 1;
                if now >= TOKENS || Instant::now() >= turn.until {
                    break;
                }
            }
            Ok((writing.written().len() >= most).then_some(false))
        })
    }
}

/// The models' input.
struct Read {
    example: Example,
    text: Option<String>,
    expected: Option<String>,
    cut: bool,
}
