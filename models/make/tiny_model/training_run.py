"""One training from nothing to a checkpoint, in a folder that can be left and taken up again.

Owns that folder: the sources as they were at the start, the tokenizer, the training state.
"""

import json
import shutil
from pathlib import Path

from tokenizers import Tokenizer

from .checkpoint import write_checkpoint
from .corpus.sources import source_texts
from .tokenizer import TOKENIZER_FILES, train_tokenizer, write_tokenizer
from .train import Plan, train


def training_run(work: Path, plan: Plan, target: Path) -> bool:
    """Train in `work`; when done write tokenizer and checkpoint into `target` and give true."""
    work.mkdir(parents=True, exist_ok=True)
    sources_file = work / "sources.json"
    if not sources_file.exists():
        sources_file.write_text(json.dumps(source_texts()), encoding="utf-8")
    sources = tuple(json.loads(sources_file.read_text(encoding="utf-8")))
    if not (work / "tokenizer.json").exists():
        write_tokenizer(train_tokenizer(sources), work)
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    model = train(tokenizer, sources, plan, work / "state.pt")
    if model is None:
        return False
    target.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        shutil.copyfile(work / name, target / name)
    write_checkpoint(model, target)
    return True
