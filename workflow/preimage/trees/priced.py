"""Open boxes of a search with their multipliers (see `tightening`): each has those of the box that it is a half of."""

from __future__ import annotations

import numpy as np

from preimage.core.open_boxes import Entry, Slots
from preimage.trees.tightening import Tightening


class PricedBoxes:
    """Multipliers of open boxes, by slot.

    Attributes:
        hint: a cell (d,) for which much was paid, where a good point may be.
    """

    def __init__(self, tightening: Tightening, hint: np.ndarray) -> None:
        self.tightening, self.hint = tightening, hint
        self._sets: dict[int, np.ndarray] = {}

    def give(self, slot: int, prices: np.ndarray) -> None:
        """Let a box begin from these multipliers (intervals,)."""
        self._sets[slot] = prices

    def tightened(self, batch: list[Entry], slots: Slots, loss: float) -> tuple[list[Entry], list[np.ndarray], int]:
        """Bound boxes by multipliers; return those that may still hold a better point, their multipliers and the number
        of steps that were taken.

        Args:
            loss: the one to beat.
        """
        sets = [self._sets.pop(slot, self.tightening.none) for _, _, slot in batch]
        if batch[0][0] > loss - self.tightening.no_use:
            return batch, sets, 0
        lo, hi = (slots.arrays[name][[slot for _, _, slot in batch]] for name in ("lo", "hi"))
        prices, before = np.stack(sets), self.tightening.steps
        losses, cells = self.tightening.losses(lo, hi, prices, loss)
        self.hint = cells[0]
        kept, left = [], []
        for k, (inherited, order, slot) in enumerate(batch):
            least = max(inherited, float(losses[k]))
            if least < loss:
                kept.append((least, order, slot))
                left.append(prices[k].copy())
            else:
                slots.free.append(slot)
        return kept, left, self.tightening.steps - before

    def state(self, slots: list[int]) -> dict[str, np.ndarray]:
        """Return what `restore` needs: the distinct sets of multipliers of boxes, which is whose, and the hint."""
        none = self.tightening.none
        held = [self._sets.get(slot, none) for slot in slots]
        distinct = {id(prices): prices for prices in held}
        number = {key: k for k, key in enumerate(distinct)}
        which = np.array([1 + number[id(prices)] for prices in held], np.int64)
        return {"prices": np.stack([none, *distinct.values()]), "which": which, "hint": self.hint}

    def restore(self, state: dict[str, np.ndarray], slots: list[int]) -> None:
        """Take up what `state` returned of the multipliers, for boxes that are in these slots now."""
        sets = list(state["prices"])
        self._sets = {slot: sets[k] for slot, k in zip(slots, state["which"], strict=True)}
