"""The guard-band codec: rows of logits and token ids to lane streams and back. Knows no files and no models."""
