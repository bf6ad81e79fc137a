"""Jazbat-Net by scikit-learn's contract, without scikit-learn."""

from __future__ import annotations

import inspect
import sys
import warnings
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from numjaz.architectures import jazbat
from numjaz.errors import NumjazError, NumjazWarning
from numjaz.layers import Array
from numjaz.learn.augmentation import Augmentation, plain
from numjaz.learn.heads import with_statistics_of
from numjaz.learn.recipe import Recipe
from numjaz.learn.sampling import order
from numjaz.learn.training import fit
from numjaz.learn.windows import Part, as_windows
from numjaz.model import Model

if TYPE_CHECKING:
    from numjaz.learn.history import History

ARCHITECTURE = ("reduction", "units", "modules")
"""Parameters that are `numjaz.jazbat`'s; the others, but ``random_state``, are the recipe's."""


class InputError(NumjazError, ValueError):
    """What was given is no labelled windows; a ValueError too, as scikit-learn has it."""


class NotFittedError(NumjazError, ValueError, AttributeError):
    """`JazbatClassifier.fit` comes first."""


class JazbatClassifier:
    """Jazbat-Net as an estimator of scikit-learn: for its pipelines, searches and cross-validation.

    Needs no scikit-learn. The constructor stores what it is given; `fit` looks at it.

    Parameters
    ----------
    reduction, units, modules : int
        Of the network, as `numjaz.jazbat` has them.
    epochs, batch, learning_rate, schedule, weights, sampling, augmentation
        Of its training, as `numjaz.learn.recipe.Recipe` has them. The defaults are for hundreds of
        windows, not for the paper's tens of thousands.
    random_state : int, numpy.random.RandomState, numpy.random.Generator or None
        What the first weights, the order of windows and augmentation are drawn by; None draws it from
        NumPy's global state. An int gives the same bits again on the same machine.

    Attributes
    ----------
    classes_ : array (C,)
        The different labels, sorted.
    n_features_in_ : int
        ``X.shape[1]``, as scikit-learn counts: samples in a window.
    model_ : Model
        The trained network, its classes named as ``classes_`` print. Its batch normalization knows the
        statistics of an epoch's windows, where `Model.fit` leaves moving averages.
    history_ : History
        Its epochs.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.array(["sitting", "walking"] * 32)
    >>> X = rng.normal(scale=np.where(y == "walking", 3.0, 0.3)[:, None], size=(64, 50))
    >>> classifier = JazbatClassifier(epochs=5, random_state=0).fit(X[:48], y[:48])
    >>> classifier.score(X[48:], y[48:])
    1.0
    """

    _estimator_type = "classifier"  # what scikit-learn before 1.6 asks for; later ones ask for the tags

    def __init__(
        self,
        *,
        reduction: int = 18,
        units: int = 32,
        modules: int = 3,
        epochs: int = 20,
        batch: int = 32,
        learning_rate: float = 3e-3,
        schedule: str = "cosine",
        weights: str = "none",
        sampling: str = "each",
        augmentation: Augmentation | None = None,
        random_state: Any = None,
    ) -> None:
        self.reduction = reduction
        self.units = units
        self.modules = modules
        self.epochs = epochs
        self.batch = batch
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.weights = weights
        self.sampling = sampling
        self.augmentation = augmentation
        self.random_state = random_state

    def __repr__(self) -> str:
        given = (f"{name}={value!r}" for name, value in self.get_params().items() if value is not self._defaults[name])
        return f"{type(self).__name__}({', '.join(given)})"

    @property
    def _defaults(self) -> dict[str, Any]:
        """The constructor's parameters, and what each is where it is not given."""
        return {each.name: each.default for each in inspect.signature(type(self)).parameters.values()}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's parameters by name; ``deep`` changes nothing, as none has parameters of its own."""
        return {name: getattr(self, name) for name in self._defaults}

    def set_params(self, **params: Any) -> Self:
        """Change parameters; `InputError` for one that does not exist."""
        unknown = [name for name in params if name not in self._defaults]
        if unknown:
            known = ", ".join(self._defaults)
            raise InputError(
                f"Invalid parameter {unknown[0]!r:.60} for estimator {type(self).__name__}: it has {known}"
            )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:  # noqa: N803
        """Train a new network.

        Parameters
        ----------
        X : array (N, T) or (N, T, F)
            Windows; with two axes, of one feature.
        y : array (N,)
            Their classes: two or more different ints, strings or whatever sorts.
        groups : array (N,), optional
            Whose they are: needed where ``sampling`` draws people equally often, kept in ``model_``'s provenance.

        Returns
        -------
        JazbatClassifier
            Itself.

        Raises
        ------
        NumjazError
            For a parameter that cannot be.
        InputError
            Where X or y is not of this form, or holds NaN or infinity.
        """
        x = _windows(X)
        labels = _labels(y, len(x))
        classes, numbers = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise InputError(f"y holds one class, {classes.tolist()[0]!r:.60}; a classifier needs two or more")
        given = {name: plain(value) for name, value in self.get_params().items()}
        seed = _seed(given.pop("random_state"))
        architecture = {name: given.pop(name) for name in ARCHITECTURE}
        augmentation = given.pop("augmentation") or Augmentation()
        recipe = Recipe(**given, augmentation=augmentation, seed=seed)
        network = jazbat(x.shape[2], [str(name) for name in classes.tolist()], seed=seed, **architecture)
        trained, history = fit(network, x, numbers, recipe, groups=groups)
        # Few windows make few steps, and moving averages need hundreds to arrive: they are taken once, of an epoch.
        whose = np.zeros(len(x)) if groups is None else np.asarray(groups, dtype=str)
        rows = order(numbers, whose, sampling=recipe.sampling, seed=seed, epoch=0)
        self.model_: Model = with_statistics_of(trained, Part(as_windows(x), rows))
        self.history_: History = history
        self.classes_, self.n_features_in_ = classes, x.shape[1]
        return self

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """What the network says of each window: (N, C), in float32 where X is, else in float64.

        Raises
        ------
        InputError
            Where X is not windows as they were in `fit`.
        NotFittedError
            Before `fit`; scikit-learn's own where that is in use.
        """
        if not self.__sklearn_is_fitted__():
            raise _theirs("NotFittedError", NotFittedError)(
                f"this {type(self).__name__} is not fitted yet: fit(X, y) comes first"
            )
        x = _windows(X)
        if x.shape[1] != self.n_features_in_:
            raise InputError(
                f"X has {x.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input: so many samples are in a window"
            )
        return np.asarray(self.model_.predict(x))

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """The class of each window: (N,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def score(self, X: Any, y: Any) -> float:  # noqa: N803
        """The share of windows whose class is predicted."""
        said = self.predict(X)
        return float(np.mean(said == _labels(y, len(said))))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(three_d_array=True),
        )

    def get_metadata_routing(self) -> Any:
        """What scikit-learn hands on to `fit` where its metadata routing is enabled: ``groups``."""
        from sklearn.utils.metadata_routing import MetadataRequest

        request = MetadataRequest(owner=self)
        request.fit.add_request(param="groups", alias=True)
        return request


def _seed(random_state: Any) -> int:
    """A whole number: the one given, or one drawn."""
    if isinstance(random_state, int):
        return random_state
    source = np.random if random_state is None else random_state  # the module draws from the global state
    draw = getattr(source, "integers", None) or getattr(source, "randint", None)
    if draw is None:
        raise NumjazError(f"random_state is a whole number, a generator of random numbers or None, not {source!r:.60}")
    return int(draw(2**31 - 1))


def _windows(given: Any) -> Array:
    """X as windows (N, T, F), in float32 where it is, else in float64; in scikit-learn's words what it is not."""
    if hasattr(given, "toarray"):
        raise InputError("X is sparse; X.toarray() is what this takes")
    x = np.asarray(given)
    if x.dtype.kind == "c":
        raise InputError(f"Complex data not supported: X is {x.dtype}")
    if x.dtype != np.float32:
        try:
            x = x.astype(np.float64, copy=False)
        except ValueError as error:
            raise InputError(f"X: {error}") from None
    if x.ndim not in (2, 3):
        raise InputError(
            f"X has shape {x.shape}; windows are (N, T) or (N, T, F). Reshape your data: X[None] is one window"
        )
    for size, what in zip(x.shape, ("sample", "feature", "feature"), strict=False):
        if not size:
            raise InputError(f"X has 0 {what}(s) (shape={x.shape}) while a minimum of 1 is required.")
    sound = np.isfinite(x).all(axis=tuple(range(1, x.ndim)))
    if not sound.all():
        raise InputError(f"window {int(sound.argmin()):,} of X holds NaN or infinity")
    return x if x.ndim == 3 else x[..., None]


def _labels(given: Any, count: int) -> NDArray[Any]:
    """The labels as one axis; in scikit-learn's words what they are not."""
    if given is None:
        raise InputError("y is missing: a classifier requires y to be passed, but the target y is None")
    y = np.asarray(given)
    if y.ndim == 2 and y.shape[1] == 1:
        message = "A column-vector y was passed when a 1d array was expected: y.ravel() is one"
        warnings.warn(_theirs("DataConversionWarning", NumjazWarning)(message), stacklevel=3)
        y = y[:, 0]
    if y.ndim != 1:
        raise InputError(f"y has shape {y.shape}; there is one class for each window")
    if len(y) != count:
        raise InputError(f"{len(y):,} labels for {count:,} windows")
    if y.dtype.kind == "f" and not (np.isfinite(y) & (y == np.floor(y))).all():
        raise InputError("Unknown label type: continuous; a class is a whole number or a name")
    return y


def _theirs(name: str, ours: type[Any]) -> type[Any]:
    """scikit-learn's error or warning of this name where it is in use, as its checks look for it; else ours."""
    return getattr(sys.modules.get("sklearn.exceptions"), name, ours)
