//! Owns what a check of tokenizers found, and whether that is a pass.

use super::answers::{Answer, Decoded};
use crate::ErrorCode;

/// A text that two runners read in two ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The runner that reads it otherwise than the reference.
    pub runner: String,
    /// The smallest text that shows it.
    pub text: String,
    /// What the reference makes of it.
    pub expected: Answer,
    /// What the runner makes of it.
    pub found: Answer,
    /// How many texts came down to this one.
    pub count: usize,
    /// Why it is allowed, where it is known.
    pub reason: Option<String>,
}

/// Ids that two runners decode in two ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdDifference {
    /// The runner that decodes them otherwise than the reference.
    pub runner: String,
    /// The ids: one, or two that are decoded alike each by itself.
    pub ids: Vec<u32>,
    /// What the reference makes of them.
    pub expected: Decoded,
    /// What the runner makes of them.
    pub found: Decoded,
    /// How many of the sequences differ and have the id, or are these two.
    pub count: usize,
}

/// What was found of ids, whether a text gives them or not.
#[derive(Clone, Debug, Default)]
pub struct IdFindings {
    /// How many ids were asked by themselves: all of the vocabulary.
    pub singles: usize,
    /// How many pairs of ids were asked.
    pub pairs: usize,
    /// What was decoded in two ways; of each runner the smallest, single ids first.
    pub differences: Vec<IdDifference>,
    /// Differing sequences that are not among those, because there were too many.
    pub unshown: usize,
    /// How many ids every runner refuses, and pairs of ids that none refuses by themselves.
    pub refused: usize,
    /// The smallest of them.
    pub refused_examples: Vec<Vec<u32>>,
}

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The runners that took part; the others are compared with the first.
    pub runners: Vec<String>,
    /// Runners that did not, with the reasons.
    pub skipped: Vec<(String, String)>,
    /// How many texts were asked.
    pub texts: usize,
    /// How many characters they have.
    pub characters: usize,
    /// Texts that were read in two ways, of each runner the smallest first. A refusal and an answer are two ways, as are refusals with
    /// two error codes.
    pub differences: Vec<Difference>,
    /// Differing texts that were not made smaller, because there were too many; none is smaller than those that were.
    pub unexamined: usize,
    /// Entries of the known differences that differ no more, with their runner.
    pub outdated: Vec<(String, String)>,
    /// How many texts every runner refuses.
    pub refused: usize,
    /// The smallest texts that every runner refuses, and the reference's error.
    pub refused_examples: Vec<(String, ErrorCode)>,
    /// How many texts the reference's tokenizer does not give back.
    pub lossy: usize,
    /// The smallest texts that it does not give back.
    pub lossy_examples: Vec<String>,
    /// Runners that gave other bytes back of containers with those texts.
    pub lost_by: Vec<String>,
    /// What was found of ids.
    pub ids: IdFindings,
}

impl Findings {
    /// Whether all runners read all texts and all ids alike, but for what is known, and nothing was lost.
    #[must_use]
    pub fn held(&self) -> bool {
        self.differences.iter().all(|difference| difference.reason.is_some())
            && self.unexamined == 0
            && self.outdated.is_empty()
            && self.lost_by.is_empty()
            && self.ids.differences.is_empty()
            && self.ids.unshown == 0
    }
}
