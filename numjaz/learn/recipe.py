"""How a network is trained: every choice, with what each means, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from numjaz.errors import NumjazError
from numjaz.learn.augmentation import Augmentation, plain_fields
from numjaz.learn.sampling import SAMPLINGS

CHOICES: Mapping[str, tuple[str, ...]] = {
    "optimizer": ("adam", "sgd"),
    "form": ("keras", "torch"),
    "schedule": ("constant", "cosine", "linear"),
    "sampling": SAMPLINGS,
    "weights": ("none", "balanced"),
    "dtype": ("float32", "float64"),
}
OPEN = {"beta_1": 1, "beta_2": 1, "epsilon": 0, "clip_norm": 0}  # ends of ranges that divide by nothing
EPSILONS = {"keras": 1e-7, "torch": 1e-8}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained; the defaults are the paper's where it states something, else its relatives'.

    Parameters
    ----------
    epochs : int
        Passes over the windows.
    batch : int
        Windows in a step; the last step of an epoch may have fewer.
    optimizer : str
        ``adam`` or ``sgd``.
    form : str
        Whose definitions hold where two differ: ``keras`` or ``torch``. Of the optimizer (where epsilon
        stands, where the rate stands beside momentum), of clipping, and of batch normalization: the moving
        variance takes up the batch's biased variance as Keras's does, or its unbiased one as torch's.
    learning_rate : float
        At the start.
    schedule : str
        ``constant``, or to 0 at the end: ``cosine``, ``linear``.
    warmup : int
        Steps over which the learning rate rises.
    beta_1, beta_2, epsilon : float
        Adam's; ``epsilon`` is 1e-7 in Keras's form and 1e-8 in torch's where not given.
    momentum : float
        SGD's.
    clip_norm : float, optional
        The most that the norm of the whole gradient may be.
    weights : str
        ``balanced``: a class's windows count in inverse proportion to their number, as scikit-learn does.
    sampling : str
        ``each`` window once an epoch; or classes equally often (``class``), people (``person``), ``both``.
    augmentation : Augmentation
        What happens to windows before they are trained on.
    frozen : tuple of str
        Nodes that stay as they are, by name; ``*`` stands for any letters. A frozen batch normalization
        keeps its statistics and computes by them.
    patience : int, optional
        Epochs without a lower loss on the validation windows after which training stops; then, and
        wherever there are validation windows and a patience, the weights of the best epoch are kept.
    dtype : str
        What is computed in.
    seed : int
        Of the order of windows, of augmentation and of dropout.

    Examples
    --------
    >>> Recipe(epochs=3, schedule="cosine").plain()["epochs"]
    3
    """

    epochs: int = 12
    batch: int = 64
    optimizer: str = "adam"
    form: str = "keras"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    warmup: int = 0
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float | None = None
    momentum: float = 0.9
    clip_norm: float | None = None
    weights: str = "none"
    sampling: str = "each"
    augmentation: Augmentation = field(default_factory=Augmentation)
    frozen: tuple[str, ...] = ()
    patience: int | None = None
    dtype: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        plain_fields(self)
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise NumjazError(f"recipe: {name} is one of {', '.join(choices)}, not {getattr(self, name)!r:.60}")
        for name, least in (("epochs", 1), ("batch", 1), ("warmup", 0), ("seed", 0), ("patience", 1)):
            value = getattr(self, name)
            if not (name == "patience" and value is None) and (type(value) is not int or not least <= value < 2**31):
                raise NumjazError(f"recipe: {name} must be a whole number, {least} or more, not {value!r:.60}")
        for name, low, high in (
            ("learning_rate", 0, 1e3),
            ("beta_1", 0, 1),
            ("beta_2", 0, 1),
            ("epsilon", 0, 1),
            ("momentum", 0, 1),
            ("clip_norm", 0, 1e30),
        ):
            value = getattr(self, name)
            if value is None and name in ("epsilon", "clip_norm"):
                continue
            if type(value) not in (int, float) or not low <= value <= high or value == OPEN.get(name):
                raise NumjazError(f"recipe: {name} must be a number from {low:g} to {high:g}, not {value!r:.60}")
        if not isinstance(self.frozen, tuple) or not all(isinstance(name, str) for name in self.frozen):
            raise NumjazError(f"recipe: frozen must be names of nodes, not {self.frozen!r:.60}")
        if not isinstance(self.augmentation, Augmentation):
            raise NumjazError(f"recipe: augmentation must be an Augmentation, not {self.augmentation!r:.60}")

    @property
    def epsilon_or_default(self) -> float:
        """Adam's epsilon: what is given, else its form's."""
        return EPSILONS[self.form] if self.epsilon is None else self.epsilon

    def plain(self) -> dict[str, Any]:
        """The recipe as values that JSON can hold."""
        return {**asdict(self), "frozen": list(self.frozen)}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Recipe:
        """The inverse of `plain`; `NumjazError` for an entry that is unknown."""
        known = {each.name for each in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise NumjazError(f"recipe: unknown entry {unknown[0]!r:.60}; known are {', '.join(sorted(known))}")
        given = dict(values)
        if isinstance(given.get("frozen"), list):
            given["frozen"] = tuple(given["frozen"])
        if isinstance(given.get("augmentation"), Mapping):
            given["augmentation"] = Augmentation.from_plain(given["augmentation"])
        return cls(**given)
