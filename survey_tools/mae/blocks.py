"""Pre-norm transformer blocks, their first weights, and how tokens are picked."""

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Attention", "Block", "Mlp", "draw_token", "draw_weights", "make_linear", "take"]

_MOST_WRITTEN_OUT = 320  # tokens up to which attention in 16 bits is written out on a CPU
TOKEN_STD = 0.02  # of the cls and mask tokens, as in BERT and ViT


def make_linear(n_inputs: int, n_outputs: int) -> nn.Linear:
    """Build a linear layer whose weights are not drawn yet, so that no global chance is used."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, n_inputs, n_outputs)  # type: ignore[no-untyped-call]
    return layer


def take(tokens: Tensor, places: Tensor) -> Tensor:
    """Pick tokens of each image by their places.

    Parameters
    ----------
    tokens : Tensor, shape (batch, n, width)
    places : Tensor of int64, shape (batch, n_taken)

    Returns
    -------
    Tensor, shape (batch, n_taken, width)
    """
    index = places[:, :, None].expand(-1, -1, tokens.shape[2])  # (batch, n_taken, width)
    return tokens.gather(1, index)


class Attention(nn.Module):
    """Multi-head self-attention.

    On a CPU torch's own attention is slow backwards in bfloat16: 11 ms where single precision
    takes 1, most of a step at 32 pixels (torch 2.13). Under autocast it is therefore written out
    as two products with a softmax between, in bfloat16, which keeps an n x n matrix a head; above
    320 tokens, where that matrix would be the largest thing kept, it runs in single precision.

    References
    ----------
    .. [1] Vaswani et al., arXiv:1706.03762, section 3.2.
    """

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.qkv = make_linear(width, 3 * width)
        self.project = make_linear(width, width)

    def forward(self, tokens: Tensor, n_queries: int | None = None) -> Tensor:
        """Let the last ``n_queries`` tokens, by default all, ask all tokens.

        Parameters
        ----------
        tokens : Tensor, shape (batch, n, width)

        Returns
        -------
        Tensor, shape (batch, n_queries, width)
        """
        batch, n, width = tokens.shape
        if n_queries is None:
            parts = self.qkv(tokens)
            parts = parts.reshape(batch, n, 3, self.n_heads, -1)  # (batch, n, 3, heads, depth)
            query, key, value = parts.permute(2, 0, 3, 1, 4)  # (batch, heads, n, depth) each
        else:
            asking, weight, bias = tokens[:, -n_queries:], self.qkv.weight, self.qkv.bias
            asked = functional.linear(asking, weight[:width], bias[:width])
            query = asked.reshape(batch, n_queries, self.n_heads, -1)
            query = query.transpose(1, 2)  # (batch, heads, n_queries, depth)
            parts = functional.linear(tokens, weight[width:], bias[width:])
            parts = parts.reshape(batch, n, 2, self.n_heads, -1)  # (batch, n, 2, heads, depth)
            key, value = parts.permute(2, 0, 3, 1, 4)  # (batch, heads, n, depth) each
        found = _attend(query, key, value).transpose(1, 2)  # (batch, n_queries, heads, depth)
        out: Tensor = self.project(found.reshape(batch, -1, width))  # (batch, n_queries, width)
        return out


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attend, (batch, heads, n, depth) each, by what is fastest for device and precision."""
    if query.device.type != "cpu" or query.dtype not in (torch.bfloat16, torch.float16):
        return functional.scaled_dot_product_attention(query, key, value)
    dtype = query.dtype
    with torch.autocast("cpu", enabled=False):
        if key.shape[2] > _MOST_WRITTEN_OUT:
            query, key, value = query.float(), key.float(), value.float()
            return functional.scaled_dot_product_attention(query, key, value).to(dtype)
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(2, 3)
        found: Tensor = scores.softmax(-1) @ value  # scores: (batch, heads, n_queries, n)
        return found


class Mlp(nn.Module):
    """Two linear layers with an exact GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.widen = make_linear(width, hidden)
        self.narrow = make_linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (batch, n, width) to the same shape, token by token."""
        out: Tensor = self.narrow(functional.gelu(self.widen(tokens)))
        return out


class Block(nn.Module):
    """Attention, then an MLP, each after a LayerNorm and added to what came in.

    References
    ----------
    .. [1] Dosovitskiy et al., arXiv:2010.11929, equations 2 and 3.
    """

    def __init__(self, width: int, n_heads: int, mlp_ratio: float, eps: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, eps=eps)
        self.attention = Attention(width, n_heads)
        self.mlp_norm = nn.LayerNorm(width, eps=eps)
        self.mlp = Mlp(width, round(mlp_ratio * width))

    def forward(self, tokens: Tensor, n_queries: int | None = None) -> Tensor:
        """Compute the last ``n_queries`` tokens, by default all, from all tokens.

        Parameters
        ----------
        tokens : Tensor, shape (batch, n, width)

        Returns
        -------
        Tensor, shape (batch, n_queries, width)
        """
        kept = tokens if n_queries is None else tokens[:, -n_queries:]
        kept = kept + self.attention(self.attention_norm(tokens), n_queries)
        out: Tensor = kept + self.mlp(self.mlp_norm(kept))
        return out


@torch.no_grad()
def draw_weights(module: nn.Module, generator: torch.Generator) -> None:
    """Draw the first weights of all linear layers below a module, on the CPU.

    Weights are xavier uniform, biases 0; queries, keys and values are three layers, as in ViT's
    own code, though they are stored as one.

    References
    ----------
    .. [1] He et al., arXiv:2111.06377, appendix A.1; Glorot and Bengio, 2010, equation 16.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight, generator=generator)
            nn.init.zeros_(part.bias)
    for part in module.modules():
        if isinstance(part, Attention):
            for weight in part.qkv.weight.chunk(3):
                nn.init.xavier_uniform_(weight, generator=generator)


def draw_token(width: int, generator: torch.Generator) -> nn.Parameter:
    """Draw a learnable token, normal with a standard deviation of 0.02, cut at 2.

    Returns
    -------
    Parameter, shape (width,)
    """
    token = torch.empty(width)
    return nn.Parameter(nn.init.trunc_normal_(token, std=TOKEN_STD, generator=generator))
