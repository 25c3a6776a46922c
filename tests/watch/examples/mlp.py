"""Handwritten digits with a multilayer perceptron: `python mlp.py [STEPS]`."""

import csv
import gzip
import sys
from pathlib import Path

import torch
from torch import nn

import parity

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 40


def digits():
    path = Path(parity.__file__).parent / "config" / "datasets" / "digits.csv.gz"
    with gzip.open(path, "rt") as file:
        rows = [[float(cell) for cell in row] for row in csv.reader(file) if row[0][0].isdigit()]
    table = torch.tensor(rows)
    return table[:, :64] / 16, table[:, 64].long()


torch.manual_seed(0)
x, y = digits()
model = nn.Sequential(
    nn.Linear(64, 48),
    nn.ReLU(),
    nn.Dropout(0.1),
    nn.Linear(48, 32),
    nn.GELU(),
    nn.Linear(32, 10),
)
criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)

for _step in range(STEPS):
    batch = torch.randint(len(x), (32,))
    optimizer.zero_grad()
    loss = criterion(model(x[batch]), y[batch])
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
print(f"loss {loss.item():.4f}")
