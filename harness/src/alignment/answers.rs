//! Owns how one runner is asked about a text, and what counts as its answer.

use crate::conform::{Target, collect::check_load, greet};
use crate::model::provider::CPU;
use crate::runner::protocol::{Detokenize, GraphOptimization, Operation, Outcome, Tokenize, why_not_asked};
use crate::runner::{Runner, ask};
use crate::{Error, ErrorCode, Result, interrupt};

/// What a runner makes of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has tokens.
    Read(Reading),
    /// It is refused, with this error code.
    Refused(ErrorCode),
}

/// Token ids, and the text that comes back of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The token ids.
    pub ids: Vec<u32>,
    /// What is decoded of them.
    pub text: String,
}

/// What a runner makes of ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// They are this text.
    Text(String),
    /// They are refused, with this error code.
    Refused(ErrorCode),
}

impl Answer {
    /// Whether the text is refused.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Whether `text` was read, but does not come back.
    #[must_use]
    pub fn is_lossy(&self, text: &str) -> bool {
        matches!(self, Self::Read(reading) if reading.text != text)
    }
}

/// A runner that reads texts.
pub(super) struct Reader {
    runner: Box<dyn Runner>,
}

impl Reader {
    pub(super) fn new(runner: Box<dyn Runner>) -> Self {
        Self { runner }
    }

    pub(super) fn name(&self) -> &str {
        self.runner.name()
    }

    /// Greets it and lets it load the model; gives the size that it states for the tokenizer, the largest id + 1.
    pub(super) fn load(&mut self, target: &Target) -> Result<u32> {
        let hello = greet(self.runner.as_mut())?;
        for op in [Tokenize::NAME, Detokenize::NAME] {
            if let Some(skip) = why_not_asked(op, &hello.ops) {
                let message = format!("{} cannot be compared: {}", self.name(), skip.reason);
                return Err(Error::new(ErrorCode::Usage, message).with_hint("leave it out with --only"));
            }
        }
        let request = target.load_request(1, CPU, GraphOptimization::All);
        let load = self.answer(&request)?;
        check_load(self.runner.name(), &request, &load)?;
        Ok(load.tokenizer_size)
    }

    /// What it makes of a text.
    ///
    /// # Errors
    /// When the runner broke, or can no longer be asked. What it refuses is an answer.
    pub(super) fn read(&mut self, text: &str) -> Result<Answer> {
        let tokenized = self.answer(&Tokenize { text: text.to_owned() });
        let read = tokenized.and_then(|tokens| {
            let ids = tokens.ids;
            self.answer(&Detokenize { ids: ids.clone() })
                .map(|result| Reading { ids, text: result.text })
        });
        Ok(answered(read)?.map_or_else(Answer::Refused, Answer::Read))
    }

    /// What it makes of ids.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn decode(&mut self, ids: &[u32]) -> Result<Decoded> {
        let decoded = self.answer(&Detokenize { ids: ids.to_owned() });
        Ok(answered(decoded)?.map_or_else(Decoded::Refused, |result| Decoded::Text(result.text)))
    }

    /// The answer to a request that the runner has to do.
    pub(super) fn answer<O: Operation>(&mut self, params: &O) -> Result<O::Output> {
        match ask(self.runner.as_mut(), params, &mut |_| interrupt::check())? {
            Outcome::Done(output) => Ok(output),
            Outcome::Skipped(skip) => Err(Error::new(
                ErrorCode::Unsupported,
                format!("{} does not do `{}`: {}", self.name(), O::NAME, skip.reason),
            )),
        }
    }

    pub(super) fn stop(&mut self) {
        self.runner.stop();
    }
}

/// An answer or the code of a refusal; an error when nothing more can be asked.
fn answered<T>(answer: Result<T>) -> Result<std::result::Result<T, ErrorCode>> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(error) if matches!(error.code, ErrorCode::Runner | ErrorCode::Interrupted) => Err(error),
        Err(error) => Ok(Err(error.code)),
    }
}
