"""Where to compute, and in which arithmetic."""

import time
from functools import cache

import torch

# Below this many multiplications a step, casting costs more than bfloat16 saves.
_BF16_PAYS = 1e8
# By how much products of small matrices must be faster in bfloat16 to be computed in it.
_WIDE_MARGIN = 1.4


def resolve_device(device):
    """Turn the `device` parameter into a torch.device that is there.

    It has the index that tensors on it have: "cuda" alone is unequal to "cuda:0".

    Raises
    ------
    ValueError
        If it is unknown, or not there.
    """
    there = ["cpu"]
    if torch.cuda.is_available():
        there.insert(0, "cuda")
    elif torch.backends.mps.is_available():
        there.insert(0, "mps")
    try:
        wanted = torch.device(there[0] if device == "auto" else device)
        if wanted.type in there:
            return torch.empty(0, device=wanted).device
    except RuntimeError:
        pass
    raise ValueError(
        f"device={device!r} is not available here. Available: {', '.join(there)}. Use "
        'device="auto" to take the best one.'
    )


def resolve_precision(precision, module, batch_size, device):
    """Turn the `precision` parameter into "float32" or "bf16".

    By rules, not by a measurement: the same call gives the same numbers on a busy machine.
    """
    if precision != "auto":
        return precision
    # forward and backward take six operations a weight and row
    work = 6 * batch_size * sum(p.numel() for p in module.parameters() if p.requires_grad)
    return "bf16" if work >= _BF16_PAYS and _has_bf16(device) else "float32"


def probe_precision(precision, device):
    """Turn the `precision` parameter into "float32" or "bf16", for products of small matrices.

    There, what is faster is not seen from the kinds of instructions that a processor has, so
    "auto" measures, on the CPU, casts included, and asks for a wide margin: the answer depends
    on the machine, and hardly on what else it does.
    """
    if precision != "auto":
        return precision
    pays = _small_products_pay() if device.type == "cpu" else _has_bf16(device)
    return "bf16" if pays else "float32"


@cache
def _small_products_pay():
    def seconds(dtype):
        start = time.perf_counter()
        # forward and back, from float32 and to it: casts may take all that products save
        a, b = x.to(dtype), y.to(dtype)
        product = torch.bmm(a, b.mT)
        torch.bmm(product, b).float()
        torch.bmm(product.mT, a).float()
        return time.perf_counter() - start

    x, y = torch.ones(64, 32, 96), torch.ones(64, 64, 96)
    kinds = torch.float32, torch.bfloat16
    # the fastest of several turns: others may use the processor, too
    float32, bf16 = map(min, zip(*([seconds(kind) for kind in kinds] for _ in range(20))))
    return bf16 * _WIDE_MARGIN < float32


def _has_bf16(device):
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        # the bfloat16 instructions of AVX-512 do not count: where there are no matrix units
        # next to them, some processors are slower with them than in float32
        probe = getattr(torch.cpu, "_is_amx_tile_supported", None)
        return probe is not None and probe()
    return False
