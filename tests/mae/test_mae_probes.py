"""Probes: hand-worked values, scikit-learn's, agreement of both engines."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, r2_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from survey_tools.errors import DataError, ParameterError
from survey_tools.mae.digits import read_digits
from survey_tools.mae.few_labels import draw_few, score_few_labels
from survey_tools.mae.knn import score_neighbours
from survey_tools.mae.probe_data import ProbeData, fit_standardiser
from survey_tools.mae.probes import fit_by_sklearn, score_linear
from survey_tools.mae.repeats import compare_repeats, summarise_repeats
from survey_tools.mae.ridge import score_ridge
from survey_tools.mae.torch_probe import fit_by_torch


def digits_data(n_classes: int = 10) -> ProbeData:
    """Pixels of the digits below n_classes."""
    parts = {}
    for split in ("train", "test"):
        images = read_digits(split, seed=0)
        labels = images.labels["digit"]
        chosen = labels < n_classes
        parts[split] = images.images.reshape(-1, 64)[chosen]
        parts[f"{split}_labels"] = labels[chosen]
    return ProbeData(**parts)


def blobs(seed: int, *, n: int = 90, n_classes: int = 3, dim: int = 5, far: float = 1.0):
    """Gaussian clouds, overlapping unless far apart."""
    rng = np.random.default_rng(seed)
    centres = far * rng.standard_normal((n_classes, dim))
    labels = np.arange(2 * n) % n_classes
    x = centres[labels] + rng.standard_normal((2 * n, dim))
    return ProbeData(train=x[:n], train_labels=labels[:n], test=x[n:], test_labels=labels[n:])


@pytest.mark.parametrize("n_classes", [2, 10])
def test_both_engines_agree_on_digits(n_classes: int) -> None:
    """The accuracy to 1e-3, the loss on test images to 1e-4, the same penalty."""
    data = digits_data(n_classes)
    by_sklearn, by_torch = (
        score_linear(data, seed=0, fit=fit, penalties=(1e-3, 1e-2))
        for fit in (fit_by_sklearn, fit_by_torch)
    )
    assert by_torch.accuracy == pytest.approx(by_sklearn.accuracy, abs=1e-3)
    assert by_torch.log_loss == pytest.approx(by_sklearn.log_loss, abs=1e-4)
    assert by_torch.penalty == by_sklearn.penalty
    assert by_sklearn.accuracy > 0.95


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("penalty", [1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_both_engines_find_the_same_weights(seed: int, penalty: float, n_classes: int) -> None:
    """There is one minimum, up to a shift of all classes, which the penalty forbids."""
    data = blobs(seed, n_classes=n_classes)
    x = fit_standardiser(data.train).apply(data.train)
    ours, torchs = (f(x, data.train_codes, penalty, 1e-9) for f in (fit_by_sklearn, fit_by_torch))
    np.testing.assert_allclose(ours.weights, torchs.weights, atol=1e-4)
    np.testing.assert_allclose(ours.log_probabilities(x), torchs.log_probabilities(x), atol=1e-4)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_linear_probe_is_scikit_learns_pipeline(n_classes: int) -> None:
    """StandardScaler, then LogisticRegression at C = 1 / (n penalty)."""
    data = blobs(0, n_classes=n_classes)
    scaler = StandardScaler().fit(data.train)
    model = LogisticRegression(C=1 / (90 * 0.05), tol=1e-8, max_iter=1000)
    model.fit(scaler.transform(data.train), data.train_labels)
    p = model.predict_proba(scaler.transform(data.test))
    score = score_linear(data, seed=0, penalties=(0.05,))
    assert score.log_loss == pytest.approx(log_loss(data.test_labels, p), abs=1e-6)
    np.testing.assert_array_equal(score.predictions, model.classes_[p.argmax(axis=1)])
    assert score.accuracy == (score.predictions == data.test_labels).mean()
    assert not score.is_at_edge  # nothing was chosen


@pytest.mark.parametrize("fit", [fit_by_sklearn, fit_by_torch])
def test_a_penalty_without_end_leaves_the_classes_shares(fit: Callable) -> None:
    """Weights go to 0, intercepts to the shares 3/4 and 1/4."""
    x = np.random.default_rng(0).standard_normal((40, 3))
    fitted = fit(x, (np.arange(40) % 4 == 0).astype(int), 1e6, 1e-9)
    np.testing.assert_allclose(
        np.exp(fitted.log_probabilities(x)), np.tile([0.75, 0.25], (40, 1)), atol=1e-5
    )


def test_the_penalty_is_chosen_by_training_images_alone() -> None:
    """Other test images change nothing; noise wants the greatest, clear classes a small one."""
    noise = ProbeData(
        train=np.random.default_rng(0).standard_normal((60, 30)),
        train_labels=np.arange(60) % 2,
        test=np.random.default_rng(1).standard_normal((10, 30)),
        test_labels=np.arange(10) % 2,
    )
    assert (score := score_linear(noise, seed=0)).penalty == 1.0
    assert score.is_at_edge
    clear = blobs(0, far=4.0)
    other = ProbeData(
        train=clear.train, train_labels=clear.train_labels,
        test=-clear.test, test_labels=clear.test_labels,
    )  # fmt: skip
    penalty = score_linear(clear, seed=0).penalty
    assert penalty < 1e-2
    assert score_linear(other, seed=0).penalty == penalty


def test_a_class_with_a_single_image_leaves_no_choice() -> None:
    """No fold could do without it; the penalty nearest to 0.01 is taken."""
    data = ProbeData(
        train=np.array([[0.0], [1.0]]), train_labels=np.array([7, 9]),
        test=np.array([[-1.0], [3.0]]), test_labels=np.array([7, 9]),
    )  # fmt: skip
    score = score_linear(data, seed=0, penalties=(1e-4, 0.02, 1.0))
    assert score.penalty == 0.02
    assert score.predictions.tolist() == [7, 9]


def test_features_far_from_0_or_constant_do_no_harm() -> None:
    """A shift, a scale and a constant dimension change no prediction."""
    data = blobs(1)

    def move(x: np.ndarray) -> np.ndarray:
        return np.hstack([1e3 * x + 1e5, np.full((len(x), 1), 0.1)])

    moved = ProbeData(
        train=move(data.train), train_labels=data.train_labels,
        test=move(data.test), test_labels=data.test_labels,
    )  # fmt: skip
    a, b = (score_linear(d, seed=0, penalties=(0.01,)) for d in (data, moved))
    assert a.log_loss == pytest.approx(b.log_loss, abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": np.zeros((3, 2))}, r"3 training features, but labels of shape \(4,\)"),
        ({"test": np.zeros((2, 3))}, "training features have 2 dimensions, test features 3"),
        ({"test": np.full((2, 2), np.nan)}, "test features of 2 of 2 images are not finite"),
        ({"train": np.zeros(4)}, r"training features must be of shape .* \(4,\) arrived"),
        ({"train_labels": np.ones(4, dtype=int)}, "all 4 training images are of class 1"),
        ({"test_labels": np.array([0, 5])}, "classes of test images without a training image: 5"),
    ],
)
def test_data_that_cannot_be_probed_are_refused(
    changes: dict[str, np.ndarray], message: str
) -> None:
    """What arrived."""
    parts = {
        "train": np.zeros((4, 2)), "train_labels": np.array([0, 0, 1, 1]),
        "test": np.zeros((2, 2)), "test_labels": np.array([0, 1]),
    }  # fmt: skip
    with pytest.raises(DataError, match=message):
        ProbeData(**{**parts, **changes})


def test_penalties_must_be_above_0() -> None:
    """None, or 0, is refused."""
    for penalties in ((), (0.0, 1.0)):
        with pytest.raises(ParameterError, match="penalties must be one or more, above 0"):
            score_linear(blobs(0), seed=0, penalties=penalties)


def test_neighbours_vote_by_hand() -> None:
    """Of three neighbours at cosines 1, 0.6 and 0.6: plainly 2 to 1, but the near one outweighs."""
    data = ProbeData(
        train=np.array([[2.0, 0.0], [3.0, 4.0], [3.0, -4.0], [-1.0, 0.0]]),
        train_labels=np.array([5, 8, 8, 5]),
        test=np.array([[0.1, 0.0]]), test_labels=np.array([5]),
    )  # fmt: skip
    assert score_neighbours(data, n_neighbours=3, voting="plain").predictions.tolist() == [8]
    assert score_neighbours(data, n_neighbours=3).predictions.tolist() == [5]
    # exp(1 / t) < 2 exp(0.6 / t) from t = 0.4 / log 2 = 0.577 on
    for temperature, label in ((0.57, 5), (0.58, 8)):
        score = score_neighbours(data, n_neighbours=3, temperature=temperature)
        assert score.predictions.tolist() == [label]
    assert score.accuracy == 0.0


def test_equal_votes_go_to_the_nearer_class() -> None:
    """And of equally near images the first counts."""
    data = ProbeData(
        train=np.array([[3.0, 4.0], [1.0, 0.0], [1.0, 0.0]]), train_labels=np.array([1, 2, 3]),
        test=np.array([[1.0, 0.0]]), test_labels=np.array([2]),
    )  # fmt: skip
    for n in (1, 2, 3):
        score = score_neighbours(data, n_neighbours=n, voting="plain")
        assert score.predictions.tolist() == [2]


@pytest.mark.parametrize("n_neighbours", [1, 5, 20])
def test_plain_votes_are_scikit_learns(n_neighbours: int) -> None:
    """On digits, except where votes are equal, which scikit-learn gives to the smaller class."""
    data = digits_data()
    model = KNeighborsClassifier(n_neighbours, metric="cosine", algorithm="brute")
    model.fit(data.train, data.train_labels)
    votes = np.sort(model.predict_proba(data.test), axis=1)
    is_clear = votes[:, -1] > votes[:, -2]
    ours = score_neighbours(data, n_neighbours=n_neighbours, voting="plain").predictions
    np.testing.assert_array_equal(ours[is_clear], model.predict(data.test)[is_clear])
    assert is_clear.mean() > 0.9


def test_weighted_votes_are_scikit_learns_with_weights() -> None:
    """exp(cosine / 0.07)."""
    data = digits_data()
    model = KNeighborsClassifier(
        20, metric="cosine", algorithm="brute", weights=lambda d: np.exp((1 - d) / 0.07)
    ).fit(data.train, data.train_labels)
    ours = score_neighbours(data).predictions
    np.testing.assert_array_equal(ours, model.predict(data.test))


def test_neighbours_are_found_whatever_the_order_and_length() -> None:
    """Permuted and scaled features give the same classes; a feature of length 0 does no harm."""
    data, rng = blobs(2), np.random.default_rng(0)
    order = rng.permutation(90)
    moved = ProbeData(
        train=(data.train * rng.uniform(0.1, 9, (90, 1)))[order],
        train_labels=data.train_labels[order],
        test=np.vstack([5.0 * data.test, np.zeros((1, 5))]),
        test_labels=np.append(data.test_labels, 0),
    )
    a, b = (score_neighbours(d).predictions for d in (data, moved))
    np.testing.assert_array_equal(a, b[:-1])


def test_options_of_neighbours_are_checked() -> None:
    """What arrived and what is allowed."""
    for options, message in (
        ({"n_neighbours": 91}, "from 1 to 90, the number of training images; 91 arrived"),
        ({"voting": "soft"}, "voting must be weighted or plain; 'soft' arrived"),
        ({"temperature": 0.0}, r"temperature must be above 0; 0\.0 arrived"),
    ):
        with pytest.raises(ParameterError, match=message):
            score_neighbours(blobs(0), **options)


def test_few_labels_are_drawn_equally_and_keyed() -> None:
    """Five a class, no image twice; more draws move none."""
    labels = np.repeat([3, 1, 2], [20, 10, 7])
    drawn = draw_few(labels, 5, np.random.default_rng(0))
    assert len(set(drawn.tolist())) == 15
    assert np.bincount(labels[drawn]).tolist() == [0, 5, 5, 5]
    data = blobs(0)
    three, two = (
        score_few_labels(data, n_per_class=4, n_draws=n, seed=1, score=nearest).values
        for n in (3, 2)
    )
    assert three[:2] == two
    assert len(set(three)) > 1


def nearest(data: ProbeData, seed: int) -> float:
    """Accuracy of the nearest neighbour."""
    return score_neighbours(data, n_neighbours=1).accuracy


def test_all_labels_are_the_limit_of_few() -> None:
    """Drawing every image of each class is the probe on all images."""
    data = blobs(3)
    few = score_few_labels(data, n_per_class=30, n_draws=2, seed=0, score=nearest)
    assert few.values == (nearest(data, 0),) * 2
    assert few.low == few.mean == few.high


def test_few_labels_by_the_linear_probe() -> None:
    """More labels are better, on clear classes by more than the interval."""
    data = blobs(0, n=300, far=1.5)
    few, many = (score_few_labels(data, n_per_class=n, n_draws=4, seed=0) for n in (2, 40))
    assert many.low > few.mean


def test_too_few_images_of_a_class_are_refused() -> None:
    """Naming the class."""
    with pytest.raises(ParameterError, match="class 0 has 30 training images, fewer than n_per_c"):
        score_few_labels(blobs(0), n_per_class=31, seed=0)
    with pytest.raises(ParameterError, match="n_per_class must be 1 or more; 0 arrived"):
        score_few_labels(blobs(0), n_per_class=0, seed=0)
    with pytest.raises(ParameterError, match="n_draws must be 1 or more; 0 arrived"):
        score_few_labels(blobs(0), n_per_class=1, n_draws=0, seed=0)


def test_ridge_is_scikit_learns_and_sees_lines() -> None:
    """R2 by r2_score; a quantity that is a line in the features has 1, noise about 0."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 4))
    y = np.stack([x @ [1.0, -2.0, 0.5, 0.0] + 7.0, rng.standard_normal(300)], axis=1)
    score = score_ridge(x[:200], y[:200], x[200:], y[200:], penalties=(0.01,))
    scaler = StandardScaler().fit(x[:200])
    model = Ridge(alpha=200 * 0.01).fit(scaler.transform(x[:200]), y[:200])
    expected = r2_score(y[200:], model.predict(scaler.transform(x[200:])), multioutput="raw_values")
    np.testing.assert_allclose(score.r2_of_each, expected)
    assert score.r2 == pytest.approx(expected.mean())
    assert score.r2_of_each[0] > 0.99
    assert abs(score.r2_of_each[1]) < 0.1
    line = score_ridge(x[:200], y[:200, 0], x[200:], y[200:, 0])
    assert line.penalty == 1e-5
    assert line.r2 > 0.999999


def test_ridge_refuses_what_it_cannot_explain() -> None:
    """A constant, NaN, or another number of rows."""
    x, y = np.random.default_rng(0).standard_normal((10, 2)), np.arange(10.0)
    with pytest.raises(DataError, match="a quantity is the same in all test images"):
        score_ridge(x, y, x, np.ones(10))
    with pytest.raises(DataError, match="10 test features, but 9 quantities"):
        score_ridge(x, y, x, y[:9])
    with pytest.raises(DataError, match="training quantities of 1 of 10 images are not finite"):
        score_ridge(x, np.where(y == 3, np.nan, y), x, y)


def test_the_interval_over_repeats_is_students() -> None:
    """Of 1, 2, 3: mean 2, standard error 1 / sqrt 3, and t = 4.302653 at two degrees."""
    repeats = summarise_repeats([1, 2, 3])
    assert repeats.mean == 2.0
    assert repeats.high - 2.0 == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)
    assert 2.0 - repeats.low == pytest.approx(repeats.high - 2.0)
    single = summarise_repeats([0.5])
    assert (single.mean, single.low, single.high) == (0.5, None, None)


def test_differences_are_paired() -> None:
    """A constant gain is certain, however much the seeds differ."""
    a, b = summarise_repeats([0.5, 0.7, 0.9]), summarise_repeats([0.25, 0.45, 0.65])
    difference = compare_repeats(a, b)
    assert difference.low == pytest.approx(0.25)
    assert difference.high == pytest.approx(0.25)
    with pytest.raises(ParameterError, match="run both with the same seeds"):
        compare_repeats(a, summarise_repeats([1.0]))


def test_repeats_without_meaning_are_refused() -> None:
    """None, NaN, or a level of 1."""
    with pytest.raises(ParameterError, match="one repeat or more; none arrived"):
        summarise_repeats([])
    with pytest.raises(ParameterError, match=r"finite values; 1\.0, nan arrived"):
        summarise_repeats([1.0, float("nan")])
    with pytest.raises(ParameterError, match=r"between 0 and 1; 1\.0 arrived"):
        summarise_repeats([1.0], confidence=1.0)
