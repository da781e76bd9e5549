"""From checkpoints to float ONNX graphs. Owns the exporters and the choice among them; quantises nothing."""
