"""Values of tensors, kept until nobody needs them, and copied only where somebody writes to them.

A snapshot reads PyTorch's own memory until an operation is about to write to that storage; then all
snapshots of the storage are copied first, once for each stretch of memory. Memory that numpy also
holds can be written to without an operation: there the values are copied at once, and looked at
again at every use.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias, cast
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
import torch

from parity.errors import UsageError
from parity.pytorch.devices import DEVICES
from parity.pytorch.recorder import internals
from parity.pytorch.recorder.data import Identity, Recorded, Values
from parity.render.texts.message import Message

LOW = {  # formats that numpy does not have, or that it computes in otherwise, and where they go
    torch.bfloat16: torch.float32,
    torch.float16: torch.float32,
    torch.complex32: torch.complex64,
}
Watched: TypeAlias = "tuple[StorageState, torch.Tensor | None]"
StorageKey: TypeAlias = tuple[str, int]
Place: TypeAlias = tuple[torch.dtype, int, tuple[int, ...], tuple[int, ...], bool]


def numbers(tensor: torch.Tensor) -> Values:
    """A tensor's values as numpy shows them: on the CPU in PyTorch's memory, where numpy knows the format.

    `Tensor.numpy` would leave a mark: it forbids that the storage is ever resized.
    """
    with internals.undispatched():
        plain = tensor.resolve_conj().resolve_neg()
        values = np.from_dlpack(plain.to("cpu", LOW.get(plain.dtype, plain.dtype)))
    values.flags.writeable = False
    return values


class StorageState:
    """The snapshots of one storage in one state."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.members: WeakValueDictionary[Place, Recorded] = WeakValueDictionary()
        self.aliases: WeakKeyDictionary[Recorded, torch.Tensor] = WeakKeyDictionary()

    def freeze(self) -> None:
        """Copy what is still read from PyTorch's memory, since somebody is about to write to it."""
        live = [(recorded, self.aliases.pop(recorded)) for recorded in list(self.aliases)]
        blocks: list[tuple[torch.dtype, int, Values]] = []
        for recorded, alias in sorted(live, key=lambda one: -_extent(one[1])):
            recorded.freeze(_copied(alias, blocks))


def _extent(tensor: torch.Tensor) -> int:
    if tensor.numel() == 0:
        return 0
    return 1 + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))


def _copied(alias: torch.Tensor, blocks: list[tuple[torch.dtype, int, Values]]) -> Values:
    """A copy of a tensor, or a view of a stretch of its storage that is copied already."""
    extent, start = _extent(alias), int(alias.storage_offset())
    if extent > 2 * alias.numel() or alias.is_conj() or alias.is_neg() or extent == 0:
        return numbers(alias.clone(memory_format=torch.contiguous_format))
    for dtype, first, block in blocks:
        if dtype == alias.dtype and first <= start and start + extent <= first + block.size:
            found = block[start - first :]
            break
    else:
        found = numbers(alias.as_strided((extent,), (1,), start).clone())
        blocks.append((alias.dtype, start, found))
    strides = tuple(s * found.itemsize for s in alias.stride())
    return np.lib.stride_tricks.as_strided(found, alias.shape, strides, writeable=False)


class Snapshots:
    """The snapshots of all storages. `reading` is true while they run operations of their own."""

    def __init__(self) -> None:
        self.reading = False
        self.devices: set[str] = set()  # the kinds that were seen
        self._states: WeakValueDictionary[StorageKey, StorageState] = WeakValueDictionary()
        self._watched: WeakKeyDictionary[Recorded, Watched] = WeakKeyDictionary()
        self._numbers = itertools.count()

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Run operations that are not the user's."""
        before, self.reading = self.reading, True
        try:
            yield
        finally:
            self.reading = before

    def take(self, tensor: torch.Tensor) -> Recorded:
        """The values of a tensor as they are now. Raises UsageError for one on a device that has none."""
        kind = tensor.device.type
        if kind not in DEVICES:
            raise UsageError(Message("recording_device", device=tensor.device, known=", ".join(DEVICES)))
        self.devices.add(kind)
        before, self.reading = self.reading, True  # as `quietly`, which costs as much as all the rest
        try:
            if tensor.layout != torch.strided or tensor.is_quantized or internals.is_zero(tensor):
                return self._dense(tensor)
            return self._strided(internals.alias(tensor))
        finally:
            self.reading = before

    def _dense(self, tensor: torch.Tensor) -> Recorded:
        layout = "quantized" if tensor.is_quantized else str(tensor.layout).removeprefix("torch.")
        dense = tensor.dequantize() if tensor.is_quantized else tensor.detach().to_dense().clone()
        found = Recorded(Identity(next(self._numbers), 0), _name(tensor.dtype), tuple(dense.shape),
                         dense.stride(), 0, partial(numbers, dense), layout)  # fmt: skip
        found.freeze(numbers(dense))
        return found

    def _strided(self, alias: torch.Tensor) -> Recorded:
        storage = alias.untyped_storage()
        key, away = _key(storage), elsewhere(alias)
        exported = not away and not storage.resizable()
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = StorageState(Identity(next(self._numbers), 0))
        turned = alias.is_conj() or alias.is_neg()
        place = alias.dtype, int(alias.storage_offset()), tuple(alias.shape), alias.stride(), turned
        known = state.members.get(place)
        if known is not None and exported:
            state.freeze()
            if not np.array_equal(_bits(known.array), _bits(numbers(alias))):
                state, known = self._next(key, state), None  # somebody wrote through numpy
        if known is None:
            known = Recorded(state.identity, _name(alias.dtype), place[2], place[3], place[1],
                             partial(_live, alias, state))  # fmt: skip
            state.members[place], state.aliases[known] = known, alias
        if exported or away:
            state.freeze()
            # A frozen snapshot holds neither its state nor the memory: away, another would be there next.
            self._watched[known] = state, alias if away else None
        return known

    def _next(self, key: StorageKey, state: StorageState) -> StorageState:
        state.freeze()
        fresh = StorageState(Identity(state.identity.storage, state.identity.state + 1))
        self._states[key] = fresh
        return fresh

    def before_write(self, tensors: Sequence[torch.Tensor]) -> list[StorageState]:
        """An operation is about to write to these tensors. Hold what is returned until it has."""
        fresh: list[StorageState] = []
        if not tensors:
            return fresh
        with self.quietly():
            for tensor in tensors:
                if tensor.layout == torch.strided and tensor.device.type in DEVICES:
                    key = _key(tensor.untyped_storage())
                    state = self._states.get(key)
                    if state is not None:
                        fresh.append(self._next(key, state))
        return fresh

    def freeze(self) -> None:
        """Make every snapshot independent of PyTorch's memory: from here on writes are not seen."""
        with self.quietly():
            for state in list(self._states.values()):
                state.freeze()
            self._watched.clear()


def _key(storage: torch.UntypedStorage) -> StorageKey:
    return str(storage.device), storage.data_ptr()


def elsewhere(tensor: torch.Tensor) -> bool:
    """Whether a tensor is not in memory that numpy can read: then its values are copied at once."""
    return tensor.device.type != "cpu"


def _live(alias: torch.Tensor, state: StorageState) -> Values:
    """Reads the memory. As long as a snapshot holds this function, the state it belongs to lives."""
    del state
    return numbers(alias)


def _bits(values: Values) -> Values:
    return cast("Values", np.ascontiguousarray(values).reshape(-1).view(np.uint8))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
