"""The training loop with checkpoints that it can go on from. Owns the schedule and the state file.

The learning rate warms up, stays, then falls linearly over the last part, where the weights are seen
through the 4-bit grid. The last state that was written is complete: stopping loses only the time since.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from .batches import Batches
from .files import say
from .network import Llama
from .optimizer import Muon
from .shape import TINY_SHAPE

_WARM_UP = 40
_REPORT_EVERY = 20


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train. The whole schedule is a function of the step number.

    `minutes` ends a session early: the state is saved and another session goes on from it.
    """

    steps: int
    minutes: float | None = None
    rows: int = 8
    rows_at_once: int = 4
    seed: int = 1
    threads: int = 2
    matrix_rate: float = 0.02
    other_rate: float = 0.004
    fall_from: float = 0.6
    quantize_from: float = 0.6
    checkpoint_every: int = 100

    def rate(self, step: int) -> float:
        """Factor on both learning rates at `step`."""
        warm = min(1.0, (step + 1) / _WARM_UP)
        fall = (1 - step / self.steps) / (1 - self.fall_from)
        return min(warm, max(0.02, min(1.0, fall)))


def _optimizers(model: Llama, plan: Plan) -> list[torch.optim.Optimizer]:
    matrices = model.matrices()
    chosen = {id(matrix) for matrix in matrices}
    others = [p for p in model.parameters() if id(p) not in chosen]
    adam = torch.optim.AdamW(others, lr=plan.other_rate, betas=(0.9, 0.95), weight_decay=0.0)
    return [Muon(matrices, lr=plan.matrix_rate), adam]


def _gradients(model: Llama, ids: Tensor, rows_at_once: int) -> float:
    """Accumulate the gradients of a batch, a few rows at a time to stay in cache; gives the mean loss."""
    total = 0.0
    for part in torch.split(ids, rows_at_once):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(part[:, :-1])
        loss = functional.cross_entropy(logits.float().flatten(0, 1), part[:, 1:].flatten())
        torch.autograd.backward(loss * (len(part) / len(ids)))
        total += loss.item() * len(part) / len(ids)
    return total


class _Training:
    """Model, optimizers and data of one training, and where it stands."""

    def __init__(self, batches: Batches, plan: Plan) -> None:
        torch.set_num_threads(plan.threads)
        torch.manual_seed(plan.seed)
        self.model = Llama(TINY_SHAPE)
        self.step = 0
        self._plan = plan
        self._batches = batches
        self._optimizers = _optimizers(self.model, plan)
        self._groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]
        self._base = [group["lr"] for group in self._groups]
        self._quantizing = False

    def save(self, path: Path) -> None:
        waiting = path.with_suffix(".tmp")
        optimizers = [optimizer.state_dict() for optimizer in self._optimizers]
        torch.save({"step": self.step, "model": self.model.state_dict(), "optimizers": optimizers}, waiting)
        waiting.replace(path)

    def load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self.step = self._batches.drawn = state["step"]
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self._groups = [group for optimizer in self._optimizers for group in optimizer.param_groups]

    def advance(self) -> float:
        """Do one step; give its mean loss in nats per token."""
        plan = self._plan
        if not self._quantizing and self.step >= plan.quantize_from * plan.steps:
            self.model.quantize()
            self._quantizing = True
        for group, rate in zip(self._groups, self._base, strict=True):
            group["lr"] = rate * plan.rate(self.step)
        for optimizer in self._optimizers:
            optimizer.zero_grad()
        loss = _gradients(self.model, self._batches.draw(), plan.rows_at_once)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
        self.model.refresh()
        self.step += 1
        return loss


def train(tokenizer: Tokenizer, sources: tuple[str, ...], plan: Plan, state_file: Path) -> Llama | None:
    """Train to the end of `plan`, going on from `state_file` when it is there; None if time ran out before."""
    training = _Training(Batches(tokenizer, plan.rows, sources), plan)
    if state_file.exists():
        training.load(state_file)
    started, begun, mean = time.monotonic(), training.step, 0.0
    while training.step < plan.steps:
        loss = training.advance()
        mean = 0.95 * mean + 0.05 * loss if mean else loss
        step, seconds = training.step, time.monotonic() - started
        if step % _REPORT_EVERY == 0:
            pace = seconds / (step - begun)
            say(f"step {step}/{plan.steps} loss {mean:.4f} {pace:.2f} s/step")
        out_of_time = plan.minutes is not None and seconds > 60 * plan.minutes
        if step % plan.checkpoint_every == 0 or step == plan.steps or out_of_time:
            training.save(state_file)
        if out_of_time and step < plan.steps:
            return None
    return training.model
