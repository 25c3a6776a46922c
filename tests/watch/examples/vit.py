"""A vision transformer that tells where a bright square is: `python vit.py [STEPS]`."""

import sys

import torch
from torch import nn

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 40


class ViT(nn.Module):
    def __init__(self, size=12, patch=4, width=16, heads=2, depth=2, classes=4):
        super().__init__()
        self.patches = nn.Conv2d(1, width, patch, stride=patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(torch.randn(1, 1 + (size // patch) ** 2, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, classes))

    def forward(self, images):
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(images), -1, -1), x], dim=1) + self.places
        return self.head(self.encoder(x)[:, 0])


def pictures(n):
    corner = torch.randint(4, (n,))
    images = 0.3 * torch.randn(n, 1, 12, 12)
    for image, place in zip(images, corner.tolist(), strict=True):
        row, column = 6 * (place // 2), 6 * (place % 2)
        image[:, row : row + 6, column : column + 6] += 1
    return images, corner


torch.manual_seed(0)
model = ViT()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=STEPS)

for _step in range(STEPS):
    images, corner = pictures(8)
    loss = nn.functional.cross_entropy(model(images), corner)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
print(f"loss {loss.item():.4f}")
