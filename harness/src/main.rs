//! The command `llmzip`.

fn main() {}
