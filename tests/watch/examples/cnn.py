"""A small residual network with batch norm, on handwritten digits: `python cnn.py [STEPS]`."""

import csv
import gzip
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

import parity

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 40


class Block(nn.Module):
    def __init__(self, inside, outside, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.shortcut = nn.Conv2d(inside, outside, 1, stride, bias=False)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return F.relu(out, inplace=True)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 6, 3, padding=1)
        self.blocks = nn.Sequential(Block(6, 8), Block(8, 12, stride=2))
        self.head = nn.Linear(12, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.stem(x)), 2, stride=1)
        x = self.blocks(x)
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))


path = Path(parity.__file__).parent / "config" / "datasets" / "digits.csv.gz"
with gzip.open(path, "rt") as file:
    rows = [[float(cell) for cell in row] for row in csv.reader(file) if row[0][0].isdigit()]

torch.manual_seed(0)
table = torch.tensor(rows)
x, y = table[:, :64].reshape(-1, 1, 8, 8) / 16, table[:, 64].long()
model = ResNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 20, gamma=0.5)

for _step in range(STEPS):
    batch = torch.randperm(len(x))[:24]
    loss = F.cross_entropy(model(x[batch]), y[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
print(f"loss {loss.item():.4f}")
