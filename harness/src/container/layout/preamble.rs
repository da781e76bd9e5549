//! Owns the container's head: what a reader must have to decode it.

use std::io::Read;

use crate::codec::grid::MAX_OFFSETS;
use crate::codec::tree::tree_depth;
use crate::container::bytes::{ByteReader, put_crc32, put_varint};
use crate::container::eps::Eps;
use crate::model::context::{ContextPolicy, MAX_WINDOW};
use crate::model::provenance::Hash;
use crate::{Error, ErrorCode, Result};

const MAGIC: [u8; 4] = [0x89, b'L', b'M', b'Z'];
/// The version of the format.
pub const VERSION: u8 = 1;
const MAX_VOCAB_SIZE: u64 = 1 << 20;
const MAX_FINGERPRINT: u64 = 32;

/// The head of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preamble {
    /// SHA-256 of the model file.
    pub model_sha256: Hash,
    /// SHA-256 of the tokenizer file.
    pub tokenizer_sha256: Hash,
    /// `V`, `2 ..= 2^20`.
    pub vocab_size: usize,
    /// How far a reader's log-probs may lie from the writer's.
    pub eps: Eps,
    /// `K`, `1 ..= 64`.
    pub offsets: u32,
    /// What the model is fed.
    pub context: ContextPolicy,
    /// What computed the writer's logits: at most 32 printable ASCII characters without spaces.
    pub fingerprint: String,
}

impl Preamble {
    /// Holds the fields to their limits, for a writer.
    ///
    /// # Errors
    /// `usage`, or `vocabulary` for a start token that is none.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::new(ErrorCode::Usage, what));
        if !(2..=MAX_VOCAB_SIZE).contains(&(self.vocab_size as u64)) {
            return wrong(format!(
                "a vocabulary of {} is not 2 to {MAX_VOCAB_SIZE}",
                self.vocab_size
            ));
        }
        if !(1..=MAX_OFFSETS).contains(&self.offsets) {
            return wrong(format!("{} offsets are not 1 to {MAX_OFFSETS}", self.offsets));
        }
        if self.fingerprint.len() as u64 > MAX_FINGERPRINT || !is_printable(self.fingerprint.as_bytes()) {
            return wrong(format!(
                "the fingerprint {:?} is not at most {MAX_FINGERPRINT} printable ASCII characters",
                self.fingerprint
            ));
        }
        self.context.check(self.vocab_size)
    }

    /// The preamble's bytes.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        bytes.extend(self.model_sha256.0);
        bytes.extend(self.tokenizer_sha256.0);
        put_varint(&mut bytes, self.vocab_size as u64);
        // At most 20 and at most 64.
        bytes.push(tree_depth(self.vocab_size) as u8);
        bytes.extend(self.eps.fields());
        bytes.push(self.offsets as u8);
        put_varint(&mut bytes, u64::from(self.context.start_token));
        put_varint(&mut bytes, self.context.window as u64);
        put_varint(&mut bytes, self.context.overlap as u64);
        put_varint(&mut bytes, self.fingerprint.len() as u64);
        bytes.extend(self.fingerprint.as_bytes());
        put_crc32(&mut bytes, 0);
        bytes
    }

    /// Reads a preamble.
    ///
    /// # Errors
    /// `format` when it is none, of another version or damaged; `io`.
    pub fn read<R: Read>(reader: &mut ByteReader<R>) -> Result<Self> {
        reader.start_crc32();
        if reader.array("the magic")? != MAGIC {
            return Err(Error::new(ErrorCode::Format, "this is not an LLMzip container")
                .with_hint("give a file that `compress` wrote"));
        }
        let version = reader.byte("the version")?;
        if version != VERSION {
            return Err(Error::new(
                ErrorCode::Format,
                format!("the container is of version {version}, this reader knows version {VERSION}"),
            )
            .with_hint("read it with the LLMzip that wrote it, or a newer one"));
        }
        let model_sha256 = Hash(reader.array("the model's SHA-256")?);
        let tokenizer_sha256 = Hash(reader.array("the tokenizer's SHA-256")?);
        let vocab_size = reader.varint("the vocabulary size", 2..=MAX_VOCAB_SIZE)?;
        let depth = reader.byte("the depth")?;
        if u32::from(depth) != tree_depth(vocab_size as usize) {
            return Err(Error::format(format!(
                "a depth of {depth} does not belong to a vocabulary of {vocab_size}"
            )));
        }
        let [mantissa, exponent] = reader.array("the eps")?;
        let eps = Eps::from_fields(mantissa, exponent)
            .ok_or_else(|| Error::format(format!("{mantissa}e-{exponent} is no eps")))?;
        let offsets = reader.byte("the number of offsets")?;
        if !(1..=MAX_OFFSETS).contains(&u32::from(offsets)) {
            return Err(Error::format(format!("{offsets} offsets are not 1 to {MAX_OFFSETS}")));
        }
        let start_token = reader.varint("the start token", 0..=vocab_size - 1)?;
        let window = reader.varint("the window", 2..=MAX_WINDOW as u64)?;
        let overlap = reader.varint("the overlap", 0..=window - 1)?;
        let length = reader.varint("the fingerprint's length", 0..=MAX_FINGERPRINT)?;
        let fingerprint = String::from_utf8(reader.bytes("the fingerprint", length)?)
            .ok()
            .filter(|fingerprint| is_printable(fingerprint.as_bytes()))
            .ok_or_else(|| Error::format("the fingerprint is not printable ASCII"))?;
        reader.check_crc32("the preamble")?;
        Ok(Self {
            model_sha256,
            tokenizer_sha256,
            vocab_size: vocab_size as usize,
            eps,
            offsets: u32::from(offsets),
            context: ContextPolicy {
                start_token: start_token as u32,
                window: window as usize,
                overlap: overlap as usize,
            },
            fingerprint,
        })
    }
}

fn is_printable(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_graphic)
}
