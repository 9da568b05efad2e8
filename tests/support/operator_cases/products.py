"""Products."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.support.operator_cases.case import OperatorCase, Shape


def _product(
    name: str, function: Callable[..., Tensor], inputs: tuple[Shape, ...], constants: tuple[Shape, ...] = ()
) -> OperatorCase:
    return OperatorCase(name, function, inputs, constants, family="product")


PRODUCTS = (
    _product("linear", F.linear, ((5,),), ((3, 5), (3,))),
    _product("linear over tokens", F.linear, ((4, 5),), ((3, 5), (3,))),
    _product("linear without bias", F.linear, ((5,),), ((3, 5),)),
    _product("addmm", lambda x, w, b: torch.addmm(b, x, w), ((5,),), ((5, 3), (3,))),
    _product("addmm, scaled", lambda x, w, b: torch.addmm(b, x, w, beta=0.5, alpha=2), ((5,),), ((5, 3), (3,))),
    _product(
        "product of linear layers",
        lambda x, y, a, b, c: F.linear(x, a, c) * F.linear(y, b, c),
        ((5,), (4,)),
        ((3, 5), (3, 4), (3,)),
    ),
    _product("baddbmm", lambda x, y, b: torch.baddbmm(b, x, y), ((4, 5), (5, 3)), ((1, 4, 3),)),
    _product("mm", lambda x, w: x @ w, ((5,),), ((5, 3),)),
    _product("bmm", torch.bmm, ((4, 5), (5, 3))),
    _product("matmul of four axes", torch.matmul, ((2, 4, 5), (2, 5, 3))),
    _product("matmul with a constant", lambda x, w: w @ x, ((4, 5),), ((3, 4),)),
    _product("einsum", lambda x, y: torch.einsum("bhqd,bhkd->bhqk", x, y), ((2, 4, 5), (2, 3, 5))),
    _product("einsum, bij,bjk->bik", lambda x, y: torch.einsum("bij,bjk->bik", x, y), ((3, 4), (4, 5))),
    _product("einsum, outer", lambda x, y: torch.einsum("bn,bm->bnm", x, y), ((3,), (4,))),
    _product("einsum, over channels", lambda x, w: torch.einsum("bchw,cd->bdhw", x, w), ((3, 4, 5),), ((3, 2),)),
    _product("einsum, constant first", lambda x, w: torch.einsum("ij,bjk->bik", w, x), ((3, 4),), ((5, 3),)),
    _product(
        "einsum, batch in the middle",
        lambda x, w: torch.einsum("ibd,jd->ibj", x.transpose(0, 1), w).transpose(0, 1),
        ((3, 4),),
        ((5, 4),),
    ),
    _product("einsum of three", lambda x, y, w: torch.einsum("bi,bj,kij->bk", x, y, w), ((3,), (4,)), ((5, 3, 4),)),
    _product("tensordot", lambda x, w: torch.tensordot(x, w, ([2], [1])), ((3, 4),), ((5, 4),)),
    _product("tensordot over two axes", lambda x, w: torch.tensordot(x, w, 2), ((3, 4),), ((3, 4, 5),)),
    _product("outer product", lambda x, y: x.unsqueeze(2) * y.unsqueeze(1), ((3,), (4,))),
    _product("cross product", torch.linalg.cross, ((4, 3), (4, 3))),
    _product("lerp", lambda x, y: torch.lerp(x, y, 0.3), ((3, 4), (3, 4))),
    _product("addcmul", lambda x, y: torch.addcmul(x, x, y, value=0.5), ((3, 4), (3, 4))),
    _product("product of two", torch.mul, ((3, 4), (3, 4))),
    _product("product with itself", lambda x: x * x, ((3, 4),)),
    _product("product with a number", lambda x: torch.ops.aten.mul.Scalar(x, 2.0), ((3, 4),)),
    _product("product with a constant", torch.mul, ((3, 4),), ((4,),)),
    _product("quotient", lambda x, y: x / (y * y + 1), ((3, 4), (3, 4))),
    _product("quotient of a constant", lambda x, w: w / (x * x + 1), ((3, 4),), ((4,),)),
    _product("sum of two", lambda x, y: torch.add(x, y, alpha=2), ((3, 4), (3, 4))),
    _product("sum with a constant", lambda x, w: torch.add(x, w, alpha=2), ((3, 4),), ((4,),)),
    _product("constant plus scaled", lambda x, w: torch.add(w, x, alpha=2), ((3, 4),), ((4,),)),
    _product("difference to a constant", lambda x, w: x - w, ((3, 4),), ((4,),)),
    _product("difference from a constant", lambda x, w: w - x, ((3, 4),), ((4,),)),
    _product("difference from a number", lambda x: 1 - x, ((3, 4),)),
)
