"""The trained transformer of examples/ under both rule sets, on inputs whose evidence is known to lie in a quadrant."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch

import fgcompile
from examples.vision_transformer.mosaics import Mosaics, load_samples, make_mosaics
from examples.vision_transformer.network import load_trained
from examples.vision_transformer.relevance import Array, by_place, by_token
from tests.support.sweeps import few

RULES = ("taylor", "libragrad")


@dataclass(frozen=True)
class Result:
    """The full-gradient of 40 mosaics, its signed sums by token as shares of the score, and what was warned of."""

    terms: fgcompile.FullGradientTerms
    shares: Array
    warned: bool


@cache
def sample_mosaics() -> Mosaics:
    mosaics = make_mosaics(load_samples(), torch.Generator().manual_seed(0))
    return Mosaics(mosaics.images[::5], mosaics.labels[::5], mosaics.quadrants[::5])


@cache
def explained(rules: str) -> Result:
    images = sample_mosaics().images.double()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", fgcompile.RulesWarning)
        terms = fgcompile.full_gradient(load_trained().double(), images, rules=rules)
    biases = {site: value.numpy() for site, value in terms.bias_gradients.items()}
    tokens = by_token(images.numpy(), terms.input_gradient.numpy(), biases)
    warned = any(issubclass(warning.category, fgcompile.RulesWarning) for warning in caught)
    return Result(terms, tokens / terms.score.detach().numpy()[:, None], warned)


def on_garment() -> Array:
    """1 at the garment's places, ``(N, 64)``."""
    return by_place(sample_mosaics().evidence()[:, :, ::7, ::7].numpy())


def test_the_stored_weights_classify_the_stored_images() -> None:
    mosaics = make_mosaics(load_samples(), torch.Generator().manual_seed(0))
    with torch.inference_mode():
        predicted = load_trained()(mosaics.images).argmax(1)
    assert len(mosaics.labels) == 200
    assert (predicted == mosaics.labels).float().mean() > 0.8


@pytest.mark.parametrize("rules", few(RULES, 1))
def test_the_terms_are_complete(rules: str) -> None:
    assert explained(rules).terms.relative_completeness_error.max() < 1e-9


def test_only_taylor_warns() -> None:
    assert [explained(rules).warned for rules in RULES] == [True, False]


@pytest.mark.parametrize("rules", RULES)
def test_tokens_and_head_add_up_to_the_score(rules: str) -> None:
    result = explained(rules)
    head = result.terms.bias_gradients["head"].sum(1) / result.terms.score
    np.testing.assert_allclose(result.shares.sum(axis=1) + head.detach().numpy(), 1, atol=1e-9)


def test_the_score_reaches_the_garment_under_libragrad_alone() -> None:
    on_places = {rules: explained(rules).shares[:, 1:] for rules in RULES}
    garment = {rules: np.median((on_places[rules] * on_garment()).sum(axis=1)) for rules in RULES}
    clutter = np.median((on_places["libragrad"] * (1 - on_garment())).sum(axis=1))
    assert abs(garment["taylor"]) < 0.1
    assert garment["libragrad"] > 0.8
    assert abs(clutter) < 0.1


def test_libragrad_puts_more_of_what_speaks_for_the_class_on_the_garment() -> None:
    mass = {}
    for rules in RULES:
        positive = explained(rules).shares[:, 1:].clip(min=0)
        mass[rules] = ((positive * on_garment()).sum(axis=1) / positive.sum(axis=1)).mean()
    assert mass["libragrad"] > 0.8
    assert mass["libragrad"] > mass["taylor"] + 0.03


def test_every_site_but_the_head_lies_over_the_grid_of_tokens() -> None:
    sites = {site.name: site for site in fgcompile.expose_biases(load_trained(), sample_mosaics().images[:2]).sites}
    assert sites.pop("head").layout == "none"
    assert sites.pop("patches").layout == "n c h w"
    assert sites["norm"].layout == sites["blocks.3.mlp_out"].layout == "n (1 + h w) c"
    assert {placement.grid for site in sites.values() for placement in site.placements} == {(8, 8)}
    assert {site.layout for site in sites.values()} == {"n (1 + h w) c", "n c (1 + h w) c", "(n c) (1 + h w) c"}
