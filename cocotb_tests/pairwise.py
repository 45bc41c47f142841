"""Chooses few combinations of parameter values in which every pair of values occurs."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence

Choice = dict[str, str]


def pairwise(parameters: Mapping[str, Sequence[str]]) -> list[Choice]:
    """Return combinations that together hold every pair of values of two parameters.

    Greedy and without chance: each combination starts from the first pair that is still open and
    takes, parameter by parameter, the value that closes most open pairs.

    Raises:
        ValueError: if there are fewer than two parameters, or one without values.
    """
    if len(parameters) < 2 or not all(parameters.values()):
        raise ValueError("pairs need at least two parameters with at least one value each")
    names = list(parameters)
    open_pairs = {
        ((a, x), (b, y)): None
        for a, b in itertools.combinations(names, 2)
        for x, y in itertools.product(parameters[a], parameters[b])
    }
    chosen: list[Choice] = []
    while open_pairs:
        choice: Choice = dict(next(iter(open_pairs)))
        for name in names:
            if name not in choice:
                choice[name] = max(
                    parameters[name], key=lambda v, n=name: _gain(choice, n, v, open_pairs)
                )
        choice = {name: choice[name] for name in names}
        for pair in itertools.combinations(choice.items(), 2):
            open_pairs.pop(pair, None)
        chosen.append(choice)
    return chosen


def _gain(choice: Choice, name: str, value: str, open_pairs: Collection[object]) -> int:
    """Open pairs that a value closes with those already chosen."""
    new = (name, value)
    return sum((new, old) in open_pairs or (old, new) in open_pairs for old in choice.items())
