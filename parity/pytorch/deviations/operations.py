"""Findings in operations that only a watched program runs: no layered network of a run meets them."""

from __future__ import annotations

from parity.pytorch.deviations.deviation import Deviation

OPERATIONS = (
    Deviation(
        "attention-nan",
        "operations",
        "torch.nn.functional.scaled_dot_product_attention, CPU, no mask, fewer keys than a "
        "vector register has numbers (8 or 16 in float32)",
        "softmax(q kᵀ/√d) v, which is NaN for a query that is NaN",
        "0: the largest score is kept by std::max, which drops a NaN, and the row is then taken for one "
        "that may look at nothing, in the backward too. With more keys it is NaN. The same where q kᵀ "
        "overflows to −∞ or NaN",
        """import torch
q, k, v = torch.full((1, 1, 1, 4), float("nan")), torch.ones(1, 1, 3, 4), torch.ones(1, 1, 3, 4)
y = torch.nn.functional.scaled_dot_product_attention(q, k, v)
print(y[0, 0, 0].tolist(), "instead of", float("nan"))
""",
    ),
    Deviation(
        "dropout-train-none",
        "operations",
        "torch.native_dropout with train=None, backward",
        "g ⊙ mask/(1 − p), the derivative of what the forward computes",
        "g ⊙ mask: the forward takes None for training and scales, the backward does not",
        """import torch
x = torch.ones(1000, requires_grad=True)
y, mask = torch.native_dropout(x, 0.75, None)
y.sum().backward()
print(y.max().item(), "forward,", x.grad.max().item(), "backward")
""",
    ),
    Deviation(
        "layer-norm-overflow",
        "operations",
        "torch.nn.functional.layer_norm, backward, float32, where x, weight and error are about 1e15",
        "rstd (d − mean of d − h · mean of d h), about 1e15 and far inside float32",
        "NaN: Σ d x and its product with rstd³ are formed apart, and overflow",
        """import torch
torch.manual_seed(0)
x, w, g = (1e15 * torch.randn(*shape) for shape in ((2, 5), (5,), (2, 5)))
for t in (x, x.double()):
    t.requires_grad_()
    torch.nn.functional.layer_norm(t, (5,), w.to(t)).backward(g.to(t))
    print(t.grad[0].tolist())
""",
    ),
    Deviation(
        "normalize-overflow",
        "operations",
        "torch.nn.functional.normalize and cosine_similarity, forward, where the squares of x overflow",
        "x/‖x‖, of length 1",
        "0, quietly: ‖x‖ is ∞ once Σ x² is, though it is itself far inside the format",
        """import torch
x = torch.tensor([3e30, 4e30])
print(torch.nn.functional.normalize(x, dim=0).tolist(), "instead of", [0.6, 0.8])
""",
    ),
    Deviation(
        "layer-norm-large",
        "operations",
        "torch.nn.functional.layer_norm and group_norm, forward, where the variance of x overflows",
        "(x − mean)/√(variance + ε), about 1",
        "NaN of a few numbers, and 0 of many",
        """import torch
for n in (4, 64):
    x = 1e30 * torch.arange(n, dtype=torch.float32)
    print(n, torch.nn.functional.layer_norm(x, (n,))[-1].item())
    print(n, torch.nn.functional.layer_norm(x.double(), (n,))[-1].item(), "in float64")
""",
    ),
    Deviation(
        "sign-nan",
        "operations",
        "torch.sign, and the backward of torch.abs, where x is NaN",
        "sign(x), of which nothing is known: NaN, as numpy.sign has it",
        "0: (0 < x) − (x < 0), both of which are false",
        """import torch
x = torch.tensor(float("nan"), requires_grad=True)
x.abs().backward()
print(torch.sign(x).item(), x.grad.item())
""",
    ),
    Deviation(
        "elu-nan",
        "operations",
        "torch.nn.ELU, CELU and SELU, backward, where z is NaN, in what is left over of whole vectors",
        "f′(z), which is NaN; in whole vectors it is",
        "f′ of a positive z: z <= 0 is false. The same number has one gradient or the other by its place",
        """import torch
z = torch.full((33,), float("nan"), requires_grad=True)
torch.nn.functional.elu(z).sum().backward()
print(z.grad[0].item(), z.grad[-1].item())
""",
    ),
    Deviation(
        "scatter-reduce-self",
        "operations",
        "torch.Tensor.scatter_reduce with amax or amin and include_self=False, backward, where what is "
        "overwritten happens to equal the result",
        "g to the number that was chosen: what is overwritten takes no part",
        "that of a number that ties with it, g/2",
        """import torch
src = torch.zeros(1, requires_grad=True)
torch.zeros(1).scatter_reduce(0, torch.tensor([0]), src, "amax", include_self=False).backward()
print(src.grad.item(), "instead of", 1.0)
""",
    ),
    Deviation(
        "rprop-nan",
        "operations",
        "torch.optim.Rprop, where a gradient is NaN",
        "θ − η sign(g), which is NaN",
        "θ as it was, since torch.sign of NaN is 0: a number that is NaN asks for no change",
        """import torch
p = torch.nn.Parameter(torch.ones(1))
p.grad = torch.full((1,), float("nan"))
torch.optim.Rprop([p]).step()
print(p.item())
""",
    ),
    Deviation(
        "adafactor-nan",
        "operations",
        "torch.optim.Adafactor, where some numbers of a gradient are NaN",
        "the update over max(1, RMS(U)/d), NaN everywhere",
        "others are updated: Python's max(1.0, nan) is 1.0",
        """import torch
p = torch.nn.Parameter(torch.ones(2))
p.grad = torch.tensor([float("nan"), 1.0])
torch.optim.Adafactor([p], lr=0.25).step()
print(p.tolist())
""",
    ),
    Deviation(
        "gaussian-nll-overflow",
        "operations",
        "torch.nn.GaussianNLLLoss, backward, where 2(z − y) overflows",
        "(z − y)/σ², inside the format",
        "∞: the square's derivative 2(z − y) is formed first",
        """import torch
z, y = torch.tensor([-3e38], requires_grad=True), torch.zeros(1)
torch.nn.functional.gaussian_nll_loss(z, y, torch.tensor([10.0])).backward()
print(z.grad.item(), "instead of", -3e37)
""",
    ),
    Deviation(
        "label-smoothing-overflow",
        "operations",
        "torch.nn.CrossEntropyLoss with label_smoothing, forward, where Σ log ŷ over the classes overflows",
        "(1 − ε) L + ε/C Σ_c −log ŷ_c, inside the format",
        "∞: the sum over classes and samples is formed first, and multiplied by ε/C after it",
        """import torch
z, y = torch.tensor([[1e38, -1e38, -1e38]]), torch.tensor([0])
loss = torch.nn.CrossEntropyLoss(label_smoothing=0.3)
print(loss(z, y).item(), "instead of", loss(z.double(), y).item())
""",
    ),
    Deviation(
        "bce-target-unclamped",
        "operations",
        "torch.nn.functional.binary_cross_entropy, backward to the target, where log ŷ or log(1 − ŷ) is "
        "below −100",
        "log(1 − ŷ) − log ŷ, each logarithm held above −100, as in the loss",
        "−logit(ŷ), of which nothing is held: ∞ where ŷ is 0, though the loss is linear in the target",
        """import torch
x, y = torch.zeros(1), torch.zeros(1, requires_grad=True)
torch.nn.functional.binary_cross_entropy(x, y).backward()
print(y.grad.item(), "instead of", 100.0)
""",
    ),
)
