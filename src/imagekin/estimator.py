"""What scikit-learn asks of everything that has parameters: to tell, to change and to show them."""

from __future__ import annotations

import inspect
from typing import Any, Self

from imagekin.errors import InputError


class Estimator:
    """An object whose parameters are the arguments it was made with, each kept under its own name, as it was given."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments it was made with, by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Change arguments; they count from the next use on.

        Raises:
            InputError: there is no such argument.
        """
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise InputError(f"{type(self).__name__} has no parameter {name!r}; it has {', '.join(known)}.")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({given})"
