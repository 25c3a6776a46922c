"""A small U-Net that segments discs in noise: `python unet.py [STEPS]`."""

import sys

import torch
import torch.nn.functional as F
from torch import nn

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 40
SIZE = 16


def double(inside, outside):
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, padding=1),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
        nn.Conv2d(outside, outside, 3, padding=1),
        nn.LeakyReLU(0.1),
    )


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1, self.down2, self.bottom = double(1, 4), double(4, 8), double(8, 8)
        self.up2 = nn.ConvTranspose2d(8, 8, 2, stride=2)
        self.mix2 = double(16, 8)
        self.up1 = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.mix1 = double(12, 4)
        self.out = nn.Conv2d(4, 1, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(F.max_pool2d(a, 2))
        c = self.bottom(F.avg_pool2d(b, 2))
        c = self.mix2(torch.cat([self.up2(c), b], dim=1))
        c = self.mix1(torch.cat([self.up1(c), a], dim=1))
        return self.out(c)


def discs(n):
    grid = torch.arange(SIZE)
    centre = torch.rand(n, 2, 1, 1) * SIZE
    radius = 2 + torch.rand(n, 1, 1) * 4
    mask = ((grid[:, None] - centre[:, 0]) ** 2 + (grid - centre[:, 1]) ** 2 < radius**2).float()
    return (mask + 0.5 * torch.randn_like(mask)).unsqueeze(1), mask.unsqueeze(1)


torch.manual_seed(0)
model = UNet()
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, momentum=0.9)

for _step in range(STEPS):
    image, mask = discs(4)
    logits = model(image)
    probability = torch.sigmoid(logits)
    dice = 1 - (2 * (probability * mask).sum() + 1) / (probability.sum() + mask.sum() + 1)
    loss = F.binary_cross_entropy_with_logits(logits, mask) + dice
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"loss {loss.item():.4f}")
