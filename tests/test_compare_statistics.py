"""Statistics of comparisons, by simulation: luck separates no losses, gaps are found, and words say what numbers do."""

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from losskit.experiment.metrics import DICE, MAE
from losskit.experiment.pilot import best_rate, grid, next_rate, pilot
from losskit.experiment.ranking import rank
from losskit.experiment.results import Pair, groups
from losskit.experiment.statistics import AHEAD, Design, compare_pairs, interval, letters, more_blocks
from losskit.experiment.verdict import cautions, verdict

REPEATS = 400
ALLOWED = 0.05 + 2 * math.sqrt(0.05 * 0.95 / REPEATS)  # two standard errors over 5 %


def as_blocks(scores):
    """{loss: {block: score}} of an array (losses, blocks)."""
    return {str(loss): dict(enumerate(row)) for loss, row in enumerate(scores)}


def share_separated(draw):
    """Of repeats in which any two losses are separated."""
    return np.mean([any(pair.separated for pair in compare_pairs(as_blocks(draw()))) for _ in range(REPEATS)])


@pytest.mark.parametrize(("losses", "blocks"), [(2, 5), (5, 3), (5, 5), (8, 5)])
def test_losses_that_are_alike_are_separated_in_five_per_cent_at_most(losses, blocks):
    """The whole family, and with two of them the same loss entered twice."""
    rng = np.random.default_rng(losses * blocks)
    assert share_separated(lambda: rng.normal(0.7, 0.02, (losses, blocks)) + rng.normal(0, 0.1, blocks)) <= ALLOWED


@pytest.mark.parametrize("spread", [(1, 1, 1, 3, 3), (1, 1, 1, 1, 3)])
def test_nor_are_they_when_some_are_noisier(spread):
    rng = np.random.default_rng(0)
    assert share_separated(lambda: rng.normal(size=(5, 5)) * np.c_[spread]) <= ALLOWED


def test_a_planted_gap_is_found_through_noise_that_blocks_share():
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(50):
        scores = rng.normal(0.7, 0.1, 5) + rng.normal(0, 0.01, (4, 5))
        scores[2] += 0.05
        standings, _ = rank(runs(scores), {}, [DICE], None, 0.0)
        found += standings[0].loss == "2" and [each.ties for each in standings] == [True, False, False, False]
    assert found >= 45


def test_the_detectable_difference_is_found_in_four_of_five_repeats():
    rng = np.random.default_rng(0)
    gap = Design(4).reach(6) * math.sqrt(2 / 6) + 0.5 * math.sqrt(2 / 6)
    detectable, hits = [], 0
    for _ in range(REPEATS):
        scores = rng.normal(size=(4, 6))
        scores[0] += gap
        pairs = compare_pairs(as_blocks(scores))
        detectable += [pair.detectable for pair in pairs]
    gap = np.mean(detectable)
    for _ in range(REPEATS):
        scores = rng.normal(size=(4, 6))
        scores[0] += gap
        (pair,) = [pair for pair in compare_pairs(as_blocks(scores)) if {pair.better, pair.worse} == {"0", "1"}]
        hits += pair.separated and pair.better == "0"
    assert hits / REPEATS == pytest.approx(0.8, abs=0.07)


@pytest.mark.parametrize("difference", [0.5, 1.0])
def test_so_many_more_blocks_would_decide(difference):
    design, variance, blocks = Design(3), 1.0, 5
    more = more_blocks(difference, variance, blocks, design)
    fewer = AHEAD[AHEAD.index(more) - 1]
    for count, decided in ((blocks + more, True), (blocks + fewer, False)):
        assert (difference > design.reach(count) * design.error(variance, count)) is decided


def test_no_number_of_blocks_decides_what_the_items_cannot():
    assert more_blocks(0.1, 1.0, 5, Design(3, overlap=0.3)) is None


@pytest.mark.parametrize(("overlap", "separates"), [(True, False), (False, True)])
def test_blocks_that_redraw_the_same_items_separate_no_more_than_five_per_cent(overlap, separates):
    """Two losses that are equal over all data, compared on splits of one small sample of them."""
    rng, separated = np.random.default_rng(0), 0
    items, tested = 50, 10
    for _ in range(REPEATS):
        gain = rng.normal(size=items)  # of one loss over the other on each item, whoever trained
        splits = [gain[rng.permutation(items)[:tested]].mean() for _ in range(10)]
        (pair,) = compare_pairs(as_blocks([splits, [0] * 10]), tested / (items - tested) if overlap else 0.0)
        separated += pair.separated
    assert (separated / REPEATS > ALLOWED) is separates


def test_t_interval_by_hand():
    found = interval([1.0, 2.0, 3.0])  # t(0.975, 2) = 4.302653, standard error 1 / sqrt(3)
    assert (found.mean, found.low, found.high) == pytest.approx((2, 2 - 2.484138, 2 + 2.484138), abs=1e-5)
    assert interval([0.5]).low is None


def test_the_interval_of_two_losses_is_the_paired_t_interval():
    (pair,) = compare_pairs(as_blocks([[3.0, 5.0, 7.0], [2.0, 3.0, 4.0]]))
    assert pair.difference == interval([1.0, 2.0, 3.0])


def test_two_blocks_separate_nothing():
    (pair,) = compare_pairs(as_blocks([[1.0, 1.0], [0.0, 0.0]]))
    assert not pair.separated
    assert pair.difference.low is None


@given(st.lists(st.booleans(), min_size=10, max_size=10))
def test_losses_share_a_letter_where_they_are_not_separated(separated):
    names = "vwxyz"
    pairs = [
        Pair(a, b, interval([1.0]), apart, 5, None, None)
        for (a, b), apart in zip(itertools.combinations(names, 2), separated, strict=True)
    ]
    found = letters(names, pairs)
    for pair in pairs:
        assert bool(set(found[pair.better]) & set(found[pair.worse])) is not pair.separated
    assert "a" in found["v"]


def runs(scores, key="dice", half=None):
    cost = {"step_ms": 1.0, "loss_ms": 0.1, "peak_memory_mib": None, "saved_mib": 0.5, "rate": 0.003}
    gradient = {when: {"foreground": 0.25, "background": 0.75} for when in ("start", "end", "pixels")}
    return {
        str(loss): [
            {
                "loss": str(loss),
                **cost,
                "block": block,
                "gradient": gradient,
                "scores": {key: value, f"{key}_at_half": value if half is None else half[loss][block]},
            }
            for block, value in enumerate(row)
        ]
        for loss, row in enumerate(scores)
    }


NOISE = np.random.default_rng(3).normal(0, 0.004, (4, 5))


def test_less_is_better_where_the_metric_says_so():
    standings, _ = rank(runs(np.c_[[3.0, 2.0, 1.0]] + NOISE[:3], "mae"), {}, [MAE], "0", 0.0)
    assert [standing.loss for standing in standings] == ["2", "1", "0"]
    assert standings[0].over_baseline.mean == pytest.approx(2, abs=0.01)
    assert standings[0].scores["mae"].mean == pytest.approx(1, abs=0.01)


def test_a_loss_that_only_moves_the_threshold_is_found_out():
    tuned = np.full((3, 5), 0.7) + NOISE[:3]
    half = np.c_[[0.6, 0.7, 0.7]] + NOISE[1:]
    standings, _ = rank(runs(tuned, half=half), {}, [DICE], "0", 0.0)
    assert {standing.loss for standing in standings if standing.moves_threshold} == {"1", "2"}
    said = " ".join(cautions(standings, [], {}, None, "0"))
    assert "only move the threshold: the difference to 0 at 0.5 is gone" in said


def test_a_loss_that_missed_blocks_is_compared_on_those_that_both_finished():
    scores = runs(np.c_[[0.7, 0.6, 0.5]] + NOISE[:3])
    scores["0"] = scores["0"][:3]
    standings, pairs = rank(scores, {"0": 2}, [DICE], None, 0.0)
    assert [pair.blocks for pair in pairs] == [3, 3, 5]
    assert "0 failed in 2 of 5 blocks." in cautions(standings, [], {}, None, None)


@pytest.mark.parametrize(
    ("means", "said"),
    [
        (
            [0.70, 0.70, 0.50, 0.50],
            r"[01] and [01] tie for best \(mean image Dice 0\.[67]\d+ for 1\); 1 is 0\.\d+ \[.*\] over 3 at",
        ),
        (
            [0.80, 0.70, 0.60, 0.50],
            r"0 is best \(mean image Dice 0\.[78]\d+\); 0 is 0\.\d+ \[.*\] over 3 at its own best",
        ),
        ([0.50, 0.50, 0.50, 0.80], r"3 is best .*; nothing scores above 3 at its own best learning rate; 5 blocks sep"),
        (
            [0.50, 0.50, 0.50, 0.50],
            r"all tie for best .*; nothing scores above 3 .*; 5 blocks show differences",
        ),
    ],
)
def test_the_verdict_is_one_sentence(means, said):
    standings, _ = rank(runs(np.c_[means] + NOISE), {}, [DICE], "3", 0.0)
    found = verdict(standings, DICE, "3", None)
    assert re.match(f".*{said}", found), found
    assert found.count(". ") == 0
    assert found.endswith(".")


def test_the_verdict_says_how_many_more_blocks_and_few_groups():
    scores = np.array([[0.70, 0.72, 0.74, 0.70, 0.71], [0.71, 0.71, 0.72, 0.70, 0.69]])
    standings, _ = rank(runs(scores), {}, [DICE], "1", 0.0)
    found = verdict(standings, DICE, "1", 7)
    pair = standings[1].behind
    assert f"about {pair.blocks_to_decide} more would separate 1 from 0" in found
    assert "the data hold 7 independent groups, fewer than 10" in found
    assert groups(standings) == [["0", "1"]]


def test_one_block_is_no_verdict():
    standings, _ = rank(runs([[0.7], [0.6]]), {}, [DICE], "1", 0.0)
    assert "with 1 block that may be chance" in verdict(standings, DICE, "1", None)
    assert verdict([], DICE, "1", None) == "Every loss failed, so there is nothing to rank."


def records(scores):
    """Pilot runs out of {rate: score in each block}, None for a run that diverged."""
    return [
        {"rate": rate, "block": block, **({"failure": "became nan"} if value is None else {"validation": value})}
        for rate, values in scores.items()
        for block, value in enumerate(values)
    ]


def test_the_best_rate_of_those_that_finished_is_taken():
    assert best_rate({0.001: 0.5, 0.003: 0.8, 0.009: 0.3}, higher_is_better=True) == 0.003
    assert best_rate({0.001: 0.5, 0.003: 0.8, 0.009: 0.3}, higher_is_better=False) == 0.009
    assert best_rate({0.003: 0.5, 0.001: 0.5, 0.009: None}, higher_is_better=True) == 0.003
    assert best_rate({0.001: None}, higher_is_better=True) is None


@pytest.mark.parametrize(("best", "expected"), [(0, [0.000333, 0.000111]), (1, []), (2, [0.027, 0.081])])
def test_a_best_rate_at_the_edge_widens_the_grid_twice(best, expected):
    first = grid(0.003)
    assert first == [0.001, 0.003, 0.009]
    scores = dict.fromkeys(first, 0.5) | {first[best]: 0.6}
    tried = []
    while (rate := next_rate(scores, first, higher_is_better=True)) is not None:
        tried.append(rate)
        scores[rate] = 0.6 + len(tried) / 10
    assert tried == pytest.approx(expected)
    scores[tried[-1] if tried else first[0]] = 0.1  # no longer best
    assert next_rate(scores, first, higher_is_better=True) is None


def test_what_was_tried_and_chosen_is_told_and_an_edge_flagged():
    tried = records({0.001: [0.5, 0.6, 0.5], 0.003: [0.6, 0.5, 0.6], 0.009: [None, None, 0.4]})
    found = pilot("x", tried, {0: 0.003, 1: 0.001, 2: 0.003})
    assert (found.chosen, found.choices, found.edge) == (0.003, (0.003, 0.001, 0.003), None)
    assert [each.mean for each in found.tried] == pytest.approx([1.6 / 3, 1.7 / 3, 0.4])
    assert found.tried[2].failure == "became nan"
    found = pilot("x", tried, {0: 0.001, 1: 0.001, 2: 0.003})
    assert found.edge == "lowest"
    (said,) = cautions([], [found], {}, None, None)
    assert said.startswith("The best learning rate of x, 0.001, is the lowest that was tried")


@pytest.mark.parametrize(("shared", "separates"), [(False, False), (True, True)])
def test_a_rate_chosen_in_every_block_makes_no_loss_look_better_by_luck(shared, separates):
    """The same loss twice, tuned by noisy pilots. One choice for all blocks, which is cheaper, fails here."""
    rng, rates, truth = np.random.default_rng(0), 3, np.array([-0.03, 0.0, -0.02])
    separated = 0
    for _ in range(REPEATS):
        pilots = truth + rng.normal(0, 0.04, (2, 1 if shared else 10, rates))
        scores = truth[pilots.argmax(-1)] + rng.normal(0, 0.02, (2, 10))
        (pair,) = compare_pairs(as_blocks(scores))
        separated += pair.separated
    assert (separated / REPEATS > ALLOWED) is separates
