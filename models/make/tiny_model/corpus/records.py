"""JSON lines, CSV and log lines with running ids and times. Owns records; words come from `words`."""

import json
from datetime import datetime, timedelta
from random import Random

from .draw import log_uniform
from .words import CODE_NOUNS, CODE_VERBS, NAMES, PLACES, QUALITIES, THINGS

_FIRST = datetime(2015, 1, 1)
_SECONDS = 15 * 365 * 24 * 3600


class _Ticker:
    """A clock and a counter that move by the same step at each row."""

    def __init__(self, rng: Random) -> None:
        self._now = _FIRST + timedelta(seconds=rng.randrange(_SECONDS))
        self._step = timedelta(seconds=rng.choice((1, 2, 5, 10, 15, 30, 60, 300)))
        self._number = log_uniform(rng, 1, 90000)

    def tick(self) -> tuple[int, datetime]:
        self._number += 1
        self._now += self._step
        return self._number, self._now


def _subset(rng: Random, words: tuple[str, ...], count: int) -> list[str]:
    return rng.sample(words, count)


def _json_row(rng: Random, form: int, ticker: _Ticker) -> dict[str, object]:
    number, now = ticker.tick()
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    name = rng.choice(NAMES)
    noun, verb = rng.choice(CODE_NOUNS), rng.choice(CODE_VERBS)
    if form == 0:
        mail = f"{name.lower()}@{rng.choice(PLACES).lower()}.example"
        return {"id": number, "time": stamp, "user": name, "mail": mail, "action": f"{verb}_{noun}"}
    if form == 1:
        ok = rng.random() < 0.9
        path = f"/{noun}/{verb}/{number}"
        return {"seq": number, "ts": stamp, "path": path, "status": 200 if ok else 404, "ok": ok}
    if form == 2:
        count, price = rng.randint(1, 9), 5 * rng.randint(1, 20)
        thing, place = f"{rng.choice(QUALITIES)} {rng.choice(THINGS)}", rng.choice(PLACES)
        return {"order": number, "item": thing, "count": count, "price": price, "city": place}
    return {
        "type": verb,
        "target": {"name": noun, "number": number},
        "by": name,
        "at": stamp,
        "note": f"{name} will {verb} the {noun}",
    }


def json_lines(rng: Random, size: int) -> str:
    """JSON objects of one shape, one per line; some texts without blanks after the separators."""
    form, ticker = rng.randrange(4), _Ticker(rng)
    separators = (", ", ": ") if rng.random() < 0.6 else (",", ":")
    rows: list[str] = []
    total = 0
    while total < size:
        rows.append(json.dumps(_json_row(rng, form, ticker), separators=separators) + "\n")
        total += len(rows[-1])
    return "".join(rows)


_CSV_HEADS = (
    "id,date,name,city,item,count\n",
    "number;time;quality;thing;place\n",
    "timestamp,verb,noun,key,total\n",
)


def csv_rows(rng: Random, size: int) -> str:
    """A table with a head; three shapes, one of them with semicolons and one with a running total."""
    form, ticker = rng.randrange(3), _Ticker(rng)
    step, total = rng.choice((1, 2, 5, 10, 25, 100)), log_uniform(rng, 1, 1000)
    text = _CSV_HEADS[form]
    while len(text) < size:
        number, now = ticker.tick()
        if form == 0:
            name, place, thing = rng.choice(NAMES), rng.choice(PLACES), rng.choice(THINGS)
            text += f"{number},{now:%Y-%m-%d},{name},{place},{thing},{rng.randint(1, 9)}\n"
        elif form == 1:
            quality, thing, place = rng.choice(QUALITIES), rng.choice(THINGS), rng.choice(PLACES)
            text += f"{number};{now:%H:%M:%S};{quality};{thing};{place}\n"
        else:
            verb, noun = rng.choice(CODE_VERBS), rng.choice(CODE_NOUNS)
            total += step
            text += f"{now:%Y-%m-%d %H:%M:%S},{verb},{noun},{verb}-{noun}-{total},{total}\n"
    return text


_LEVELS = ("INFO", "DEBUG", "WARN", "ERROR")


def log_lines(rng: Random, size: int) -> str:
    """Lines of a server's log: time, level, component, message; the request number runs on."""
    form, ticker = rng.randrange(3), _Ticker(rng)
    workers = rng.randint(2, 8)
    text = ""
    while len(text) < size:
        number, now = ticker.tick()
        level = rng.choices(_LEVELS, weights=(75, 15, 7, 3))[0]
        verb, noun = rng.choice(CODE_VERBS), rng.choice(CODE_NOUNS)
        other = rng.choice(CODE_NOUNS)
        if form == 0:
            head = f"{now:%Y-%m-%d %H:%M:%S} {level} [{noun}]"
            text += f"{head} {verb} request {number}: {noun} of {other} done\n"
        elif form == 1:
            worker = number % workers
            text += f"{now:%H:%M:%S} worker-{worker} {level.lower()}: {verb} {noun} {number} in {other}\n"
        else:
            host = rng.choice(PLACES).lower()
            head = f"{now:%b %d %H:%M:%S} {host} {noun}[{number}]:"
            text += f"{head} {verb} {noun} from {other} on {host}, next {number + 1}\n"
    return text
