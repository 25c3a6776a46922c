"""Findings in PyTorch's documentation: formulas that its states do not follow, and its parameters do."""

from __future__ import annotations

from parity.pytorch.deviations.deviation import Deviation

DOCUMENTATION = (
    Deviation(
        "muon-momentum",
        "documentation",
        "torch.optim.Muon, momentum_buffer",
        "B ← μB + g, and g + μB goes into Newton–Schulz",
        "B ← μB + (1 − μ)g, and (1 − μ)g + μB; both are (1 − μ) times what is documented, and "
        "Newton–Schulz divides by the norm. Our formula is the computed one",
        """import torch
p = torch.nn.Parameter(torch.zeros(1, 1))
optimizer = torch.optim.Muon([p], momentum=0.75)
p.grad = torch.ones_like(p)
optimizer.step()
print(optimizer.state[p]["momentum_buffer"].item(), "instead of", 1.0)
""",
    ),
    Deviation(
        "adafactor-means",
        "documentation",
        "torch.optim.Adafactor, row_var and col_var",
        "R and C average the sums of g² over rows and columns, and V = R C / max(1ᵀR, ε₁)",
        "the means, and V = R C / max(mean R, ε₁): the same V, unless ε₁ is the larger. Our formula is "
        "the computed one",
        """import torch
p = torch.nn.Parameter(torch.zeros(1, 4))
optimizer = torch.optim.Adafactor([p])
p.grad = torch.ones_like(p)
optimizer.step()
print(optimizer.state[p]["row_var"].item(), "instead of", 4.0)
""",
    ),
)
