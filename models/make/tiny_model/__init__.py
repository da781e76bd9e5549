"""How the embedded model `models/tiny` is made: corpus, tokenizer, training, export, evaluation.

Owns everything that writes into `models/tiny` and `models/manifest.toml`. It is used by developers
who remake the model and never at run time: the runners read the files that it leaves behind.
"""
