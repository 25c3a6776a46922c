"""An LSTM that tells which of two noisy sine waves it hears: `python lstm.py [STEPS]`."""

import math
import sys

import torch
from torch import nn

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 40
LENGTH, FREQUENCIES = 12, torch.tensor([1.0, 2.5])


class Classifier(nn.Module):
    def __init__(self, features, hidden, classes):
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, batch_first=True)
        self.norm = nn.LayerNorm(hidden)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.head(self.norm(out[:, -1]))


def waves(n):
    label = torch.randint(2, (n,))
    t = torch.arange(LENGTH) * (2 * math.pi / LENGTH)
    wave = torch.sin(FREQUENCIES[label].unsqueeze(1) * t + torch.rand(n, 1) * 2 * math.pi)
    return torch.stack([wave, wave.cumsum(1)], dim=-1) + 0.1 * torch.randn(n, LENGTH, 2), label


torch.manual_seed(0)
model = Classifier(2, 10, 2)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

for _step in range(STEPS):
    x, label = waves(16)
    loss = nn.functional.cross_entropy(model(x), label)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5)
    optimizer.step()
print(f"loss {loss.item():.4f}")
