"""Findings in what `torch.compile` makes."""

from __future__ import annotations

from parity.pytorch.deviations.deviation import Deviation

COMPILED: tuple[Deviation, ...] = (
    Deviation(
        "inductor-local-buffer",
        "compiled",
        "torch.compile by inductor (CPU), backward of softmax(x) ⊙ x, where x is not contiguous and the "
        "loop over rows is vectorized",
        "each row's gradient is made of its own softmax",
        "of rows that go together all gradients are made of the last one's softmax: the buffer for what "
        "one loop hands to the next holds a single row. The same in gelu(layer_norm(x)) ⊙ tanh(x)",
        """import torch
torch.manual_seed(0)
x, g = torch.randn(2, 16, 2)[..., 0].requires_grad_(), torch.randn(2, 16)
f = lambda x: x.softmax(-1) * x
(right,), (found,) = (torch.autograd.grad(h(x), x, g) for h in (f, torch.compile(f)))
print("off by more than 0.01, in each row:", ((found - right).abs().amax(1) > 0.01).tolist())
""",
    ),
    Deviation(
        "adam-compiled",
        "compiled",
        "torch.compile of an optimizer's step, Adam and its kin, float32",
        "1 − β₂^t, of hyperparameters",
        "1 − β₂^t in float32, as with capturable=True: in the first steps off by up to u/(1 − β₂), "
        "relatively",
        """import torch
p = torch.nn.Parameter(torch.zeros(1))
p.grad = torch.ones(1)
optimizer = torch.optim.Adam([p], lr=1.0, betas=(0.9, 0.9999), eps=0)
torch.compile(optimizer.step, backend="eager")()
print(p.item(), "instead of", -1.0)
""",
    ),
)
