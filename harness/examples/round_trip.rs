//! The library: a text to a container and back. Run in a clone that was set up: `cargo run --release --example round_trip`.

use std::path::Path;

use llmzip::compressor::{CompressOptions, Lanes, ModelIdentity, compress, decompress};
use llmzip::container::reader::ContainerReader;
use llmzip::model::context::ContextPolicy;
use llmzip::model::loaded::{LoadOptions, LoadedModel};
use llmzip::model::provenance::Models;
use llmzip::setup::{self, Layout};

fn main() -> llmzip::Result<()> {
    let library = setup::find_onnxruntime(&Layout::find()?)?;
    let choice = Models::find(Path::new("."))?.choose("tiny", None)?;
    let mut model = LoadedModel::load(&LoadOptions::new(&library, &choice))?;

    let identity = ModelIdentity {
        model_sha256: model.model_sha256,
        tokenizer_sha256: model.tokenizer_sha256,
    };
    let options = CompressOptions {
        model: identity,
        lanes: Lanes::Auto,
        eps: choice.eps.parse()?, // nats
        context: ContextPolicy {
            start_token: choice.start_token,
            window: choice.window,   // tokens
            overlap: choice.overlap, // tokens
        },
        frame_bytes: CompressOptions::DEFAULT_FRAME_BYTES,
        fingerprint: model.fingerprint.container_fingerprint(),
    };
    let plain = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n".repeat(50);
    let mut container = Vec::new();
    let session = model.session.as_mut();
    // Streams in and out; the last argument is told of every token, and its error ends the work.
    let written = compress(
        plain.as_bytes(),
        &mut container,
        session,
        &model.tokenizer,
        &options,
        &mut |_| Ok(()),
    )?;

    let mut back = Vec::new();
    let reader = ContainerReader::open(container.as_slice())?;
    let read = decompress(reader, &mut back, session, &model.tokenizer, &identity, &mut |_| Ok(()))?;

    assert_eq!(back, plain.as_bytes());
    assert_eq!(read.plain_sha256, written.plain_sha256);
    assert!(written.container_bytes < written.plain_bytes);
    Ok(())
}
