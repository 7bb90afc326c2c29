"""Statistics of comparisons, by simulation: no separation by chance, gaps are found, and words match the numbers."""

import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from losskit.experiment.decide import decide, may_stop, settled
from losskit.experiment.levels import EACH_LOOK, LOOKS, ONCE, ONCE_WITHOUT_BASELINE, Level
from losskit.experiment.metrics import CLEAN, DICE, MAE
from losskit.experiment.quantiles import dunnett_quantile, range_quantile
from losskit.experiment.ranking import rank, verdicts_of
from losskit.experiment.results import Pair
from losskit.experiment.statistics import AHEAD, Design, compare_pairs, interval, letters, more_blocks
from losskit.experiment.tasks import make_task
from losskit.experiment.tuning import best_rate, grid, next_rate, tuning_of
from losskit.experiment.verdict import advice, cautions, headline, so_far

REPEATS = 400
ALONE = Level(0.05, 0.05)
ALLOWED = 0.05 + 2 * math.sqrt(0.05 * 0.95 / REPEATS)  # two standard errors over 5 %


def as_blocks(scores):
    """{loss: {block: score}} of an array (losses, blocks)."""
    return {str(loss): dict(enumerate(row)) for loss, row in enumerate(scores)}


def any_separated(scores, level=ONCE):
    return any(pair.separated for pair in compare_pairs(as_blocks(scores), "0", level))


@pytest.mark.parametrize(("losses", "blocks"), [(2, 5), (5, 3), (5, 5), (8, 5)])
@pytest.mark.parametrize(("baseline", "level"), [("0", ONCE), (None, ONCE_WITHOUT_BASELINE)])
def test_losses_that_are_alike_are_separated_in_five_per_cent_at_most(losses, blocks, baseline, level):
    """The whole family, and with two of them the same loss entered twice."""
    rng, separated = np.random.default_rng(losses * blocks), 0
    for _ in range(REPEATS):
        scores = rng.normal(0.7, 0.02, (losses, blocks)) + rng.normal(0, 0.1, blocks)
        separated += any(pair.separated for pair in compare_pairs(as_blocks(scores), baseline, level))
    assert separated / REPEATS <= ALLOWED


@pytest.mark.parametrize("spread", [(1, 1, 1, 3, 3), (1, 1, 1, 1, 10), (4, 1, 1, 1, 1)])
def test_nor_are_they_when_some_are_noisier(spread):
    rng = np.random.default_rng(0)
    assert np.mean([any_separated(rng.normal(size=(5, 5)) * np.c_[spread]) for _ in range(REPEATS)]) <= ALLOWED


def plain(rng):
    return rng.normal(size=(5, LOOKS[-1]))


def tuned_and_fresh(rng, truth=np.array([-0.03, 0.0, -0.02])):  # noqa: B008
    """The score of each block: the mean of two tests at the rate that was best on noisy validation data."""
    chosen = (truth + rng.normal(0, 0.04, (5, LOOKS[-1], 3))).argmax(-1)
    return truth[chosen] + rng.normal(0, 0.02, (5, LOOKS[-1], 2)).mean(-1)


@pytest.mark.parametrize("draw", [plain, tuned_and_fresh])
@pytest.mark.parametrize(("level", "holds"), [(EACH_LOOK, True), (ONCE, False)], ids=["ours", "naive"])
def test_whoever_stops_at_the_first_difference_is_wrong_in_five_per_cent_at_most(draw, level, holds):
    """The same loss five times: false separations at any look. A single level for all looks fails this."""
    rng, repeats = np.random.default_rng(1), 2000 if holds and draw is tuned_and_fresh else 400
    wrong = 0
    for _ in range(repeats):
        scores = draw(rng)
        wrong += any(any_separated(scores[:, :blocks], level) for blocks in LOOKS)
    low, _ = stats.binomtest(int(wrong), repeats).proportion_ci(0.95)
    assert (low <= 0.05) is holds


def test_a_noisy_loser_hides_no_quiet_pair():
    """Losses 0 and 1 are three standard deviations apart; the last is ten times noisier."""
    rng = np.random.default_rng(0)
    for far, least in ((-40, 0.85), (-10, 0.6)):
        found = 0
        for _ in range(200):
            scores = rng.normal(size=(5, 6)) * np.c_[[1, 1, 1, 1, 10]] + np.c_[[0, 3, 0, 0, far]]
            pairs = compare_pairs(as_blocks(scores), "0")
            found += next(pair.separated for pair in pairs if {pair.better, pair.worse} == {"0", "1"})
        assert found / 200 >= least


def test_a_gap_of_0_02_is_found_after_six_blocks():
    """With noise that blocks share, at the local level; 0.006 is the noise of a block on scenes."""
    rng, found = np.random.default_rng(0), 0
    for _ in range(200):
        scores = rng.normal(0.7, 0.1, 6) + rng.normal(0, 0.006, (5, 6))
        scores[2] += 0.02
        verdict = decide(as_blocks(scores), DICE, "0", EACH_LOOK)
        found += verdict.kind == "better" and verdict.chosen == "2"
    assert found >= 160


@pytest.mark.parametrize(("losses", "freedom"), [(3, 4), (5, 8), (8, 20)])
def test_quantiles_are_those_of_the_tests_they_are_named_after(losses, freedom):
    expected = stats.studentized_range.ppf(0.99, losses, freedom) / math.sqrt(2)
    assert range_quantile(losses, freedom, 0.01) == pytest.approx(expected, rel=1e-3)
    assert range_quantile(2, freedom, 0.01) == pytest.approx(stats.t.ppf(0.995, freedom), rel=1e-4)
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(400_000, losses)) / np.sqrt(rng.chisquare(freedom, (400_000, 1)) / freedom)
    largest = np.abs(draws[:, 1:] - draws[:, :1]).max(1) / math.sqrt(2)
    assert (largest > dunnett_quantile(losses - 1, freedom, 0.05)).mean() == pytest.approx(0.05, abs=0.001)


def test_dunnett_finds_what_all_pairs_together_do_not():
    assert dunnett_quantile(4, 8, 0.05) == pytest.approx(3.02, abs=0.01)  # as published, for 3.45 of the range
    assert range_quantile(5, 8, 0.05) == pytest.approx(3.45, abs=0.01)


def equal_but(rng, gap, noise=0.005, blocks=6):
    return as_blocks(rng.normal(0.7, 0.1, blocks) + rng.normal(0, noise, (4, blocks)) + np.c_[[0, gap, 0, 0]])


def test_what_gains_less_than_the_margin_is_called_the_same_and_what_is_open_is_not():
    rng = np.random.default_rng(0)
    kept = decide(equal_but(rng, 0.0, noise=0.003), DICE, "0", ONCE)
    assert (kept.kind, kept.settled) == ("keep", True)
    assert 0 <= kept.bound <= 0.02
    assert all(gain.high <= kept.bound for gain in kept.gains.values())
    unknown = decide(equal_but(rng, 0.0, noise=0.05), DICE, "0", ONCE)
    assert (unknown.kind, unknown.settled) == ("open", False)
    assert unknown.bound > 0.02
    assert decide(equal_but(rng, 0.0, noise=0.05), DICE, "0", ONCE, margin=1.0).kind == "keep"


def test_the_margin_of_an_error_is_a_share_of_the_baselines():
    scores = as_blocks(-(np.full((3, 4), 50.0) + np.random.default_rng(0).normal(0, 0.01, (3, 4))))
    assert decide(scores, MAE, "0", ONCE).margin == pytest.approx(1.0, rel=1e-3)


def test_a_comparison_stops_when_its_score_is_decided_and_not_between_looks():
    rng = np.random.default_rng(0)
    better = decide(equal_but(rng, 0.1), DICE, "0", EACH_LOOK)
    assert may_stop([better], LOOKS[0])
    assert not may_stop([better], LOOKS[0] - 1)
    assert not settled([decide(equal_but(rng, 0.0, noise=0.05), DICE, "0", EACH_LOOK)])


def test_and_not_before_it_is_known_what_the_chosen_loss_does_to_the_other_score():
    rng = np.random.default_rng(0)
    better = decide(equal_but(rng, 0.1), DICE, "0", EACH_LOOK)
    for noise, known in ((0.005, True), (0.2, False)):
        other = decide(equal_but(rng, -0.1, noise), CLEAN, "0", EACH_LOOK)
        assert settled([better, other]) is known


def test_a_planted_gap_is_found_through_noise_that_blocks_share():
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(50):
        scores = rng.normal(0.7, 0.1, 5) + rng.normal(0, 0.01, (4, 5))
        scores[2] += 0.05
        standings = ranked(runs(scores), None)
        found += standings[0].loss == "2" and [each.ties for each in standings] == [True, False, False, False]
    assert found >= 45


def test_the_detectable_difference_is_found_in_four_of_five_repeats():
    rng = np.random.default_rng(0)
    gap = Design(4).reach(("0", "1"), 4, 6) * math.sqrt(2 / 6) + 0.5 * math.sqrt(2 / 6)
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
    design, variance, blocks, pair = Design(3, "0"), 1.0, 5, ("0", "1")
    more = more_blocks(pair, difference, variance, blocks, 3, design)
    fewer = AHEAD[AHEAD.index(more) - 1]
    for count, decided in ((blocks + more, True), (blocks + fewer, False)):
        assert (difference > design.reach(pair, 3, count) * design.error(variance, count)) is decided


def test_no_number_of_blocks_decides_what_the_items_cannot():
    assert more_blocks(("0", "1"), 0.1, 1.0, 5, 3, Design(3, overlap=0.3)) is None


@pytest.mark.parametrize(("overlap", "separates"), [(True, False), (False, True)])
def test_blocks_that_redraw_the_same_items_separate_no_more_than_five_per_cent(overlap, separates):
    """Two losses that are equal over all data, compared on splits of one small sample of them."""
    rng, separated = np.random.default_rng(0), 0
    items, tested = 50, 10
    for _ in range(REPEATS):
        gain = rng.normal(size=items)  # of one loss over the other on each item, in every training
        splits = [gain[rng.permutation(items)[:tested]].mean() for _ in range(10)]
        (pair,) = compare_pairs(
            as_blocks([splits, [0] * 10]), None, ALONE, tested / (items - tested) if overlap else 0.0
        )
        separated += pair.separated
    assert (separated / REPEATS > ALLOWED) is separates


def test_t_interval_by_hand():
    found = interval([1.0, 2.0, 3.0])  # t(0.975, 2) = 4.302653, standard error 1 / sqrt(3)
    assert (found.mean, found.low, found.high) == pytest.approx((2, 2 - 2.484138, 2 + 2.484138), abs=1e-5)
    assert interval([0.5]).low is None


@pytest.mark.parametrize("values", [[0.99, 0.9, 1.0], [0.0, 0.01, 0.2], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1e-9, 1.0]])
def test_an_interval_stays_in_the_range_of_its_score(values):
    found = interval(values, DICE)
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert interval(values, MAE).low >= 0


def test_far_from_the_ends_it_is_the_t_interval():
    values = [0.49, 0.5, 0.52, 0.51]
    for metric in (DICE, MAE):
        found, plain_one = interval(values, metric), interval(values)
        assert (found.low, found.high) == pytest.approx((plain_one.low, plain_one.high), abs=1e-3)


def test_the_interval_of_two_losses_is_the_paired_t_interval():
    (pair,) = compare_pairs(as_blocks([[3.0, 5.0, 7.0], [2.0, 3.0, 4.0]]), None, ALONE)
    expected = interval([1.0, 2.0, 3.0])
    assert (pair.difference.low, pair.difference.high) == pytest.approx((expected.low, expected.high), abs=1e-3)


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


def ranked(found, baseline, metric=DICE, failed=None, level=ONCE):
    (verdict,) = verdicts_of(found, [metric], baseline, level)
    return rank(found, failed or {}, [metric], verdict, level)


def test_less_is_better_where_the_metric_says_so():
    standings = ranked(runs(np.c_[[3.0, 2.0, 1.0]] + NOISE[:3], "mae"), "0", MAE)
    assert [standing.loss for standing in standings] == ["2", "1", "0"]
    assert standings[0].over_baseline.mean == pytest.approx(2, abs=0.01)
    assert standings[0].scores["mae"].mean == pytest.approx(1, abs=0.01)


def test_a_block_counts_with_the_mean_of_its_tested_and_its_fresh_run():
    found = runs(np.c_[[0.6, 0.7]] + NOISE[:2])
    for records_of in found.values():
        fresh = [{**each, "scores": {key: value + 0.1 for key, value in each["scores"].items()}} for each in records_of]
        records_of += fresh
    plain_one = ranked(runs(np.c_[[0.65, 0.75]] + NOISE[:2]), "0")
    both = ranked(found, "0")
    assert [each.scores["dice"].mean for each in both] == pytest.approx([e.scores["dice"].mean for e in plain_one])
    assert [each.blocks for each in both] == [5, 5]
    assert both[0].behind is None
    assert both[1].behind.difference.mean == pytest.approx(plain_one[1].behind.difference.mean)


def test_a_loss_that_only_moves_the_threshold_is_found_out():
    tuned = np.full((3, 5), 0.7) + NOISE[:3]
    half = np.c_[[0.6, 0.7, 0.7]] + NOISE[1:]
    found = runs(tuned, half=half)
    standings = ranked(found, "0")
    assert {standing.loss for standing in standings if standing.moves_threshold} == {"1", "2"}
    said = " ".join(cautions(verdicts_of(found, [DICE], "0", ONCE), standings, [], {}, None))
    assert "only move the threshold: the difference to 0 at 0.5 is gone" in said


def test_a_loss_that_missed_blocks_is_compared_on_those_that_both_finished():
    scores = runs(np.c_[[0.7, 0.6, 0.5]] + NOISE[:3])
    scores["0"] = scores["0"][:3]
    verdicts = verdicts_of(scores, [DICE], None, ONCE_WITHOUT_BASELINE)
    assert [pair.blocks for pair in verdicts[0].pairs] == [3, 3, 5]
    standings = rank(scores, {"0": 2}, [DICE], verdicts[0], ONCE_WITHOUT_BASELINE)
    assert "0 failed in 2 of 5 blocks." in cautions(verdicts, standings, [], {}, None)


def judged(scores, baseline="3", clean=None, level=ONCE):
    found = runs(scores)
    for loss, of in found.items():
        for each in of if clean is not None else ():
            each["scores"]["empty_left_clean"] = clean[int(loss)][each["block"]]
    return verdicts_of(found, [DICE] if clean is None else [DICE, CLEAN], baseline, level)


@pytest.mark.parametrize(
    ("means", "baseline", "said"),
    [
        ([0.70, 0.50, 0.50, 0.50], "3", r"0 is better than 3: Dice of non-empty images \+0\.(19|20)\d ± 0\.\d+\."),
        ([0.70, 0.70, 0.50, 0.50], "3", r"[01] is better than 3: .*\d\. [01] may be as good\."),
        ([0.50, 0.50, 0.50, 0.80], "3", r"Keep 3: nothing is better\."),
        (
            [0.50, 0.50, 0.50, 0.50],
            "3",
            r"No clear winner\. Keep 3: nothing gains more than 0\.0\d+ Dice of non-empty images\.",
        ),
        (
            [0.80, 0.50, 0.50, 0.50],
            None,
            r"0 is best: Dice of non-empty images is better than with any other loss here\.",
        ),
        (
            [0.80, 0.80, 0.50, 0.50],
            None,
            r"No clear winner: [01] and [01] differ by less than 0\.020 Dice of non-empty images\.",
        ),
    ],
)
def test_the_decision_is_at_most_two_short_sentences(means, baseline, said):
    level = ONCE if baseline else ONCE_WITHOUT_BASELINE
    found = headline(judged(np.c_[means] + NOISE, baseline, level=level), 5)
    assert re.fullmatch(said, found), found


@pytest.mark.parametrize(
    ("gains", "said"),
    [
        (
            [-0.4, 0, 0, 0],
            "On images like these, some of them empty, 0 segments the non-empty ones better (+0.199 ± 0.012",
        ),
        ([-0.4, 0, 0, 0], ") but marks something in 40 points more of the empty ones; keep 3 if those matter."),
        ([0.2, 0, 0, 0], ") and leaves 20 points more of the empty ones clean."),
        ([0, 0, 0, 0], ") and leaves as many of the empty ones clean."),
    ],
)
def test_what_a_better_loss_does_to_empty_images_is_said(gains, said):
    verdicts = judged(np.c_[[0.7, 0.5, 0.5, 0.5]] + NOISE, clean=0.7 + np.c_[gains] + NOISE[::-1])
    assert said in headline(verdicts, 5)


def test_a_ranking_that_depends_on_the_score_is_told():
    verdicts = judged(np.c_[[0.7, 0.5, 0.5, 0.5]] + NOISE, clean=np.c_[[0.3, 0.9, 0.6, 0.6]] + NOISE)
    said = cautions(verdicts, [], [], {}, None)
    assert (
        "The ranking depends on the score: by Dice of non-empty images 0 is first, by empty images left clean 1."
        in said
    )


def test_the_number_of_the_headline_is_that_of_the_gain():
    verdicts = judged(np.c_[[0.7, 0.5, 0.5, 0.5]] + NOISE)
    gain = verdicts[0].gains["0"]
    assert f"+{gain.mean:.3f} ± {gain.high - gain.mean:.3f}" in headline(verdicts, 5)


def test_what_is_known_so_far_and_how_long_it_may_take():
    noise = np.random.default_rng(0).normal(0, 0.02, (4, 5))
    open_one = judged(np.c_[[0.72, 0.7, 0.7, 0.7]] + noise, level=EACH_LOOK)
    said = so_far(open_one, 5, 30.0)
    assert re.fullmatch(
        r"After 5 blocks: \d [+−]0\.0\d+ ± 0\.0\d+ .* over 3; a decision is likely in about \d+ (minutes|hours?)\.",
        said,
    )
    assert so_far(judged((0.7 + noise)[:, :1]), 1, 40.0).endswith("a decision is likely in about 2 minutes.")
    assert "likely" not in so_far(judged(np.c_[[0.9, 0.7, 0.7, 0.7]] + NOISE), 5, 30.0)


def test_the_next_command_is_said():
    task = make_task("scenes")
    known, unknown = judged(np.c_[[0.7, 0.5, 0.5, 0.5]] + NOISE), judged(0.7 + 20 * NOISE)
    assert (
        advice(known, task, 2.0) == "Next, on your own data: losskit compare --images DIR --masks DIR --losses '0, 3'"
    )
    assert advice(unknown, task, 2.0) == "Next, for more blocks: losskit compare --task scenes --budget 10"
    assert advice(known, replace(task, is_users=True), 2.0) == "Next, to use it: criterion = losskit.build('0')"


def test_few_groups_are_told():
    (said,) = cautions(judged(0.7 + NOISE), [], [], {}, 7)
    assert said.startswith("The data hold 7 independent groups")


def test_one_block_is_no_verdict():
    verdicts = judged([[0.7], [0.6]], "1")
    assert "after 1 block that may be chance: at least 3 are needed" in headline(verdicts, 1)
    assert headline([], 0) == "Every loss failed, so there is nothing to rank."


def records(scores):
    """Tuning runs from {rate: score in each block}, None for a run that diverged."""
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
    found = tuning_of("x", tried, {0: 0.003, 1: 0.001, 2: 0.003})
    assert (found.chosen, found.choices, found.edge) == (0.003, (0.003, 0.001, 0.003), None)
    assert [each.mean for each in found.tried] == pytest.approx([1.6 / 3, 1.7 / 3, 0.4])
    assert found.tried[2].failure == "became nan"
    found = tuning_of("x", tried, {0: 0.001, 1: 0.001, 2: 0.003})
    assert found.edge == "lowest"
    (said,) = cautions([], [], [found], {}, None)
    assert said.startswith("The best learning rate of x, 0.001, is the lowest that was tried")


@pytest.mark.parametrize(("shared", "separates"), [(False, False), (True, True)])
def test_a_rate_chosen_in_every_block_makes_no_loss_look_better_by_luck(shared, separates):
    """The same loss twice, tuned by noisy runs. The cheaper single choice for all blocks fails this."""
    rng, rates, truth = np.random.default_rng(0), 3, np.array([-0.03, 0.0, -0.02])
    separated = 0
    for _ in range(REPEATS):
        tuned = truth + rng.normal(0, 0.04, (2, 1 if shared else 10, rates))
        scores = truth[tuned.argmax(-1)] + rng.normal(0, 0.02, (2, 10))
        (pair,) = compare_pairs(as_blocks(scores), None, ALONE)
        separated += pair.separated
    assert (separated / REPEATS > ALLOWED) is separates
