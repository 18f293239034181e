"""Attention by products of matrices: what torch's fused attention computes."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `hf`")

from rerankllm.backends.hf import attention  # noqa: E402


def tensors(count, queries, keys, dtype=torch.float32):
    torch.manual_seed(3)
    shapes = ((count, 6, queries, 8), (count, 2, keys, 8), (count, 2, keys, 8))
    return [torch.randn(shape).to(dtype) for shape in shapes]


@pytest.mark.parametrize("scaling", [None, 0.3])
@pytest.mark.parametrize("length", [1, 5, attention.BLOCK, 2 * attention.BLOCK + 3])
def test_causal(length, scaling):
    query, key, value = tensors(2, length, length)
    fused = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, is_causal=True, scale=scaling, enable_gqa=True
    )
    assert torch.allclose(attention._products(query, key, value, None, scaling), fused, atol=1e-5)


@pytest.mark.parametrize("queries", [1, 7, attention.BLOCK + 2])
def test_by_a_mask(queries):
    keys = queries + 40
    query, key, value = tensors(3, queries, keys)
    starts = torch.tensor([40, 20, 0])[:, None, None, None]
    unseen = torch.arange(keys) > starts + torch.arange(queries)[:, None]
    mask = torch.zeros(unseen.shape).masked_fill(unseen, -torch.inf)
    fused = torch.nn.functional.scaled_dot_product_attention(query, key, value, mask, enable_gqa=True)
    assert torch.allclose(attention._products(query, key, value, mask, None), fused, atol=1e-5)


def test_it_is_for_bfloat16_on_a_cpu():
    assert attention._by_products(torch.zeros(1, dtype=torch.bfloat16))
    assert not attention._by_products(torch.zeros(1))
    assert not attention._by_products(torch.zeros(1, dtype=torch.bfloat16, device="meta"))


def test_in_bfloat16_it_is_as_near_to_float32_as_fused_attention_is():
    query, key, value = tensors(2, 300, 300)
    exact = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
    query, key, value = (tensor.bfloat16() for tensor in (query, key, value))
    fused = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
    products = attention._products(query, key, value, None, None)
    assert (products - exact).abs().mean() < 2 * (fused - exact).abs().mean()
