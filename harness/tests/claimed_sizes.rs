//! A container may claim any size; a reader allocates for what is really there. Held by counting every byte that is allocated.

#![expect(unsafe_code, reason = "an allocator that counts has to be one")]
#![expect(clippy::expect_used, reason = "what fails here fails the test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use llmzip::compressor::{ModelIdentity, decompress};
use llmzip::container::bytes::{put_crc32, put_varint};
use llmzip::container::eps::Eps;
use llmzip::container::layout::Preamble;
use llmzip::container::reader::ContainerReader;
use llmzip::golden::synthetic::{SYNTHETIC_START_TOKEN, SYNTHETIC_VOCAB_SIZE, SyntheticModel, ToyTokenizer};
use llmzip::model::context::ContextPolicy;
use llmzip::model::provenance::Hash;

struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator as it comes.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = ALLOCATED.fetch_add(layout.size(), Ordering::SeqCst) + layout.size();
        PEAK.fetch_max(now, Ordering::SeqCst);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MOST: u64 = 1 << 24;

/// The most that reading a container of a few bytes may allocate: buffers, the tree and the cache of the synthetic model. What the
/// containers below claim is 16 MiB and more.
const ALLOWED: usize = 1 << 20;

fn preamble() -> Preamble {
    Preamble {
        model_sha256: Hash([0; 32]),
        tokenizer_sha256: Hash([0; 32]),
        vocab_size: SYNTHETIC_VOCAB_SIZE,
        eps: Eps::ZERO,
        offsets: 64,
        context: ContextPolicy {
            start_token: SYNTHETIC_START_TOKEN,
            window: 1 << 20,
            overlap: (1 << 20) - 1,
        },
        fingerprint: String::new(),
    }
}

/// Decompresses a frame, which ends as `expected` says, and gives the most bytes that were allocated at once.
fn peak_of(frame: &[u8], expected: &str) -> usize {
    let container = [preamble().write(), frame.to_vec()].concat();
    let identity = ModelIdentity {
        model_sha256: Hash([0; 32]),
        tokenizer_sha256: Hash([0; 32]),
    };
    let mut source = SyntheticModel::new();
    let before = ALLOCATED.load(Ordering::SeqCst);
    PEAK.store(before, Ordering::SeqCst);
    let reader = ContainerReader::open(container.as_slice()).expect("the preamble is whole");
    let error = decompress(
        reader,
        std::io::sink(),
        &mut source,
        &ToyTokenizer,
        &identity,
        &mut |_| Ok(()),
    )
    .expect_err("the frame claims more than there is");
    assert!(error.message.contains(expected), "{error}");
    PEAK.load(Ordering::SeqCst) - before
}

fn frame(kind: u8, fields: &[u64]) -> Vec<u8> {
    let mut bytes = vec![kind];
    for (i, &field) in fields.iter().enumerate() {
        put_varint(&mut bytes, field);
        if i == 0 {
            // The plain crc32.
            bytes.extend([0; 4]);
        }
    }
    bytes
}

fn with_crc32(mut frame: Vec<u8>) -> Vec<u8> {
    put_crc32(&mut frame, 0);
    frame
}

// One test: the count is of the whole process.
#[test]
fn what_is_merely_claimed_is_not_allocated() {
    let mut full_lanes = frame(1, &[MOST, MOST, 0, 48, 4096, 256]);
    for _ in 0..256 {
        put_varint(&mut full_lanes, 1 << 20);
        full_lanes.extend([0; 4]);
    }
    let mut one_lane = frame(1, &[MOST, MOST, 0, 48, 4096, 1, 1]);
    one_lane.extend(crc32fast::hash(&[0]).to_le_bytes());
    let claims = [
        (
            "a stored frame",
            "a stored frame's bytes",
            with_crc32(frame(2, &[MOST])),
        ),
        ("runs", "a run", frame(1, &[MOST, MOST, MOST, 2, 2, 2])),
        (
            "literals",
            "a frame's literals",
            frame(1, &[MOST, 1, 2, 2, 2 * MOST + 1]),
        ),
        (
            "lanes",
            "a lane's stream length",
            frame(1, &[MOST, MOST, 0, 48, 4096, 256]),
        ),
        ("streams", "a lane's stream, after", with_crc32(full_lanes)),
        ("tokens", "ends too early", [with_crc32(one_lane), vec![0]].concat()),
    ];
    for (what, expected, frame) in claims {
        let peak = peak_of(&frame, expected);
        assert!(
            peak < ALLOWED,
            "{peak} bytes were allocated for {what} that were only claimed"
        );
    }
}
