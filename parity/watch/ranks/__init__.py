"""The ranks of one training: what they averaged and exchanged, and whether they are one model.

Each rank certifies its own steps. `RoundMaker` collects, on each of them, what the others must know;
`Exchange` sends it to rank 0, where `Joining` holds all of it together.
"""
