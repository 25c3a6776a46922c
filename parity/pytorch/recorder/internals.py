"""Every name that PyTorch does not promise to keep, in one place. Tried with PyTorch 2.13."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from types import CodeType, FrameType, MethodType
from typing import TYPE_CHECKING, TypeVar, cast

import torch
from torch.utils import _python_dispatch
from torch.utils.hooks import RemovableHandle

from parity.errors import EnvironmentUnfit
from parity.render.texts.message import Message

if TYPE_CHECKING:
    from torch.autograd.graph import Node as GradNode

F = TypeVar("F", bound="Callable[..., object]")
DispatchMode = _python_dispatch.TorchDispatchMode
CALL_IMPL: CodeType = torch.nn.Module._call_impl.__code__  # the frame in which a module runs its forward
APPLY: CodeType = cast(
    MethodType, torch.autograd.Function.apply
).__func__.__code__  # the frame of a function's forward


def _unfit(missing: AttributeError) -> EnvironmentUnfit:
    return EnvironmentUnfit(Message("torch_lacks", torch=torch.__version__, name=missing.name))


COMPILE_WRAPPER = "compile_wrapper"  # the code of every function that torch.compile returns

try:
    next_sequence: Callable[[], int] = torch._C._autograd._get_sequence_nr
    _graph_task: Callable[[], int] = torch._C._current_graph_task_id
    queue_callback = torch.autograd.Variable._execution_engine.queue_callback
    _undispatched: Callable[[], AbstractContextManager[object]] = torch._C._DisableTorchDispatch
    _is_wrapped: Callable[[torch.Tensor], bool] = torch._C._functorch.is_functorch_wrapped_tensor
except AttributeError as missing:  # pragma: no cover - another version of PyTorch
    raise _unfit(missing) from None


def undispatched() -> AbstractContextManager[object]:
    """Run operations of which no dispatch mode hears."""
    return _undispatched()


def ranks() -> tuple[int, int]:
    """The rank of this process and the number of ranks; 0 and 1 where there is no process group."""
    there = torch.distributed.is_available() and torch.distributed.is_initialized()
    return (torch.distributed.get_rank(), torch.distributed.get_world_size()) if there else (0, 1)


def store() -> torch._C._distributed_c10d.Store:
    """The store through which the ranks of the default process group found each other."""
    return torch.distributed.distributed_c10d._get_default_store()


def await_collective(operation: torch._ops.OpOverload, found: object) -> None:
    """Wait until an operation of torch.distributed has written its results; not for one rank's message."""
    if operation.namespace != "c10d" or "send" in str(operation) or "recv" in str(operation):
        return
    for part in found if isinstance(found, tuple) else (found,):
        if isinstance(part, torch.ScriptObject) and _script_type(part) == "Work":
            torch.distributed.Work.unbox(part).wait()


def scripted(value: torch.ScriptObject) -> tuple[int, ...] | str:
    """The ranks of a process group, the name of a reduction, of anything else its type."""
    kind = _script_type(value)
    if kind == "ProcessGroup":
        group = torch.distributed.ProcessGroup.unbox(value)
        return tuple(torch.distributed.get_process_group_ranks(group))
    if kind == "ReduceOp":
        return torch.distributed.ReduceOp.RedOpType(value.op()).name  # type: ignore[attr-defined]
    return kind


def _script_type(value: torch.ScriptObject) -> str:
    return str(value._type()).rpartition(".")[2]


def alias(tensor: torch.Tensor) -> torch.Tensor:
    """The same memory as a tensor of its own, of which no dispatch mode hears."""
    with _undispatched():
        return tensor.detach()


def uncompiled(function: F) -> F:
    """The function as compiled code calls it: as it is."""
    return cast("F", torch.compiler.disable(function))  # type: ignore[no-untyped-call]


def is_tracing() -> bool:
    """Whether PyTorch is compiling something in this thread."""
    return torch._guards.TracingContext.try_get() is not None


def in_backward() -> bool:
    """Whether autograd's engine is running a node in this thread."""
    return _graph_task() >= 0


def sequence(node: GradNode) -> int:
    """The number that autograd gave a node when it was made; they grow."""
    return node._sequence_nr()


def made_since(
    number: int, roots: Iterable[GradNode]
) -> tuple[list[GradNode], dict[tuple[int, int], GradNode]]:
    """The nodes behind these that were made since the counter stood at a number, and by identity and
    output those older ones, and leaves, that they send to. As long as a node lives, so does its identity.
    """
    own: dict[int, GradNode] = {}
    outside: dict[tuple[int, int], GradNode] = {}
    waiting = [(node, 0) for node in roots]
    while waiting:
        node, slot = waiting.pop()
        if variable(node) is not None or sequence(node) < number:
            outside[id(node), slot] = node
        elif id(node) not in own:
            own[id(node)] = node
            waiting += [(after, at) for after, at in node.next_functions if after is not None]
    return list(own.values()), outside


def notes(node: GradNode) -> dict[object, object]:
    """A dictionary that lives with a node, for whoever wants to remember something of it."""
    return cast("dict[object, object]", node.metadata)  # a method by its stub, in truth an attribute


def is_plain(tensor: torch.Tensor) -> bool:
    """Whether a tensor holds its own values: no subclass, none of torch.func's wrappers."""
    return type(tensor) in (torch.Tensor, torch.nn.Parameter) and not _is_wrapped(tensor)


def variable(node: GradNode) -> torch.Tensor | None:
    """The leaf whose gradient a node accumulates, or None for any other node."""
    return cast("torch.Tensor | None", getattr(node, "variable", None))


def after_accumulating(leaf: torch.Tensor, hook: Callable[[torch.Tensor], None]) -> RemovableHandle:
    """Call a hook once a leaf has its gradient, before any hook of the node that accumulates it."""
    return cast("RemovableHandle", leaf.register_post_accumulate_grad_hook(hook))  # type: ignore[no-untyped-call]


def is_zero(tensor: torch.Tensor) -> bool:
    """Whether a tensor is one of autograd's zeros, which have no memory."""
    return tensor._is_zerotensor()


def owner(tensor: torch.Tensor) -> torch.Tensor:
    """What a tensor is a view of, or the tensor itself."""
    base: torch.Tensor | None = tensor._base
    return tensor if base is None else base


def saved_view(node: GradNode) -> tuple[tuple[int, ...], tuple[int, ...], int] | None:
    """Size, stride and offset of a view that autograd made anew, since its base was written to."""
    if node.name() != "AsStridedBackward0":
        return None
    size, stride = node._saved_size, node._saved_stride  # type: ignore[attr-defined]
    return tuple(size), tuple(stride), int(node._saved_storage_offset or 0)  # type: ignore[attr-defined]


def forward_class(node: GradNode) -> type | None:
    """The `torch.autograd.Function` in Python that made a node, or None."""
    return cast("type | None", getattr(type(node), "_forward_cls", None))


def is_compiled(module: torch.nn.Module) -> bool:
    """Whether a module is what `torch.compile` returned. Nothing is, before that was imported."""
    compiler = sys.modules.get("torch._dynamo.eval_frame")
    return compiler is not None and isinstance(module, compiler.OptimizedModule)


def original(module: torch.nn.Module) -> torch.nn.Module:
    """What `torch.compile` was given where a module is what it returned, else the module itself."""
    return cast("torch.nn.Module", module._orig_mod) if is_compiled(module) else module


def tell_of_compiled(
    begins: Callable[[FrameType], bool], ends: Callable[[FrameType], None]
) -> Callable[[], None]:
    """Tell of every call of what `torch.compile` made, by the frame of its wrapper, which holds `fn`,
    `args` and `kwargs`, and in the end `result`, unless it raised.

    Where `begins` says False, the call runs eagerly. Returns what ends the telling.
    """
    from torch._dynamo import eval_frame as dynamo  # every dispatch mode has imported it

    try:
        chosen, entered = dynamo._callback_from_stance, dynamo._maybe_set_eval_frame
    except AttributeError as missing:  # pragma: no cover - another version of PyTorch
        raise _unfit(missing) from None

    def choosing(callback: object) -> object:
        found, frame = chosen(callback), sys._getframe(1)  # type: ignore[arg-type]
        if found is None or frame.f_code.co_name != COMPILE_WRAPPER:
            return found
        return found if begins(frame) else None

    def entering(callback: object) -> object:
        frame = sys._getframe(1)
        if frame.f_code.co_name == COMPILE_WRAPPER and "call_succeeded" in frame.f_locals:
            ends(frame)
        return entered(callback)  # type: ignore[arg-type]

    def give_back() -> None:
        dynamo._callback_from_stance, dynamo._maybe_set_eval_frame = chosen, entered

    dynamo._callback_from_stance, dynamo._maybe_set_eval_frame = choosing, entering  # type: ignore[assignment]
    return give_back


def backend_of(frame: FrameType) -> object:
    """What compiles for the function that a wrapper's frame is of."""
    from torch._dynamo import eval_frame as dynamo

    return dynamo.innermost_backend(frame.f_locals["callback"])


def stack_height() -> int:
    """How many dispatch modes are active."""
    return torch._C._len_torch_dispatch_stack()


def enter(mode: DispatchMode) -> None:
    """Make a dispatch mode the innermost one."""
    mode.__enter__()  # type: ignore[no-untyped-call]


def leave(mode: DispatchMode) -> None:
    """End the innermost dispatch mode."""
    mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]


def is_top(mode: DispatchMode) -> bool:
    """Whether a dispatch mode is the innermost one."""
    return _python_dispatch._get_current_dispatch_mode() is mode


def user_hooks(tensor: torch.Tensor) -> tuple[str, ...]:
    """The kinds of hooks that somebody put on a tensor."""
    kinds = {"tensor hook": "_backward_hooks", "post-accumulate hook": "_post_accumulate_grad_hooks"}
    return tuple(kind for kind, name in kinds.items() if getattr(tensor, name, None))


def module_hooks(module: torch.nn.Module) -> tuple[str, ...]:
    """The kinds of hooks that somebody put on a module."""
    kinds = ("forward_pre_hooks", "forward_hooks", "backward_pre_hooks", "backward_hooks")
    return tuple(kind.replace("_", " ")[:-1] for kind in kinds if getattr(module, f"_{kind}"))


def averaging() -> torch.nn.parallel.DistributedDataParallel | None:
    """The module whose forward runs and of whose gradients the ranks take the average."""
    return torch.nn.parallel.DistributedDataParallel._active_ddp_module


def communication(module: torch.nn.parallel.DistributedDataParallel) -> Iterator[str]:
    """What makes something else of its average than the mean of all ranks."""
    hook = module._get_ddp_logging_data().get("comm_hook")  # type: ignore[no-untyped-call]
    if hook:
        yield f"communication hook {hook}"
    if module.process_group.size() != ranks()[1]:
        yield f"a group of {module.process_group.size()} ranks"
