"""One forward pass of somebody's model, watched: which modules ran, and that nothing else did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from parity.errors import UsageError
from parity.render.texts.message import Message


class NoChainError(UsageError):
    """A model that is not the deck's chain of layers; its graph may be trained all the same."""


HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


@dataclass(frozen=True)
class Ran:
    """A module that ran: its path in the model, what went in, what came out."""

    path: str
    module: torch.nn.Module
    given: torch.Tensor
    made: torch.Tensor


@dataclass
class Watch:
    """The modules of one forward pass, in order. Each must take what the one before it made."""

    ran: list[Ran] = field(default_factory=list)
    _last: torch.Tensor | None = None
    _version: int = 0
    _where: str = "the input"

    def begin(self, x: torch.Tensor) -> None:
        """The model is about to be given x."""
        self.ran.clear()
        self._made(x, "the input")

    def enter(self, path: str, module: torch.nn.Module, given: tuple[object, ...], made: object) -> None:
        """A module ran. Raises UsageError where its input is not the tensor that was made last."""
        tensors = [value for value in given if isinstance(value, torch.Tensor)]
        if len(given) != 1 or len(tensors) != 1 or not isinstance(made, torch.Tensor):
            kind = type(module).__name__
            raise NoChainError(Message("model_one_to_one", path=path, kind=kind))
        self._continues(tensors[0], path)
        self.ran.append(Ran(path, module, tensors[0], made))
        self._made(made, path)

    def end(self, output: object) -> torch.Tensor:
        """The model answered. Raises UsageError where that is not what its last module made."""
        if not isinstance(output, torch.Tensor):
            raise UsageError(Message("model_output", kind=type(output).__name__))
        self._continues(output, "the output")
        return output

    def _made(self, tensor: torch.Tensor, where: str) -> None:
        self._last, self._version, self._where = tensor, tensor._version, where

    def _continues(self, tensor: torch.Tensor, where: str) -> None:
        before = self._last
        assert before is not None
        same = tensor is before or (
            tensor.data_ptr() == before.data_ptr()
            and tensor.numel() == before.numel()
            and tensor.dtype == before.dtype
            and tensor.is_contiguous()
            and before.is_contiguous()
            and tensor.requires_grad == before.requires_grad
        )
        if not same or before._version != self._version:
            raise NoChainError(Message("model_between", here=self._where, where=where))


class WatchedModel:
    """A model whose modules report to a watch while it runs."""

    def __init__(self, model: torch.nn.Module) -> None:
        """Raises UsageError for a module with hooks of its own: what they do is not known."""
        self.model, self._watch = model, Watch()
        self._names = {id(module): name or "model" for name, module in model.named_modules()}
        for module in model.modules():
            if any(getattr(module, hooks) for hooks in HOOKS):
                raise UsageError(Message("model_module_hooks", path=self._names[id(module)]))

    def forward(self, x: torch.Tensor) -> tuple[list[Ran], torch.Tensor]:
        """What ran, and the output. Raises UsageError for what the deck's chain of layers is not."""
        self._watch.begin(x)
        handles = [
            module.register_forward_hook(self._hook(self._names[id(module)]))
            for module in self.model.modules()
            if not any(True for _ in module.children())
        ]
        try:
            output = self._watch.end(self.model(x))
        finally:
            for handle in handles:
                handle.remove()
        return list(self._watch.ran), output

    def _hook(self, path: str) -> Callable[[torch.nn.Module, tuple[object, ...], object], None]:
        def hook(module: torch.nn.Module, given: tuple[object, ...], made: object) -> None:
            self._watch.enter(path, module, given, made)

        return hook
