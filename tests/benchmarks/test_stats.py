import pytest

from benchmarks.stats import Spread, exponent, percentile, ratios, spread


def test_a_spread_is_the_median_and_the_middle_half() -> None:
    assert spread([5.0, 1.0, 3.0, 2.0, 4.0]) == Spread(median=3.0, low=2.0, high=4.0, n=5)


def test_one_value_has_no_spread() -> None:
    assert spread([7.0]) == Spread(7.0, 7.0, 7.0, 1)


def test_no_values_are_an_error_and_not_a_zero() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        spread([])
    with pytest.raises(ValueError, match="nothing was measured"):
        percentile([], 0.99)


def test_ratios_compare_pairs_that_were_measured_side_by_side() -> None:
    # The machine was half as fast the second time, which does not change the ratio of the pairs.
    assert ratios([20.0, 40.0], [10.0, 20.0]) == Spread(2.0, 2.0, 2.0, 2)


def test_ratios_of_unequal_samples_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.5, 51.0), (0.99, 100.0), (0.999, 100.0)])
def test_a_percentile_is_one_of_the_values(share: float, expected: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], share) == expected


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law_is_found(power: float) -> None:
    sizes = [1.0, 10.0, 100.0, 1000.0]
    assert exponent(sizes, [3.0 * size**power for size in sizes]) == pytest.approx(power)


def test_a_growth_needs_two_points() -> None:
    with pytest.raises(ValueError, match="two points"):
        exponent([10.0, 100.0], [0.0, 5.0])
