"""Limits of this machine: matrix products, memory bandwidth, softmax."""

import torch

from benchmarks.base import options, show
from benchmarks.clock import fastest

SECONDS = 1.0
"""Per figure; the fastest call counts."""


def main(arguments: list[str]) -> None:
    """Print the limits."""
    parser = options("machine", __doc__)
    parser.add_argument("--size", type=int, default=2048, help="rows and columns of the matrices (default: %(default)s)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu or cuda (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    size, device = chosen.size, torch.device(chosen.device)
    wide = product_rate(torch.float32, device, size)
    rows = [
        ("float32 matrix product", f"{wide / 1e9:,.0f} GFLOP/s"),
        ("bfloat16 matrix product", f"{product_rate(torch.bfloat16, device, size) / 1e9:,.0f} GFLOP/s"),
        ("memory, read and written by a copy", f"{copy_rate(device, 64 * size * size) / 1e9:,.1f} GB/s"),
        ("float32 softmax of rows", f"{softmax_rate(device, size) / 1e6:,.0f} million/s"),
    ]
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    show(f"Limits of this machine, {where}", ("", "at most"), rows)


def product_rate(dtype: torch.dtype, device: torch.device, size: int = 2048) -> float:
    """FLOP/s of the product of two square matrices."""
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return 2 * size**3 / fastest(lambda: left @ right, seconds=SECONDS)


def copy_rate(device: torch.device, num_bytes: int = 256 << 20) -> float:
    """Bytes/s that a copy of this many bytes reads and writes."""
    source = torch.ones(num_bytes, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * num_bytes / fastest(lambda: target.copy_(source), seconds=SECONDS)


def softmax_rate(device: torch.device, size: int = 2048) -> float:
    """Elements/s of a softmax over rows of float32, into memory that is there already."""
    scores = torch.randn(size, size, device=device)
    target = torch.empty_like(scores)
    return size**2 / fastest(lambda: torch.softmax(scores, 1, out=target), seconds=SECONDS)
