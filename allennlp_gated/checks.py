"""Checks of constructor parameters, with messages that name the parameter and what is allowed."""

from typing import Any

from allennlp.common.checks import ConfigurationError


def check_size(name: str, value: Any) -> None:
    """
    # Raises

    `ConfigurationError`
        Unless `value`, the parameter called `name`, is an integer above zero.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{name}: must be an integer of at least 1, not {value!r}")


def check_dropout(name: str, value: Any) -> None:
    """
    # Raises

    `ConfigurationError`
        Unless `value`, the parameter called `name`, is a probability from 0 up to but not 1.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value < 1:
        raise ConfigurationError(f"{name}: must be a probability in [0, 1), not {value!r}")
