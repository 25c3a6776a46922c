"""`parity explain`: one number worked out by hand. (placeholder)"""

import typer


def register(app: typer.Typer) -> None:
    """."""
